"""Global contrast normalisation: every image to mean 0 and standard deviation 1."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.preprocessing import Step, register

_CONSTANT = 1e-6
_GREY_LEVEL = 1 / 255


@register
class Gcn(Step):
    """(x - mean) / std per image, over all channels and pixels, std with n - 1.

    As Ross & Doshi-Velez (2018) prepare SVHN. A constant image (std below 1e-6) is divided by one
    grey level, 1/255, as there: it becomes zeros, and its gradient stays finite.
    """

    def apply(self, x: Tensor) -> Tensor:
        """Return normalised images (N, C, H, W)."""
        return _centred(x) / self.scale(x)

    def scale(self, x: Tensor) -> Tensor:
        """Return the standard deviations, 1/255 for constant images."""
        pixels = x[0].numel()
        variance = _centred(x).square().sum((1, 2, 3), keepdim=True) / max(pixels - 1, 1)
        # Chosen before the root: the root of zero has an infinite gradient.
        return torch.where(variance < _CONSTANT**2, _GREY_LEVEL**2, variance).sqrt()


def _centred(x: Tensor) -> Tensor:
    # Differences from one pixel first: a constant image then gives exact zeros, not the rounding
    # of its mean, which would be divided by very little.
    x = x - x[:, :1, :1, :1]
    return x - x.mean((1, 2, 3), keepdim=True)
