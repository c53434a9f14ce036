"""Bumps: the shapes that the square attack disturbs an image with in L2."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_GRID = 5
"""How many bumps there are along a side of the first grid, or as many as fit."""


@lru_cache(maxsize=64)
def bump(side: int) -> Tensor:
    """Return a square (side, side) of norm 1: a hill in its upper half, a valley in its lower.

    Andriushchenko et al. (2020), equation 2: hill and valley are sums of ever larger rectangles
    around their centres, the one of radius M weighted by 1 / M^2.
    """
    upper = side // 2
    whole = torch.cat([_hill(upper, side), -_hill(side - upper, side)])
    found: Tensor = whole / whole.norm()
    return found


def _hill(height: int, width: int) -> Tensor:
    hill = torch.zeros(height, width)
    down, right = height // 2, width // 2
    for radius in range(max(height, width) // 2 + 1):
        rows = slice(max(down - radius, 0), down + radius + 1)
        columns = slice(max(right - radius, 0), right + radius + 1)
        hill[rows, columns] += 1 / (radius + 1) ** 2
    found: Tensor = hill / hill.norm().clamp_min(torch.finfo(hill.dtype).tiny)
    return found


def signs_of_grid(shape: torch.Size) -> tuple[int, int, int]:
    """Return the side of the first grid's bumps, and how many there are down and across."""
    side = max(1, min(shape[-2:]) // _GRID)
    return side, shape[-2] // side, shape[-1] // side


def grid(signs: Tensor, shape: torch.Size) -> Tensor:
    """Return images (N, C, H, W) of bumps side by side, centred, with these signs.

    Args:
        signs: -1 or 1, (N, C, down, across); see `signs_of_grid`.
        shape: (C, H, W).
    """
    side, down, across = signs_of_grid(shape)
    tiles = signs.repeat_interleave(side, 2).repeat_interleave(side, 3)
    tiles = tiles * bump(side).to(signs).repeat(down, across)
    above, left = (shape[-2] - side * down) // 2, (shape[-1] - side * across) // 2
    found = signs.new_zeros(len(signs), *shape)
    found[..., above : above + side * down, left : left + side * across] = tiles
    return found
