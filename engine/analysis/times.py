"""Reaction times: by condition, by place in the session, and how they go with answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, inf

import numpy as np
import pandas as pd

from engine.statistics.clustered import Clustered, average
from engine.statistics.two_way import LEVEL, mean

PARTS = 5
"""Into how many parts of equal length a session is divided."""


@dataclass(frozen=True)
class CellTime:
    """Reaction times to one question type in one condition and arm, in milliseconds.

    Attributes:
        task, condition, arm: labels.
        typical: the geometric mean, each person's own counting once, with its interval; `error` is
            that of the log.
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
        parts: for each fifth of the session the median time in milliseconds; NaN without one.
        slope: per cent by which the time changes from the first to the last presentation, by the
            mean of people's own trends of the log, with its interval over people: images stand at
            places drawn anew for each. `error` is that of the log.
    """

    task: str
    parts: Sequence[float]
    slope: Clustered


def times(ratings: pd.DataFrame) -> list[CellTime]:
    """Return reaction times of each question type, condition and arm.

    Args:
        ratings: `estimates.counted` rows; those without an answer in time are left out.
    """
    grouped = _timed(ratings).groupby(["task", "condition", "arm"], sort=True, observed=True)
    return [
        CellTime(str(task), str(condition), str(arm), _typical(part), _quartiles(part), len(part))
        for (task, condition, arm), part in grouped
    ]


def courses(ratings: pd.DataFrame) -> list[Course]:
    """Return how reaction times change in a session, by question type.

    A place in the session is that of a presentation among the person's own main ones, in [0, 1].

    Args:
        ratings: `estimates.counted` rows; those without an answer in time are left out.
    """
    placed = _placed(ratings)
    return [
        Course(str(task), _parts(part), _slope(part))
        for task, part in _timed(placed).groupby("task", sort=True, observed=True)
    ]


def _timed(ratings: pd.DataFrame) -> pd.DataFrame:
    late = ratings["timed_out"].to_numpy(dtype=bool, na_value=False)
    took = ratings["rt_ms"].to_numpy(dtype=np.float64, na_value=np.nan)
    return ratings[~late & (took > 0)]


def _typical(part: pd.DataFrame) -> Clustered:
    logs = average(
        np.log(part["rt_ms"].to_numpy(dtype=np.float64)),
        part["participant_id"].to_numpy(dtype=str),
        part["source_image_id"].to_numpy(dtype=str),
    )
    assert logs.value is not None  # a group has a row
    return replace(logs, value=exp(logs.value), low=exp(logs.low), high=_exp(logs.high))


def _exp(log: float) -> float:
    """Return e to the power of a log that may be too large for it."""
    return exp(log) if log < np.log(np.finfo(np.float64).max) else inf


def _quartiles(part: pd.DataFrame) -> tuple[float, float, float]:
    took = part["rt_ms"].to_numpy(dtype=np.float64)
    low, middle, high = np.quantile(took, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _placed(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return the ratings with the place of each in its person's session, in [0, 1]."""
    shown = ratings.groupby("participant_id")["presentation_index"]
    first, last = shown.transform("min"), shown.transform("max")
    length = (last - first).to_numpy(dtype=np.float64)
    since = (ratings["presentation_index"] - first).to_numpy(dtype=np.float64)
    return ratings.assign(
        place=np.divide(since, length, where=length > 0, out=np.zeros(len(since)))
    )


def _parts(part: pd.DataFrame) -> list[float]:
    at = np.minimum((part["place"].to_numpy() * PARTS).astype(int), PARTS - 1)
    took = part["rt_ms"].to_numpy(dtype=np.float64)
    return [
        float(np.median(took[at == n])) if (at == n).any() else float("nan") for n in range(PARTS)
    ]


def _slope(part: pd.DataFrame) -> Clustered:
    """Return the mean of people's least-squares slopes of log times, as per cent."""
    slopes = []
    for _, own in part.groupby("participant_id", sort=True):
        place = own["place"].to_numpy(dtype=np.float64)
        if np.ptp(place) > 0:
            logs = np.log(own["rt_ms"].to_numpy(dtype=np.float64))
            slopes.append(float(np.polyfit(place, logs, 1)[0]))
    people, images = (int(part[key].nunique()) for key in ("participant_id", "source_image_id"))
    found = mean(np.array(slopes).reshape(-1, 1))
    refused = ""
    if len(slopes) < 2:
        who = "nobody has" if not slopes else "one person has"
        refused = f"{who} a trend, which takes two presentations"
    low, high = found.interval(LEVEL)
    return Clustered(
        None if found.value is None else _percent(found.value),
        _percent(low),
        _percent(high),
        found.error,
        found.df,
        float(len(slopes)),
        len(part),
        people,
        images,
        refused,
    )


def _percent(log: float) -> float:
    return 100 * (_exp(log) - 1)
