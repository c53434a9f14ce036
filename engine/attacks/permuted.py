"""Control: a real attack's perturbation with its pixels in random order."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.attacks import Batch, register
from engine.attacks._controls import Control


@register
class Permuted(Control):
    """x + a * p(x_adv - x) clipped to [0, 1], p a random permutation of the pixels.

    The control for "people see the target because of how strongly the pixels changed": the values
    are the perturbation's own, their places are not. Every image has its permutation, the same
    for all channels. Clipping takes from the norm what the perturbation gave to other pixels, so a
    is such that the L2 norm after clipping is that of `like`; see `Control`. Where nothing is
    clipped a = 1.

    Attributes:
        like: configuration of the attack whose perturbation is permuted.
    """

    def direction(self, delta: Tensor, batch: Batch) -> Tensor:
        """Return the permuted perturbations."""
        pixels = delta[0, 0].numel()
        moved = []
        for one, generator in zip(delta, batch.generators(), strict=True):
            order = torch.randperm(pixels, generator=generator).to(delta.device)
            moved.append(one.flatten(1)[:, order].view_as(one))
        return torch.stack(moved)
