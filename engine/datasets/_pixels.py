"""Operations on whole-number images; exact, so that synthetic data are equal everywhere."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.datasets._draws import Integers

BLUR = 128**2
"""What `blur` multiplies a constant image by."""


def blur(images: Integers, side: Integers, edge: Literal["zero", "repeat"]) -> Integers:
    """Blur (N, ..., H, W) with (side, 128 - 2 side, side) along both axes; scaled by BLUR.

    Args:
        images: whole numbers.
        side: (N,) 0..42; 32 is the binomial 1-2-1.
        edge: what lies beyond the border: nothing, or its repetition.
    """
    weight = side.astype(images.dtype).reshape(-1, *[1] * (images.ndim - 1))
    for axis in (-2, -1):
        around = [(0, 0)] * images.ndim
        around[axis] = (1, 1)
        padded = np.pad(images, around, mode="edge" if edge == "repeat" else "constant")
        length = images.shape[axis]
        before = padded.take(range(length), axis)
        after = padded.take(range(2, length + 2), axis)
        images = weight * (before + after) + (128 - 2 * weight) * images
    return images


def divide(values: Integers, by: int) -> NDArray[np.uint8]:
    """Return values / by as pixels, rounded half up and clipped to 0..255."""
    return np.clip((2 * values + by) // (2 * by), 0, 255).astype(np.uint8)
