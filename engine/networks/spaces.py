"""The two spaces of a network: pixels, and what its preprocessing makes of them.

The *model input* lies behind the preprocessing and before the network with its input layers. That
is where Ross & Doshi-Velez (2018) measure eps and lambda on SVHN: behind grey and global contrast
normalisation, before local contrast normalisation.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from engine.errors import UsageError
from engine.preprocessing import Step


class StepLayer(nn.Module):
    """One preprocessing step as a layer, without weights."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """Return the step's output for images (N, C, H, W)."""
        return self.step.apply(x)

    def extra_repr(self) -> str:
        """Return the step."""
        return repr(self.step)


class Preprocessed(nn.Module):
    """pixels in [0, 1] -> preprocessing -> model input -> input layers -> network -> logits."""

    def __init__(
        self, preprocessing: Sequence[Step], input_layers: Sequence[Step], network: nn.Module
    ) -> None:
        super().__init__()
        self.preprocessing = nn.Sequential(*map(StepLayer, preprocessing))
        self.input_layers = nn.Sequential(*map(StepLayer, input_layers))
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, K) of images (N, C, H, W) in [0, 1]."""
        return self.from_model_input(self.preprocessing(x))

    def from_model_input(self, z: Tensor) -> Tensor:
        """Return logits (N, K) of model inputs (N, C', H, W)."""
        logits: Tensor = self.network(self.input_layers(z))
        return logits

    def scale(self, x: Tensor) -> Tensor:
        """Return the pixels' change per change of the model input, (N, 1, 1, 1).

        The statistics of the images x are constants in it.

        Raises:
            UsageError: a step is not affine per image.
        """
        scale = torch.ones_like(x[:, :1, :1, :1])
        for layer in self.preprocessing:
            assert isinstance(layer, StepLayer)
            scale = scale * layer.step.scale(x)
            x = layer(x)
        return scale

    def change(self, x: Tensor, delta: Tensor) -> Tensor:
        """Return the change of the model input (N, C', H, W) for a change of the images x.

        The statistics of the images x are constants in it, so that it is measured as an attack
        that works in this space measures: for what `ModelInput.to_pixels` gives of z, unless that
        is clipped, it is z - z_0.

        Raises:
            UsageError: a step is not affine per image.
        """
        for layer in self.preprocessing:
            assert isinstance(layer, StepLayer)
            delta = layer.step.change(x, delta)
            x = layer(x)
        return delta


class ModelInput(nn.Module):
    """A network behind its preprocessing, for certain images: what an attack there is run on.

    The way back is affine per image, with the images' own mean and deviation frozen:
    x + scale * (z - z_0), for all channels of a colour image alike, clipped to [0, 1].

    Args:
        model: the whole network.
        x: the images (N, C, H, W) in [0, 1] where the attack starts.

    Attributes:
        start: their model input z_0 (N, C', H, W).
        low, high: bounds of z, (N, C', H, W): beyond them all channels of the pixel are clipped.

    Raises:
        UsageError: a step of the preprocessing is not affine per image.
    """

    def __init__(self, model: Preprocessed, x: Tensor) -> None:
        super().__init__()
        self.model = model
        self.images = x
        with torch.no_grad():
            self.scale = model.scale(x)
            self.start: Tensor = model.preprocessing(x)
            below, above = x, 1 - x
            if self.start.shape[1] != x.shape[1]:
                below, above = below.amax(1, keepdim=True), above.amax(1, keepdim=True)
            self.low = self.start - below / self.scale
            self.high = self.start + above / self.scale

    def forward(self, z: Tensor) -> Tensor:
        """Return logits (N, K) of model inputs (N, C', H, W)."""
        return self.model.from_model_input(z)

    def rows(self, rows: Tensor) -> ModelInput:
        """Return the same for some of its images: those at the indices (M,), or of a mask (N,)."""
        part = copy.copy(self)
        part.images, part.scale = self.images[rows], self.scale[rows]
        part.start, part.low, part.high = self.start[rows], self.low[rows], self.high[rows]
        return part

    def clip(self, z: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return model inputs within their bounds.

        Args:
            z: of all the images (N, C', H, W), or of those at `rows` (M, C', H, W).
            rows: indices (M,) of the images; None means all of them.
        """
        if rows is None:
            return z.clamp(self.low, self.high)
        return z.clamp(self.low[rows], self.high[rows])

    def to_pixels(self, z: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [0, 1] for model inputs that came from `start`."""
        return (self.images + self.scale * (z - self.start)).clamp(0, 1)


def preprocessed(model: nn.Module) -> Preprocessed | None:
    """Return `model` where it has preprocessing, None where its model input is the pixels.

    Raises:
        UsageError: the preprocessing is inside another module, so that the model input is not at
            hand.
    """
    if isinstance(model, Preprocessed):
        return model if len(model.preprocessing) else None
    if any(
        isinstance(module, Preprocessed) and len(module.preprocessing) for module in model.modules()
    ):
        raise UsageError(
            f"space model_input: {type(model).__name__} wraps a network with preprocessing; give "
            "that network itself"
        )
    return None


def split(model: nn.Module) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Return (pixels -> model input, model input -> logits); together they are `model`."""
    if isinstance(model, Preprocessed):
        return model.preprocessing, model.from_model_input
    return _same, model


def _same(x: Tensor) -> Tensor:
    return x
