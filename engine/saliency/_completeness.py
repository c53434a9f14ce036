"""Whether the values of a map add up to what it explains."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDING = 1e-5
"""What float32 leaves of sums over layers and pixels, as a share of the scalars."""


def delta(maps: Tensor, own: Tensor, other: Tensor) -> Tensor:
    """Return by how much maps miss F(image) - F(baseline), as shares of its size, float64 (N,).

    A miss that is no more than rounding of the scalars is 0, so that the map of an image that is
    its own baseline adds up.

    Args:
        maps: signed (N, C, H, W).
        own: F(image) (N,).
        other: F(baseline) (N,).
    """
    own, other = own.double(), other.double()
    off = (maps.double().flatten(1).sum(1) - (own - other)).abs()
    near = off <= _ROUNDING * (own.abs() + other.abs())
    return torch.where(near, torch.zeros_like(off), off / (own - other).abs())
