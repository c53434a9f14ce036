"""Colour to grey."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.errors import UsageError
from engine.preprocessing import Step, register

_WEIGHTS = (0.2989, 0.5870, 0.1140)


@register
class Grey(Step):
    """.2989 R + .5870 G + .1140 B; images of one channel stay.

    The weights of Rec. 601, as in Ross & Doshi-Velez (2018). Their sum is .9999: on the way back
    a change of the grey value is the same change of all three channels.
    """

    def channels(self, channels: int) -> int:
        """Return 1; see `Step.channels`."""
        if channels not in (1, len(_WEIGHTS)):
            raise UsageError(f"step 'grey' takes images of 1 or 3 channels, not {channels}")
        return 1

    def apply(self, x: Tensor) -> Tensor:
        """Return grey images (N, 1, H, W)."""
        if x.shape[1] == 1:
            return x
        return (x * x.new_tensor(_WEIGHTS)[:, None, None]).sum(1, keepdim=True)

    def scale(self, x: Tensor) -> Tensor:
        """Return ones."""
        return torch.ones_like(x[:, :1, :1, :1])

    def change(self, x: Tensor, delta: Tensor) -> Tensor:
        """Return the change of the grey value, also of one that channels do not share."""
        return self.apply(delta)
