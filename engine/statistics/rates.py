"""Binomial shares with their intervals."""

from __future__ import annotations


def wilson(successes: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval (1927) of a binomial share; (0, 1) for count 0."""
    if count == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest

    found = binomtest(successes, count).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
