"""Whether the values of a map add up to what it explains."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.saliency._batch import Batch

_ROUNDING = 1e-5
"""What float32 leaves of sums over layers and pixels, as a share of the scalars."""


def difference(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return F(image) - F(baseline), float64 (N,), and how large the two are.

    The size is |F(image)| + |F(baseline)|, to tell a difference from rounding.
    """
    assert batch.baseline is not None
    with torch.no_grad():
        scalars = [
            batch.scalar(x.clone(), batch.classes, batch.against).double()
            for x in (batch.x, batch.baseline)
        ]
    return scalars[0] - scalars[1], scalars[0].abs() + scalars[1].abs()


def delta(maps: Tensor, gap: Tensor, size: Tensor) -> Tensor:
    """Return by how much maps (N, C, H, W) miss what `difference` gave, as shares of it (N,).

    A miss that is no more than rounding of the scalars is 0, so that the map of an image that is
    its own baseline adds up.
    """
    off = (maps.double().flatten(1).sum(1) - gap).abs()
    return torch.where(off <= _ROUNDING * size, torch.zeros_like(off), off / gap.abs())
