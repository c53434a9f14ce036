"""What each condition and arm gives of an outcome: shares, means, medians, distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from engine.analysis.outcomes import MEASURED, Kind, Outcome
from engine.statistics.clustered import Clustered, average, share
from engine.statistics.influence import Weights

By: TypeAlias = Literal["cell", "condition", "arm"]
"""What estimates are made for: each condition in each arm; or, where it was asked for in so many
words, each condition over all arms, or each arm over all its conditions."""
ALL = "all"
"""Stands for the arms, or the conditions, that were counted together."""
OTHER = "other"
"""Stands for the rarest values of an outcome that has too many to list."""
_LISTED = 50
"""How many values of an outcome are counted each, at most."""
_COUNTED: frozenset[Kind] = frozenset({"binary", "detection", "ordinal", "choice", "preference"})
"""Kinds with few values, of which each is counted."""
_SHARES: frozenset[Kind] = frozenset({"binary", "detection"})
_READ = (
    "task",
    "participant_id",
    "arm",
    "condition",
    "source_image_id",
    "timed_out",
    "excluded",
    "exclusion_rule",
)
"""What is read of ratings beside the outcome: each group is a copy, and columns cost."""
_BY: Mapping[By, tuple[str, ...]] = {
    "cell": ("condition", "arm"),
    "condition": ("condition",),
    "arm": ("arm",),
}

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

    Raises:
        ValueError: `by` is none of these, or the ratings have no column of the outcome.
    """
    if by not in _BY:
        raise ValueError(f"by is one of {', '.join(_BY)}, not {by!r}")
    return [
        _estimate(part, outcome, labels.get("condition", ALL), labels.get("arm", ALL))
        for labels, part in _groups(_rows(ratings, outcome), _BY[by])
    ]


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
    """Return the outcome of each source image in each condition and arm that has an answer."""
    return _items(ratings, outcome, "source_image_id")


def by_person(ratings: pd.DataFrame, outcome: Outcome) -> list[Item]:
    """Return the outcome of each participant in each condition with an answer."""
    return _items(ratings, outcome, "participant_id")


@dataclass(frozen=True)
class Sensitivity:
    """An estimate with and without an exclusion rule.

    Attributes:
        rule: its name; "" as registered (all rules), "none" without any.
        people: who have a rating that it excludes, whether or not other rules do so too; of "" and
            "none", that any rule excludes.
        ratings: how many these are, of the outcome's question.
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

    Returns:
        First as registered (""), then without each of `rules` in their order, then without any
        ("none"); without rules, the first alone.
    """
    rows = _rows(counted(ratings, with_excluded=True), outcome)
    hit = [
        frozenset(str(names).split(";")) if is_out and pd.notna(names) else frozenset()
        for names, is_out in zip(rows["exclusion_rule"], _excluded(rows), strict=True)
    ]
    out = _excluded(rows)

    def without(
        rule: str, left_out: np.ndarray[Any, Any], kept: np.ndarray[Any, Any]
    ) -> Sensitivity:
        people = int(rows["participant_id"][left_out].nunique())
        return Sensitivity(rule, people, int(left_out.sum()), estimates(rows[kept], outcome))

    found = [without("", out, ~out)]
    for rule in rules:
        by_it = np.array([rule in names for names in hit], dtype=bool)
        by_others = np.array([bool(names - {rule}) for names in hit], dtype=bool)
        found.append(without(rule, by_it, ~(out & (by_others | ~by_it))))
    if rules:
        found.append(without("none", out, np.ones(len(rows), dtype=bool)))
    return found


def values(part: pd.DataFrame, outcome: Outcome) -> np.ndarray[Any, Any]:
    """Return the measured outcome of ratings that have one, (N,) floats."""
    return part[outcome.name].to_numpy(dtype=np.float64)


def _rows(ratings: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    """Return the ratings of the outcome's question."""
    if outcome.name not in ratings:
        raise ValueError(f"the ratings have no column {outcome.name!r}: they were not scored")
    read = [name for name in _READ if name in ratings]
    return ratings.loc[ratings["task"] == outcome.task, [*read, outcome.name]]


def _excluded(rows: pd.DataFrame) -> np.ndarray[Any, Any]:
    return rows["excluded"].to_numpy(dtype=bool, na_value=False)


def _groups(
    rows: pd.DataFrame, columns: Sequence[str]
) -> list[tuple[Mapping[str, str], pd.DataFrame]]:
    """Return the rows of each combination of labels that has any, by label."""
    grouped = rows.groupby(list(columns), sort=True, observed=True, dropna=False)
    return [(dict(zip(columns, map(str, labels), strict=True)), part) for labels, part in grouped]


def _estimate(part: pd.DataFrame, outcome: Outcome, condition: str, arm: str) -> CellEstimate:
    known = part[part[outcome.name].notna()]
    timed_out = part["timed_out"].to_numpy(dtype=bool, na_value=False)
    missing = int((timed_out & part[outcome.name].isna().to_numpy()).sum())
    measured = outcome.kind in MEASURED
    return CellEstimate(
        outcome=outcome.name,
        condition=condition,
        arm=arm,
        estimate=_mean(known, outcome, "people") if measured else None,
        by_ratings=_mean(known, outcome, "ratings") if measured else None,
        quartiles=_quartiles(known, outcome),
        counts=_counts(known, outcome),
        answered=len(known),
        missing=missing,
        undefined=len(part) - len(known) - missing,
    )


def _mean(known: pd.DataFrame, outcome: Outcome, weights: Weights) -> Clustered:
    of = share if outcome.kind in _SHARES else average
    return of(
        values(known, outcome),
        known["participant_id"].to_numpy(dtype=str),
        known["source_image_id"].to_numpy(dtype=str),
        weights=weights,
    )


def _quartiles(known: pd.DataFrame, outcome: Outcome) -> tuple[float, float, float] | None:
    if outcome.kind not in ("ordinal", "continuous") or known.empty:
        return None
    low, middle, high = np.quantile(values(known, outcome), [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _counts(known: pd.DataFrame, outcome: Outcome) -> dict[str, int]:
    """Count each value: of a scale in ascending order, else the most frequent first."""
    if outcome.kind not in _COUNTED:
        return {}
    given = known[outcome.name].value_counts()
    counts = [(value, int(count)) for value, count in given.items()]
    if outcome.kind == "ordinal":
        counts.sort()
    elif outcome.kind in _SHARES:
        return {name: dict(counts).get(value, 0) for name, value in (("yes", True), ("no", False))}
    else:
        counts.sort(key=lambda each: (-each[1], str(each[0])))
    if len(counts) <= _LISTED:
        return {str(value): count for value, count in counts}
    kept = set(sorted(range(len(counts)), key=lambda at: (-counts[at][1], at))[:_LISTED])
    listed = {str(value): count for at, (value, count) in enumerate(counts) if at in kept}
    rest = sum(count for at, (_, count) in enumerate(counts) if at not in kept)
    return {**listed, OTHER: rest}


def _items(ratings: pd.DataFrame, outcome: Outcome, key: str) -> list[Item]:
    rows = _rows(ratings, outcome)
    known = rows[rows[outcome.name].notna()]
    return [
        Item(
            key=labels[key],
            condition=labels["condition"],
            arm=labels["arm"],
            value=float(values(part, outcome).mean()) if outcome.kind in MEASURED else None,
            answered=len(part),
            counts=_counts(part, outcome),
        )
        for labels, part in _groups(known, ("condition", "arm", key))
    ]
