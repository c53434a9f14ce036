"""What several kinds measure alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine import rendering
from engine.datasets import Split, evenly, spread
from engine.jobs import _subset

MEASURED = 1000
"""Images of a split that measures are taken on, evenly spaced, when there are more and the file
says nothing else."""


def measured(split: Split, images: int | None) -> Split:
    """Return the images of a split that measures are taken on; `images` is what the file says."""
    if images is None:
        return evenly(split, MEASURED)
    return _subset.some(split, spread(split.labels, images))


def norms(
    pixels: NDArray[np.uint8], clean: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    """Return the size of a change of 8-bit images (N, C, H, W), each (N,).

    `linf` and `l2` in units of the pixel range; `l0`: how many pixels differ in any channel.
    """
    difference = pixels.astype(np.int64) - clean.astype(np.int64)
    flat = difference.reshape(len(difference), -1)
    return {
        "linf": np.abs(flat).max(1) / 255,
        "l2": np.sqrt(np.square(flat).sum(1)) / 255,
        "l0": (difference != 0).any(1).reshape(len(difference), -1).sum(1),
    }


def rounded(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images in [0, 1] as their 8-bit pixels are."""
    return rendering.to_images(rendering.to_pixels(images))
