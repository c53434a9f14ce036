"""DeepLIFT: what each difference from a baseline's activations passes on."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.networks.inference import input_gradient
from engine.networks.structure import Structure
from engine.saliency import Reason, SaliencyMethod, register
from engine.saliency._completeness import delta
from engine.saliency._explained import Batch, Explained
from engine.saliency._hooks import hooked, of_classes
from engine.saliency._operations import averaged, left_over

_NODES = {
    "ELU": "Elu",
    "GELU": "Gelu",
    "Hardtanh": "Hardtanh",
    "LeakyReLU": "LeakyRelu",
    "MaxPool2d": "MaxPool2DWithIndices",
    "ReLU": "Relu",
    "ReLU6": "Hardtanh",
    "SiLU": "Silu",
    "Sigmoid": "Sigmoid",
    "Softplus": "Softplus",
    "Tanh": "Tanh",
}
"""The modules that have a rule, and PyTorch's name of the operation that each does."""
_NEAR = 1e-6
"""Differences of activations below it: there the slope is the derivative, as in the limit."""


@register
class DeepLift(SaliencyMethod):
    """(x - b) times the product of slopes between baseline b and image x, by the Rescale rule.

    Shrikumar, Greenside & Kundaje (2017), "Learning important features through propagating
    activation differences", section 3.5.1: at an activation the slope is (f(x) - f(b)) / (x - b).
    Of max pooling, the rise from the baseline's maximum goes to where the image's is, the fall from
    there to where the baseline's is, and windows that overlap are added up. Maps add up to
    F(x) - F(b).

    The rules sit on calls of modules, so that a module may be called twice. Captum 0.9 refuses
    that, and its maps of a network with max pooling miss F(x) - F(b), by a third and more.
    """

    uses_baseline: ClassVar[bool] = True
    complete: ClassVar[bool] = True

    def quantity(self, of: str) -> str:
        """What the map is, with the reading of its sign."""
        return (
            f"share of the pixel in the change of {of} from the baseline to the image (DeepLIFT): "
            "where it is positive, the pixel raises that"
        )

    def unfit(self, structure: Structure) -> list[Reason]:
        """Refuse networks with operations that have no rule."""
        modules = structure.named(*_NODES)
        ruled = Counter[str]()
        for name in modules:
            ruled[_NODES[structure.kinds[name]]] += structure.calls[name]
        return averaged(structure) or left_over(structure, ruled)

    def explain(self, batch: Batch) -> Explained:
        """Return signed shares."""
        layers = of_classes(batch.model, *_NODES)
        half = max(1, batch.size // 2)  # what the network does with baselines is kept meanwhile
        rows = torch.arange(len(batch), device=batch.x.device)
        found = [
            _shares(batch.of(rows[at : at + half]), layers) for at in range(0, len(batch), half)
        ]
        maps, own, other = (torch.cat(parts) for parts in zip(*found, strict=True))
        return Explained(maps, facts={"delta": delta(maps, own, other)})


def _shares(batch: Batch, layers: list[nn.Module]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the maps of some images, F(image) and F(baseline)."""
    assert batch.baseline is not None
    rules = [(layer, _Rule()) for layer in layers]
    with hooked(hook for layer, rule in rules for hook in rule.on(layer)):
        with torch.no_grad():
            other = batch.scalar(batch.baseline.clone(), batch.classes, batch.against)
        for _, rule in rules:
            rule.of_images = True
        with torch.enable_grad():
            x = batch.x.clone().requires_grad_(True)
            own = batch.scalar(x, batch.classes, batch.against)
            slopes = input_gradient(own.sum(), x)
    return (batch.x - batch.baseline) * slopes, own.detach(), other


class _Rule:
    """The rule of one module: the network is asked of baselines, without gradients, then of images.

    A module may be called several times: its first call on images goes with that on baselines.

    Attributes:
        of_images: whether it is asked of images now.
    """

    def __init__(self) -> None:
        self.of_images = False
        self._given = torch.empty(0)
        self._of_baselines: list[tuple[Tensor, Tensor]] = []

    def on(self, module: nn.Module) -> list[Any]:
        """Register its two hooks on `module`, and return them."""
        return [
            module.register_forward_pre_hook(self._before),
            module.register_forward_hook(self._after),
        ]

    def _before(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        given = inputs[0].detach()
        # A module that works in place writes its output over it.
        self._given = given.clone() if getattr(module, "inplace", False) else given

    def _after(self, module: nn.Module, _inputs: object, output: Tensor) -> None:
        given, made = self._given, output.detach()
        self._given = torch.empty(0)
        if not self.of_images:
            # Copies: what follows may write over them.
            self._of_baselines.append((given.clone(), made.clone()))
            return
        kind, node = type(module).__name__, output.grad_fn
        if not self._of_baselines:
            raise ValueError(f"{kind} is called less often for the baselines than for the images")
        before, after = self._of_baselines.pop(0)
        if node is None:
            return  # of constants
        if not node.name().startswith(f"{_NODES[kind]}Backward"):
            raise ValueError(f"{kind} does not work as one operation")
        away = given - before
        if isinstance(module, nn.MaxPool2d):
            top = torch.maximum(made, after)
            rise = (top - after, _places(module, given))
            fall = (made - top, _places(module, before))
            node.register_hook(partial(_pooled, rise, fall, away))
        else:
            slope = (made - after).div_(away)
            node.register_hook(partial(_rescaled, away.abs_() > _NEAR, slope))


def _rescaled(
    far: Tensor, slope: Tensor, inward: tuple[Tensor, ...], outward: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Return what goes on to an activation's input."""
    return (torch.where(far, outward[0] * slope, inward[0]),)


def _places(pool: nn.MaxPool2d, given: Tensor) -> Tensor:
    """Return where the maxima are, by pixel number (N, C, h, w)."""
    _, places = F.max_pool2d(
        given,
        pool.kernel_size,
        pool.stride,
        pool.padding,
        pool.dilation,
        pool.ceil_mode,
        return_indices=True,
    )
    return places


def _pooled(
    rise: tuple[Tensor, Tensor],
    fall: tuple[Tensor, Tensor],
    away: Tensor,
    inward: tuple[Tensor, ...],
    outward: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """Return what goes on to a max pooling's input."""
    moved = torch.zeros_like(away).flatten(2)
    for change, places in (rise, fall):
        moved.scatter_add_(2, places.flatten(2), (outward[0] * change).flatten(2))
    slope = moved.view_as(away).div_(away)
    return (torch.where(away.abs() > _NEAR, slope, inward[0]),)
