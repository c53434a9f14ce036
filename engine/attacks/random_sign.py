"""Control: random signs with the size of a real attack's perturbation."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.attacks import register
from engine.attacks._controls import Control


@register
class RandomSign(Control):
    """x + a * s clipped to [0, 1], s random signs, a such that the L2 norm is that of `like`.

    The control for "people see the target because the image was disturbed at all". The norm is
    that after clipping; see `Control`.

    Attributes:
        like: configuration of the attack whose norms are matched.
    """

    def direction(self, delta: Tensor, seeds: Tensor) -> Tensor:
        """Return random signs."""
        return torch.stack([_signs(delta[0], int(seed)) for seed in seeds]).to(delta)


def _signs(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, like.shape, generator=generator) * 2.0 - 1
