"""How an input gradient looks: smooth or noise, on the image's edges or anywhere.

Ross & Doshi-Velez (2018) show it in pictures; these two numbers say the same of every image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smoothness(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each map's spatial autocorrelation (N,): near 0 for white noise, towards 1 if smooth.

    Moran's I (1950) with the four neighbours of a pixel as weights, over the sum of the map's
    channels (N, C, H, W). NaN for a constant map, which has none (a masked model's is all zero).
    """
    flat = maps.astype(np.float64).sum(1)
    largest = np.abs(flat).max((1, 2), keepdims=True)
    centred: NDArray[np.float64] = flat / np.where(largest > 0, largest, 1)
    centred = centred - centred.mean((1, 2), keepdims=True)
    beside = centred[:, :, 1:] * centred[:, :, :-1]
    below = centred[:, 1:] * centred[:, :-1]
    pairs = beside[0].size + below[0].size
    together = (beside.sum((1, 2)) + below.sum((1, 2))) / pairs
    variance: NDArray[np.float64] = np.square(centred).mean((1, 2))
    return _quotient(together, variance, variance > _SMALLEST)


def edge_alignment(maps: NDArray[np.floating], images: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return Spearman's correlation (N,) of |map| with the strength of the image's edges.

    Both (N, C, H, W). Of the map the sum of the channels counts; the edges are the length of the
    central differences of the channels' mean. It says whether a gradient follows the strokes.
    NaN where the map or the image is constant.
    """
    from scipy.stats import rankdata

    size = np.abs(maps.astype(np.float64).sum(1)).reshape(len(maps), -1)
    down, right = np.gradient(images.astype(np.float64).mean(1), axis=(1, 2))
    edges = np.hypot(down, right).reshape(len(images), -1)
    first, second = (rankdata(part, axis=1) for part in (size, edges))
    first = first - first.mean(1, keepdims=True)
    second = second - second.mean(1, keepdims=True)
    length = np.sqrt(np.square(first).sum(1) * np.square(second).sum(1))
    return _quotient((first * second).sum(1), length, length > 0)


def _quotient(
    above: NDArray[np.float64], below: NDArray[np.float64], where: NDArray[np.bool_]
) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.full(len(above), np.nan)
    np.divide(above, below, out=found, where=where)
    return found


_SMALLEST = 1e-24
"""Variance below which a map, scaled to 1, is constant but for rounding."""
