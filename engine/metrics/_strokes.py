"""Where the strokes of an image are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.metrics._given import Given
from engine.metrics._measured import Why

_LEVELS = 256


def strokes(given: Given) -> NDArray[np.bool_]:
    """Return where the strokes of each image are (N, H, W): the mask where one is given.

    Else what they are found to be (`found_strokes`).
    """
    return found_strokes(given.images) if given.mask is None else given.mask


def found_strokes(images: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return where the strokes of images (N, C, H, W) in [0, 1] are, (N, H, W).

    What Otsu's threshold (1979) of the channels' mean, in 256 levels, tells from the ground: the
    smaller of the two parts, dark or light. None in an image of one colour.
    """
    return np.stack([_smaller_part(image) for image in images.astype(np.float64).mean(1)])


def nowhere(given: Given, on: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Why]:
    """Return which images (N,) have no `strokes`, and why not."""
    none: NDArray[np.bool_] = np.logical_not(on.any(axis=(1, 2)))
    return none, "plain_image" if given.mask is None else "no_mask"


def _smaller_part(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    levels = np.clip(np.rint(image * (_LEVELS - 1)), 0, _LEVELS - 1).astype(np.int64)
    if levels.min() == levels.max():
        return np.zeros(image.shape, bool)
    counts = np.bincount(levels.ravel(), minlength=_LEVELS).astype(np.float64)
    dark, sums = counts.cumsum(), (counts * np.arange(_LEVELS)).cumsum()
    light = dark[-1] - dark
    both = (dark > 0) & (light > 0)
    between = np.zeros(_LEVELS)
    gap = sums[both] / dark[both] - (sums[-1] - sums[both]) / light[both]
    between[both] = dark[both] * light[both] * np.square(gap)
    above = levels > int(between.argmax())
    return above if 2 * above.sum() <= above.size else ~above
