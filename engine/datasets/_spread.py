"""Some images of a split: spread over its classes, and fewer of them always among the more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread(labels: NDArray[np.int64], count: int | None) -> NDArray[np.int64]:
    """Return the places (M,) of `count` images, ascending, or of all when there are not more.

    As many of each class as its share, at least one while `count` allows it, evenly over the
    class's own images. They are the first of one fixed order, so that 40 images are among 100:
    what was measured on both can be compared image by image.

    Args:
        labels: of all images (N,).
        count: how many; None means all.
    """
    if count is None or count >= len(labels):
        return np.arange(len(labels))
    place, turn = np.empty(len(labels), np.int64), np.empty(len(labels))
    start = 0
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        end = start + len(own)
        place[start:end] = own[_far_apart(len(own))]
        # Sainte-Lague: with every prefix each class has its share; the first of each comes first.
        turn[start:end] = (np.arange(len(own)) + 0.5) / len(own)
        turn[start] = -1
        start = end
    return np.sort(place[np.argsort(turn, kind="stable")[:count]])


def _far_apart(count: int) -> NDArray[np.int64]:
    """Return 0 to count - 1 in the order of their reversed bits: each beginning is even."""
    bits = max(1, (count - 1).bit_length())
    numbers = np.arange(count)
    reverse = sum(((numbers >> bit) & 1) << (bits - 1 - bit) for bit in range(bits))
    return np.argsort(reverse, kind="stable")
