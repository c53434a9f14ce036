"""What each condition and arm gives of an outcome: shares, means, medians, distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pandas as pd

from engine.analysis.outcomes import Outcome
from engine.statistics.clustered import Clustered

By: TypeAlias = Literal["cell", "condition", "arm"]
"""What estimates are made for: each condition in each arm; or, where it was asked for in so many
words, each condition over all arms, or each arm over all its conditions."""
ALL = "all"
"""Stands for the arms, or the conditions, that were counted together."""

COLUMNS = (
    "participant_id",
    "arm",
    "list_index",
    "condition",
    "source_image_id",
    "presentation_id",
    "presentation_index",
    "trial_index",
    "trial_type",
    "task",
    "timed_out",
    "rt_ms",
    "excluded",
    "exclusion_rule",
)
"""The columns of the export's ratings that analysis reads, beside those of the outcomes."""


@dataclass(frozen=True)
class CellEstimate:
    """An outcome in one condition and arm.

    Attributes:
        outcome: its name.
        condition, arm: labels; `ALL` where they were counted together.
        estimate: the mean or share, each person counting equally; None for a kind without one.
        by_ratings: the same with each rating counting equally.
        quartiles: of a measured outcome that is no share: 25, 50 and 75 %.
        counts: how often each value was given: of a scale, a choice, a binary outcome; the rarest
            of more than 50 are joined under "other".
        answered: ratings with a value.
        missing: ratings of the outcome's question without one, that had no answer in time.
        undefined: ratings of the outcome's question to which it does not apply.
    """

    outcome: str
    condition: str
    arm: str
    estimate: Clustered | None
    by_ratings: Clustered | None
    quartiles: tuple[float, float, float] | None
    counts: Mapping[str, int] = field(default_factory=dict)
    answered: int = 0
    missing: int = 0
    undefined: int = 0


def counted(ratings: pd.DataFrame, *, with_excluded: bool = False) -> pd.DataFrame:
    """Return the ratings that estimates rest on: of main trials, not excluded."""
    main = ratings[ratings["trial_type"] == "main"]
    return main if with_excluded else main[~main["excluded"].astype(bool)]


def estimates(ratings: pd.DataFrame, outcome: Outcome, *, by: By = "cell") -> list[CellEstimate]:
    """Return the outcome of each condition and arm that has a rating of its question.

    Args:
        ratings: `counted` rows of the export's ratings, with the outcome's column; versions and
            stages are the caller's to keep apart.
        outcome: what is estimated.
        by: see `By`.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class Item:
    """What one image, or one person, gives of an outcome.

    Attributes:
        key: the source image's or the participant's id.
        condition, arm: labels.
        value: the mean; of kinds without one None.
        answered: ratings.
        counts: how often each value was given, of kinds with few values.
    """

    key: str
    condition: str
    arm: str
    value: float | None
    answered: int
    counts: Mapping[str, int] = field(default_factory=dict)


def by_image(ratings: pd.DataFrame, outcome: Outcome) -> list[Item]:
    """Return the outcome of each source image in each condition and arm."""
    raise NotImplementedError


def by_person(ratings: pd.DataFrame, outcome: Outcome) -> list[Item]:
    """Return the outcome of each participant in each condition."""
    raise NotImplementedError


@dataclass(frozen=True)
class Sensitivity:
    """An estimate with and without an exclusion rule.

    Attributes:
        rule: its name; "" as registered (all rules), "none" without any.
        people, ratings: that it excludes, where the others do not matter.
        estimates: of every cell, when this rule alone is not applied.
    """

    rule: str
    people: int
    ratings: int
    estimates: Sequence[CellEstimate]


def sensitivity(ratings: pd.DataFrame, outcome: Outcome, rules: Sequence[str]) -> list[Sensitivity]:
    """Return estimates as registered, without each rule, and without any.

    Args:
        ratings: all main trials, excluded ones too.
        outcome: what is estimated.
        rules: names of the study's rules.
    """
    raise NotImplementedError
