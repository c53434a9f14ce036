"""DeepLIFT: what each difference from a baseline's activations passes on."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.networks.structure import Structure
from engine.saliency import Reason, SaliencyMethod, register
from engine.saliency._batch import Batch, Explained
from engine.saliency._completeness import delta, difference
from engine.saliency._hooks import hooked
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
        ruled = [each for each in batch.model.modules() if type(each).__name__ in _NODES]
        half = max(1, batch.size // 2)  # baselines stand beside their images
        rows = torch.arange(len(batch), device=batch.x.device)
        with hooked(hook for each in ruled for hook in _Rule().on(each)):
            shares = [_shares(batch.of(rows[at : at + half])) for at in range(0, len(batch), half)]
        maps = torch.cat(shares)
        return Explained(maps, facts={"delta": delta(maps, *difference(batch))})


def _shares(batch: Batch) -> Tensor:
    """Return the maps of some images; the hooks are there."""
    assert batch.baseline is not None
    count = len(batch)
    with torch.enable_grad():
        x = torch.cat([batch.x, batch.baseline]).requires_grad_(True)
        against = None if batch.against is None else batch.against.repeat(2)
        scalar = batch.scalar(x, batch.classes.repeat(2), against)
        (slopes,) = torch.autograd.grad(scalar[:count].sum(), x)
    return (batch.x - batch.baseline) * slopes[:count]


class _Rule:
    """The rule of one module, for batches of images and, behind them, their baselines."""

    def __init__(self) -> None:
        self._given = torch.empty(0)

    def on(self, module: nn.Module) -> list[Any]:
        """Register its two hooks on `module`, and return them."""
        return [
            module.register_forward_pre_hook(self._before),
            module.register_forward_hook(self._after),
        ]

    def _before(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # A copy: a module that works in place writes its output over it.
        self._given = inputs[0].detach().clone()

    def _after(self, module: nn.Module, _inputs: object, output: Tensor) -> None:
        node = output.grad_fn
        if node is None or not node.name().startswith(f"{_NODES[type(module).__name__]}Backward"):
            raise ValueError(f"{type(module).__name__} does not work as one operation")
        given, made = _halves(self._given), _halves(output.detach())
        if isinstance(module, nn.MaxPool2d):
            rise, fall = _moves(module, self._given, made)
            node.register_hook(partial(_pooled, rise, fall, given))
        else:
            away = given[0] - given[1]
            far = away.abs() > _NEAR
            slope = (made[0] - made[1]) / torch.where(far, away, 1)
            node.register_hook(partial(_rescaled, far, slope))
        self._given = torch.empty(0)


def _halves(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is of the images, and what is of the baselines behind them."""
    own, other = values.chunk(2)
    return own, other


def _rescaled(
    far: Tensor, slope: Tensor, inward: tuple[Tensor, ...], outward: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Return what goes on to an activation's input, for half of the batch; else zeros."""
    count = len(far)
    found = torch.where(far, outward[0][:count] * slope, inward[0][:count])
    return (torch.cat([found, torch.zeros_like(found)]),)


def _moves(
    pool: nn.MaxPool2d, given: Tensor, made: tuple[Tensor, Tensor]
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return how far maxima rise and where to, and how far they fall and from where."""
    _, places = F.max_pool2d(
        given,
        pool.kernel_size,
        pool.stride,
        pool.padding,
        pool.dilation,
        pool.ceil_mode,
        return_indices=True,
    )
    own, other = _halves(places.flatten(2))
    top = torch.maximum(*made)
    return ((top - made[1]).flatten(2), own), ((made[0] - top).flatten(2), other)


def _pooled(
    rise: tuple[Tensor, Tensor],
    fall: tuple[Tensor, Tensor],
    given: tuple[Tensor, Tensor],
    inward: tuple[Tensor, ...],
    outward: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """Return what goes on to a max pooling's input, for half of the batch; else zeros."""
    away = given[0] - given[1]
    count = len(away)
    slopes = outward[0][:count].flatten(2)
    moved = torch.zeros_like(away).flatten(2)
    for change, places in (rise, fall):
        moved.scatter_add_(2, places, slopes * change)
    far = away.abs() > _NEAR
    found = torch.where(far, moved.view_as(away) / torch.where(far, away, 1), inward[0][:count])
    return (torch.cat([found, torch.zeros_like(found)]),)
