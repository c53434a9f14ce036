"""Class activation maps: what the methods share that weigh the activations of a layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.models import CamLayer, Reshape, declared, layer_of
from engine.networks.stochastic import draws_of
from engine.saliency import SaliencyMethod
from engine.saliency._fit import UnfitError

if TYPE_CHECKING:
    from engine.saliency._explained import Batch


class OfLayer(SaliencyMethod):
    """A method that weighs the activations of a layer, which the model declares.

    Attributes:
        layer: its name, in place of the one that the model declares (`Architecture.cam_layer`).
            Names begin at the network itself, without steps and means over draws around it.
        reshape: in place of the declared one; see `engine.models.Reshape`.
        skip: in place of the declared one: leading tokens that are none of a patch.
    """

    layer: str | None = Field(None, min_length=1)
    reshape: Reshape | None = None
    skip: int | None = Field(None, ge=0)

    @property
    def of_layer(self) -> str:
        """The layer, for the legend."""
        return "the layer that the model declares" if self.layer is None else f"layer {self.layer}"

    def cam(self, batch: Batch) -> Tensor:
        """Return the signed Grad-CAM (N, 1, h, w) of a batch.

        Raises:
            UnfitError: no layer is declared, or it gives nothing that is a map of the image.
        """
        network, cam = self._declared(batch.model)
        try:
            module = layer_of(network, cam.layer, self.name)
        except Exception as error:
            raise UnfitError("no_cam_layer", str(error)) from None
        draws = draws_of(batch.model)
        # A network that is averaged asks its layers once for each image, with all draws of it.
        parts = [batch] if draws == 1 else batch.ones()
        return torch.cat([_weighted(part, module, cam, draws) for part in parts])

    def _declared(self, model: nn.Module) -> tuple[nn.Module, CamLayer]:
        network, cam = declared(model)
        own = {name: getattr(self, name) for name in ("layer", "reshape", "skip")}
        said = {name: value for name, value in own.items() if value is not None}
        if cam is None and self.layer is None:
            raise UnfitError(
                "no_cam_layer",
                "the model declares no layer for class activation maps; write "
                "cam: {layer: NAME} beside its module, for a transformer cam: {layer: NAME, "
                "reshape: tokens, skip: 1}, or give the method a layer",
            )
        whole = {**({} if cam is None else cam.model_dump()), **said}
        if whole.get("reshape", "none") == "none":
            if self.skip:
                raise UnfitError("no_map", "skip is of tokens; write reshape: tokens beside it")
            whole["skip"] = 0
        return network, CamLayer(**whole)


def _weighted(batch: Batch, module: nn.Module, cam: CamLayer, draws: int) -> Tensor:
    x = batch.x.detach().requires_grad_(True)
    with torch.enable_grad(), _tapped(module) as taps:
        scalar = batch.scalar(x, batch.classes, batch.against)
    if len(taps) != 1:
        times = f"called {len(taps)} times for one answer" if taps else "not called"
        raise UnfitError("no_map", f"the layer {cam.layer!r} is {times}; name one that is once")
    (activation,) = taps
    if activation is None:
        raise UnfitError("no_map", f"the layer {cam.layer!r} gives no tensor; name one inside it")
    shaped = _with_sides(activation, cam, x.shape, len(batch) * draws)
    if not scalar.requires_grad:
        raise UnfitError("no_gradient", "no gradient flows back from the answer")
    (gradient,) = torch.autograd.grad(scalar.sum(), activation, allow_unused=True)
    if gradient is None:
        raise UnfitError("no_gradient", f"the answer does not follow from layer {cam.layer!r}")
    if cam.skip and gradient[:, : cam.skip].any() and not gradient[:, cam.skip :].any():
        raise UnfitError(
            "no_gradient",
            f"behind the layer {cam.layer!r} the answer follows from the {cam.skip} skipped tokens "
            "alone; name a layer before the last attention",
        )
    weights = _with_sides(gradient, cam, x.shape, len(batch) * draws).mean((2, 3), keepdim=True)
    maps = (weights * shaped.detach()).sum(1, keepdim=True)
    # The mean over draws is in the gradient already.
    summed: Tensor = maps.reshape(len(batch), draws, *maps.shape[1:]).sum(1)
    return summed


@contextmanager
def _tapped(module: nn.Module) -> Iterator[list[Tensor | None]]:
    """Gather what `module` gives within the block, as leaves that the rest is computed from.

    None for what is no tensor. What comes after gets a copy: it may write into it.
    """
    taps: list[Tensor | None] = []

    def tap(_module: nn.Module, _inputs: object, output: object) -> Tensor | None:
        if not isinstance(output, Tensor):
            taps.append(None)
            return None
        leaf = output.detach().clone().requires_grad_(True)
        taps.append(leaf)
        return leaf.clone()

    handle = module.register_forward_hook(tap)
    try:
        yield taps
    finally:
        handle.remove()


def _with_sides(values: Tensor, cam: CamLayer, image: torch.Size, rows: int) -> Tensor:
    """Return what a layer gave as (N, D, h, w)."""
    shape = "x".join(map(str, values.shape))
    wanted = 4 if cam.reshape == "none" else 3
    if values.dim() != wanted or len(values) != rows:
        form = "(N, C, h, w)" if cam.reshape == "none" else "tokens (N, T, D)"
        tokens = values.dim() == 3 and cam.reshape == "none"
        other = "; for tokens (N, T, D) write reshape: tokens" if tokens else ""
        raise UnfitError(
            "no_map",
            f"the layer {cam.layer!r} gives {shape} of {rows} images, which is not {form}{other}",
        )
    if cam.reshape == "none":
        return values
    patches = values.shape[1] - cam.skip
    height, width = image[2:]
    down = max(1, round((max(patches, 0) * height / width) ** 0.5))
    across = patches // down
    if patches < 1 or down * across != patches or down * width != across * height:
        raise UnfitError(
            "no_map",
            f"the layer {cam.layer!r} gives {values.shape[1]} tokens, {cam.skip} of them skipped; "
            f"{patches} are no grid with the sides of an image of {height}x{width}; give the "
            "number of leading tokens as skip",
        )
    return values[:, cam.skip :].transpose(1, 2).reshape(rows, -1, down, across)
