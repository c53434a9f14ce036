"""Mixed models of yes and no with crossed random effects, by Laplace's approximation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MixedTest:
    """A difference of two groups of binary ratings by a mixed model, tested by likelihood ratio.

    Attributes:
        odds_ratio: of the first group to the other; None where it could not be fitted.
        low, high: its 95 % interval, from the profile of the likelihood.
        log_odds, error: the fixed effect and its standard error (not used for the test).
        p: of the likelihood ratio, two-sided.
        deviations: standard deviation of each random effect, by name: person, image, and slopes.
        singular: a random effect has no variance: the model is richer than the data show.
        refused: why there is no model, as a sentence; "".
    """

    odds_ratio: float | None
    low: float
    high: float
    log_odds: float
    error: float
    p: float
    deviations: dict[str, float]
    singular: bool
    refused: str = ""
