"""Control: random signs with the size of a real attack's perturbation."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.attacks import Batch, register
from engine.attacks._controls import Control


@register
class RandomSign(Control):
    """x + a * s clipped to [0, 1], s random signs, a such that the L2 norm is that of `like`.

    The control for "people see the target because the image was disturbed at all". The norm is
    that after clipping; see `Control`.

    Attributes:
        like: configuration of the attack whose norms are matched.
    """

    def direction(self, delta: Tensor, batch: Batch) -> Tensor:
        """Return random signs."""
        shape = delta.shape[1:]
        drawn = [torch.randint(0, 2, shape, generator=each) for each in batch.generators()]
        return torch.stack(drawn).to(delta) * 2 - 1
