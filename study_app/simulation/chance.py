"""Numbers drawn by name: the same name always gives the same number, whatever else is drawn."""

from __future__ import annotations

from statistics import NormalDist

from engine import seeds

_STANDARD = NormalDist()


def uniform(seed: int, *path: str | int) -> float:
    """Return a number between 0 and 1, neither of them."""
    return (seeds.derive(seed, *path) + 0.5) / 2**63


def normal(seed: int, *path: str | int) -> float:
    """Return a number of the standard normal distribution."""
    # The last bits of a float may make 1 of what is below it.
    return _STANDARD.inv_cdf(min(uniform(seed, *path), 1 - 2**-53))
