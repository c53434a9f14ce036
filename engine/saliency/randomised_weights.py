"""Null map: a method's map of the same network with random weights."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from engine import seeds as seeding
from engine.errors import said
from engine.models import declared, layer_of
from engine.networks.inference import copied, device_of, frozen
from engine.saliency import register
from engine.saliency._fit import UnfitError
from engine.saliency._nulls import Null

if TYPE_CHECKING:
    from engine.saliency import Attribution, Target
    from engine.saliency._explained import Batch, Explained


@register
class RandomisedWeights(Null):
    """The map of `of`, made of a copy of the network whose layers have random weights.

    The cascading randomisation of Adebayo, Gilmer, Muelly, Goodfellow, Hardt & Kim (2018), section
    3.1: the weights of layer after layer are drawn anew, from the logits down. A map that stays the
    same does not depend on what the network has learned.

    Each weight and bias is drawn from the normal distribution with the mean and deviation that its
    tensor has, so that answers stay as large as they were; the statistics of normalisation are
    left. Layers are ordered by when they are called. A layer's weights are the same however far
    down the cascade goes, and for every image.

    Attributes:
        of: configuration of the method.
        down_to: the last layer, or part of the network, to be randomised, by its name; None means
            all of them.
        seed: of the random weights.
    """

    down_to: str | None = Field(None, min_length=1)
    seed: int = Field(0, ge=0)

    @property
    def draws(self) -> bool:  # type: ignore[override]
        """See `SaliencyMethod.draws`; the random weights are no image's."""
        return self.method.draws

    @property
    def complete(self) -> bool:  # type: ignore[override]
        """See `SaliencyMethod.complete`; of the randomised network."""
        return self.method.complete

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        far = "of all layers" if self.down_to is None else f"from the logits to {self.down_to}"
        return (
            f"map of the same network with random weights ({far}), which has learned nothing "
            "there: "
            f"{self.method.quantity(of)}"
        )

    def attribute(
        self,
        model: nn.Module,
        images: NDArray[np.float32],
        target: Target,
        *,
        seeds: NDArray[np.int64] | None = None,
        baseline: NDArray[np.float32] | None = None,
    ) -> Attribution:
        """Return the maps of one randomised copy; see `SaliencyMethod.attribute`."""
        randomised = self.randomised(model, copied(images[:2], device_of(model)))
        return self.method.attribute(randomised, images, target, seeds=seeds, baseline=baseline)

    def explain(self, batch: Batch) -> Explained:
        """Return the method's maps of a randomised copy."""
        randomised = self.randomised(batch.model, batch.x[:2])
        with frozen(randomised):
            return self.method.explain(replace(batch, model=randomised))

    def randomised(self, model: nn.Module, x: Tensor) -> nn.Module:
        """Return a copy of `model`, which is left as found, with random weights.

        Args:
            model: the network.
            x: some images that it takes (N, C, H, W).

        Raises:
            UnfitError: it has no layer `down_to`, or none with weights there, or it cannot be
                copied.
        """
        try:
            made = copy.deepcopy(model)
        except Exception as error:
            what = f"the network cannot be copied ({said(error)}), so its weights stay"
            raise UnfitError("no_copy", what) from error
        network, _ = declared(made)
        names = _from_the_top(network, made, x)
        done: set[Tensor] = set()
        for name in names[: self._count(network, names)]:
            for key, weight in network.get_submodule(name).named_parameters(recurse=False):
                if weight not in done:  # tied ones are drawn once, with the upper layer
                    done.add(weight)
                    self._draw(weight, f"{name}.{key}")
        return made

    def _count(self, network: nn.Module, names: list[str]) -> int:
        """Return how many of the layers, from the top, are randomised."""
        if self.down_to is None:
            return len(names)
        try:
            layer_of(network, self.down_to, f"{self.name}, down_to")
        except Exception as error:
            raise UnfitError("no_such_layer", str(error)) from None
        inside = [f"{name}.".startswith(f"{self.down_to}.") for name in names]
        if not any(inside):
            raise UnfitError("no_such_layer", f"the layer {self.down_to!r} has no weights")
        return max(i for i, within in enumerate(inside) if within) + 1

    def _draw(self, weight: Tensor, name: str) -> None:
        generator = torch.Generator().manual_seed(
            seeding.derive(self.seed, "randomised_weights", name)
        )
        noise = torch.randn(weight.shape, generator=generator).to(weight)
        with torch.no_grad():
            weight.copy_(weight.mean() + weight.std(correction=0) * noise)


def _from_the_top(network: nn.Module, whole: nn.Module, x: Tensor) -> list[str]:
    """Return the names of the modules with weights of their own, the last called first.

    One that is not called, since another uses its weights, stands with the one around it.
    """
    called: dict[str, int] = {}
    handles = []
    for name, module in network.named_modules():

        def note(*_: object, name: str = name) -> None:
            called.setdefault(name, len(called))

        handles.append(module.register_forward_pre_hook(note))
    try:
        # With a gradient to follow: without one, transformers go a way that calls no modules.
        with frozen(whole), torch.enable_grad():
            whole(x.detach().clone().requires_grad_(True))
    finally:
        for handle in handles:
            handle.remove()

    def place(name: str) -> int:
        while name and name not in called:
            name = name.rpartition(".")[0]
        return called.get(name, -1)

    own = [
        name
        for name, module in network.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    # Of those with one place, the module around the others is the lowest.
    return sorted(own, key=lambda name: (place(name), name), reverse=True)
