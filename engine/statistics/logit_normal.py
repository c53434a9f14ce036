"""Shares of yes whose log-odds are normally distributed, as they are over people and images.

Gauss-Hermite quadrature in the form of Crouch and Spiegelman (1990), J. Am. Stat. Assoc. 85, 464.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

FURTHEST = 40.0
"""Log-odds beyond which a share is 0 or 1 to all digits."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(120)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def logistic(log_odds: ArrayLike) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-log_odds)) of any shape, without overflow."""
    values: NDArray[np.float64] = 0.5 * (1 + np.tanh(np.asarray(log_odds, np.float64) / 2))
    return values


def marginal(mean: ArrayLike, sd: ArrayLike) -> NDArray[np.float64]:
    """Return the share of yes where log-odds are normal with `mean` and `sd`.

    Args:
        mean: of the log-odds, of any shape.
        sd: of the log-odds, at least 0; of a shape that fits to `mean`.

    Returns:
        float, of the common shape; right to 1e-8 for sd up to 3.

    Raises:
        ValueError: an sd is negative.
    """
    mean, sd = np.asarray(mean, np.float64), np.asarray(sd, np.float64)
    if (sd < 0).any():
        raise ValueError(f"sd is {sd.min():g}; a standard deviation is at least 0")
    shares: NDArray[np.float64] = logistic(mean[..., None] + sd[..., None] * _NODES) @ _WEIGHTS
    return shares


@lru_cache(maxsize=4096)
def mean_of(share: float, sd: float) -> float:
    """Return the mean of the log-odds at which `marginal(mean, sd)` is `share`.

    Args:
        share: between 0 and 1, both excluded.
        sd: of the log-odds, at least 0.

    Raises:
        ValueError: the share or the sd is out of its range.
    """
    from scipy.optimize import brentq

    if not 0 < share < 1:
        raise ValueError(
            f"share is {share:g}; it must lie between 0 and 1, both excluded, for log-odds"
        )
    if sd == 0:
        return math.log(share / (1 - share))
    return float(brentq(lambda mean: float(marginal(mean, sd)) - share, -FURTHEST, FURTHEST))
