"""Detection theory: sensitivity and criterion of people who say yes or no, or choose of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from engine.analysis.outcomes import Outcome


@dataclass(frozen=True)
class Detection:
    """How well yes tells one kind of pictures from the other.

    Attributes:
        outcome: its name.
        signal, noise: labels of the conditions, joined by " + ".
        arm: label.
        hits, false_alarms: shares of yes, by mean of people.
        sensitivity: d' with `low`, `high`: of the typical person and image, by a crossed probit
            model (a pooled d' is too small where people's criteria differ).
        criterion: c with `criterion_low`, `criterion_high`; positive: inclined to no.
        people: d' and c of each person with at least 8 trials a side, log-linear correction.
        note: why there is no value, or what limits it; "".
    """

    outcome: str
    signal: str
    noise: str
    arm: str
    hits: float | None
    false_alarms: float | None
    sensitivity: float | None
    low: float
    high: float
    criterion: float | None
    criterion_low: float
    criterion_high: float
    people: Sequence[tuple[str, float, float]]
    note: str = ""


def detections(
    ratings: pd.DataFrame, outcome: Outcome, noise: Sequence[str] = ()
) -> list[Detection]:
    """Return d' and c of each condition against the noise, by arm.

    Args:
        ratings: `estimates.counted` rows with the outcome's column, and of a detection that of its
            signal.
        outcome: a detection, or a binary outcome.
        noise: of a binary outcome: labels of the conditions in which yes is a false alarm (clean
            pictures, noise controls).
    """
    raise NotImplementedError
