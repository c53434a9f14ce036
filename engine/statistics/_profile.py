"""The profile of a likelihood: the interval of the values that a ratio test does not reject."""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, inf, sqrt

_NEAR = 0.003
"""How far from the critical deviance an end may be: 1e-5 in the coverage."""
_TRIES = 12


def profile_interval(
    rise: Callable[[float], float], centre: float, error: float, critical: float, furthest: float
) -> tuple[float, float]:
    """Return both ends where the deviance is `critical` above its least.

    Args:
        rise: how far the deviance is above its least where the parameter is held.
        centre: the estimate, where the deviance is least.
        error: about its standard error: where to look first.
        critical: the quantile of chi-square.
        furthest: an end beyond this distance from 0 is infinite.
    """
    low, high = (_end(rise, centre, side * error, critical, furthest) for side in (-1, 1))
    return low, high


def _end(
    rise: Callable[[float], float], centre: float, error: float, critical: float, furthest: float
) -> float:
    """Return one end, by secants on the square root of the rise, which is nearly a line."""
    inner, inner_root = centre, 0.0
    outer, outer_root = inf, inf
    aim = sqrt(critical)
    at = centre + error * aim
    for _ in range(_TRIES):
        if abs(at) > furthest:
            return copysign(inf, error)
        above = rise(at)
        if abs(above - critical) < _NEAR:
            return at
        root = sqrt(max(above, 0.0))
        if root < aim:
            inner, inner_root = at, root
        else:
            outer, outer_root = at, root
        if outer == inf:
            grown = (aim - inner_root) / max(inner_root, 0.1) * abs(inner - centre)
            at = inner + copysign(min(1.1 * grown, 3 * abs(error)), error)
        else:
            at = inner + (outer - inner) * (aim - inner_root) / (outer_root - inner_root)
    return at
