"""Guided backprop changes the backward pass of rectifiers: which it reaches, and what it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.saliency._fit import Reason

if TYPE_CHECKING:
    from engine.networks.structure import Structure
    from engine.saliency._batch import Batch


def unreached(structure: Structure) -> list[Reason]:
    """Return why guided backprop would be the plain gradient, in part or as a whole."""
    functional = structure.functional_relus
    if not structure.named("ReLU"):
        also = f", and {functional} rectifiers in none" if functional > 0 else ""
        says = f"the network has no ReLU modules{also}: the map would be the plain gradient"
        return [Reason("no_relu_modules", says)]
    if functional > 0:
        says = (
            f"{functional} of {structure.relu_operations} rectifiers are functions and no modules: "
            "there the gradient would be the plain one"
        )
        return [Reason("functional_relus", says)]
    return []


def guided(batch: Batch) -> Tensor:
    """Return guided backprop (N, C, H, W): gradients that stay positive at every ReLU's output.

    Springenberg, Dosovitskiy, Brox & Riedmiller (2015), section 3.4.
    """

    def guide(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(_positive)  # type: ignore[no-untyped-call]

    relus = [module for module in batch.model.modules() if isinstance(module, nn.ReLU)]
    handles = [relu.register_forward_hook(guide) for relu in relus]
    x = batch.x.detach().requires_grad_(True)
    try:
        with torch.enable_grad():
            scalar = batch.scalar(x, batch.classes, batch.against)
    finally:
        for handle in handles:
            handle.remove()
    (found,) = torch.autograd.grad(scalar.sum(), x)
    return found


def _positive(gradient: Tensor) -> Tensor:
    return gradient.clamp_min(0)
