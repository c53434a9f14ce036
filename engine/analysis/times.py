"""Reaction times: by condition, by place in the session, and how they go with answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from engine.statistics.clustered import Clustered


@dataclass(frozen=True)
class CellTime:
    """Reaction times to one question type in one condition and arm, in milliseconds.

    Attributes:
        task, condition, arm: labels.
        typical: the geometric mean over people with its interval.
        quartiles: over ratings.
        answered: ratings with a time.
    """

    task: str
    condition: str
    arm: str
    typical: Clustered
    quartiles: tuple[float, float, float]
    answered: int


@dataclass(frozen=True)
class Course:
    """How times and answers change in a session.

    Attributes:
        task: the question type.
        parts: for each fifth of the session the median time in milliseconds.
        slope: per cent by which the time changes from the first to the last presentation, by the
            mean of people's own trends, with its interval (ratings counted as log times).
    """

    task: str
    parts: Sequence[float]
    slope: Clustered


def times(ratings: pd.DataFrame) -> list[CellTime]:
    """Return reaction times of each question type, condition and arm."""
    raise NotImplementedError


def courses(ratings: pd.DataFrame) -> list[Course]:
    """Return how reaction times change in a session, by question type."""
    raise NotImplementedError
