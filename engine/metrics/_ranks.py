"""Spearman's rank correlation of many pairs at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.metrics._measured import Measured, Why


def spearman(
    one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]], why: Why
) -> Measured:
    """Return the correlation (N,) of the ranks of two arrays (N, P); ties share their mean rank.

    Args:
        one: no row is constant.
        other: of the same shape.
        why: the reason where a row of `other` is constant.
    """
    from scipy.stats import rankdata

    first, second = (rankdata(part, axis=1) for part in (one, other))
    first = first - first.mean(1, keepdims=True)
    second = second - second.mean(1, keepdims=True)
    length = np.sqrt(np.square(first).sum(1) * np.square(second).sum(1))
    found: NDArray[np.float64] = np.full(len(length), np.nan)
    np.divide((first * second).sum(1), length, out=found, where=length > 0)
    return Measured.because(found, (length == 0, why))
