"""Do people agree with each other, and with models?"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from engine import seeds
from engine.analysis.outcomes import Kind, Outcome
from engine.statistics import reliability
from engine.statistics.reliability import Floats, Integers, Level

LEVELS: dict[Kind, Level] = {
    "binary": "nominal",
    "detection": "nominal",
    "choice": "nominal",
    "ordinal": "ordinal",
    "continuous": "interval",
}
"""The level of measurement of each kind whose agreement is defined."""
LEAST = 4
"""Ratings of a stimulus, in the mean: two in each half of the people. With less, the ceiling is too
low and its interval covers it too rarely."""
FEW = 6
"""Below so many people or stimuli, their number limits what is said."""

_Valued: TypeAlias = tuple[float | None, float, float]


@dataclass(frozen=True)
class Agreement:
    """How far people agree on what they rate.

    Attributes:
        outcome, arm: which.
        alpha: Krippendorff's, with `low`, `high`; 1 agreement, 0 chance.
        level: of measurement: nominal, ordinal or interval.
        ceiling: the noise ceiling: correlation of the mean ratings of units by two halves of the
            people, corrected for the length of a half (Spearman and Brown), with its interval.
        units, people: stimuli rated by at least two, and those who rated them.
        note: why there is none, or what limits it; "".
    """

    outcome: str
    arm: str
    alpha: float | None
    low: float
    high: float
    level: str
    ceiling: float | None
    ceiling_low: float
    ceiling_high: float
    units: int
    people: int
    note: str = ""


def agreement(ratings: pd.DataFrame, outcome: Outcome, *, seed: int = 0) -> list[Agreement]:
    """Return how far people agree on each stimulus, by arm. Units are `stimulus_id`.

    A rating that is missing is no disagreement: alpha compares the ratings that there are. Of what
    a person rated several times the first rating counts.

    Args:
        ratings: `estimates.counted` rows with the outcome's column.
        outcome: its kind decides the level of measurement; kinds without one have no agreement.
        seed: decides into which halves people are split.
    """
    if outcome.kind not in LEVELS:
        return []
    given = ratings.dropna(subset=[outcome.name, "stimulus_id"])
    given = given.drop_duplicates(["arm", "participant_id", "stimulus_id"])
    return [
        _of_arm(str(arm), part, outcome, seed) for arm, part in given.groupby("arm", dropna=False)
    ]


def _of_arm(arm: str, part: pd.DataFrame, outcome: Outcome, seed: int) -> Agreement:
    part = part[part.groupby("stimulus_id")["stimulus_id"].transform("size") > 1]
    unit, person, image = (
        _codes(part[name if name in part else "stimulus_id"])
        for name in ("stimulus_id", "participant_id", "source_image_id")
    )
    units, people = part["stimulus_id"].nunique(), part["participant_id"].nunique()
    level = LEVELS[outcome.kind]
    given = part[outcome.name]
    alpha: _Valued = (None, -inf, inf)
    ceiling: _Valued = (None, -inf, inf)
    notes = [_refusal(given)]
    if not notes[0]:
        values = (
            _codes(given).astype(np.float64)
            if outcome.kind == "choice"
            else given.to_numpy(dtype=np.float64)
        )
        known = reliability.alpha(values, person, unit, image, level)
        alpha = known
        notes += _limits(known[0], len(np.unique(image)), people)
        if outcome.kind == "choice":
            notes.append("Classes have no mean, and with it no noise ceiling.")
        elif len(part) < LEAST * units:
            notes.append(f"A noise ceiling needs {LEAST} ratings of a stimulus.")
        else:
            of_seed = seeds.derive(seed, "agreement", outcome.name, arm)
            noise = reliability.noise_ceiling(values, person, unit, image, seed=of_seed)
            if noise is None:
                notes.append("Too few answers differ from the most common one for a noise ceiling.")
            ceiling = noise or ceiling
    note = " ".join(filter(None, notes))
    return Agreement(outcome.name, arm, *alpha, level, *ceiling, units, people, note)


def _codes(column: pd.Series[Any]) -> Integers:
    return np.asarray(pd.factorize(column)[0], dtype=np.int64)


def _refusal(given: pd.Series[Any]) -> str:
    if not len(given):
        return "No stimulus was rated by two people."
    if given.nunique() == 1:
        return "Everybody gave the same answer: there is no disagreement by chance to compare with."
    return ""


def _limits(alpha: float, images: int, people: int) -> list[str]:
    if alpha == 1:
        return ["Nobody disagreed: nothing is left from which an interval could be told."]
    if images == 1:
        return ["One image: says nothing of others."]
    few = [
        f"{count} {what}" for count, what in ((people, "people"), (images, "images")) if count < FEW
    ]
    return [f"Only {' and '.join(few)}."] if few else []


@dataclass(frozen=True)
class Consistency:
    """Do two deciders err on the same images (Geirhos, Meding & Wichmann 2020)?

    Attributes:
        first: "people"; second: "people", or the key of a model.
        conditions: labels of the conditions that count, joined by " + ".
        observed: share of decisions in which both are right or both wrong.
        expected: the same by chance, from their accuracies in each condition and arm.
        kappa: (observed - expected) / (1 - expected) with `low`, `high`; None at a ceiling.
        accuracies: of both.
        pairs: decisions that were compared.
        note: why there is none, or what limits it; "".
    """

    first: str
    second: str
    conditions: str
    observed: float | None
    expected: float | None
    kappa: float | None
    low: float
    high: float
    accuracies: tuple[float, float]
    pairs: int
    note: str = ""


def error_consistency(ratings: pd.DataFrame, outcome: str = "chose_true") -> list[Consistency]:
    """Return how alike people's errors are to those of models, and of each other.

    A model counts on stimuli only that were not selected by its own answer: clean images and
    controls. On its mistakes it is wrong by selection. People are compared with each other on the
    same stimuli, which is what a model can be measured by, and on all.

    Chance is taken within each condition and arm: that both err more where it is hard is no
    consistency. The interval is of other people and other images.

    Args:
        ratings: `estimates.counted` rows with `outcome`, `model_id`, `model_pred`, `true_label`,
            `stimulus_id`, `stimulus_kind` and `selected_by_answer`.
        outcome: whether a person's answer is the true label.
    """
    given = ratings.dropna(subset=[outcome, "stimulus_id"])
    free = given[given["selected_by_answer"].eq(False).fillna(False).astype(bool)]
    with_model = free.dropna(subset=["model_id", "model_pred", "true_label"])
    found = [
        _with_model(str(model), part, outcome)
        for model, part in with_model.groupby("model_id", sort=True)
    ]
    tables = (given,) if len(free) == len(given) else (free, given)
    return [*found, *(_with_people(part, outcome) for part in tables if len(part))]


@dataclass(frozen=True)
class _Pairs:
    """What the pairs of decisions of each rating add up to.

    Attributes:
        sums: (N, 4), of each rating's pairs: their number, how many agree, and how often the first
            and the second decider is right.
        moved: (N, 4), by how much a rating's weight moves the sums over all.
        each: how many ratings of a stimulus are pairs of each other; 2 of a person and a model.
        count: of pairs.
    """

    sums: Floats
    moved: Floats
    each: float
    count: int


def _with_model(model: str, part: pd.DataFrame, outcome: str) -> Consistency:
    """Compare each answer with the model's on the same stimulus."""
    own = part[outcome].to_numpy(dtype=np.float64)
    its = (part["model_pred"] == part["true_label"]).to_numpy(dtype=np.float64, na_value=0.0)
    sums = np.stack([np.ones(len(own)), own == its, own, its], axis=1)
    return _judged(model, part, _Pairs(sums, sums, 2.0, len(part)))


def _with_people(part: pd.DataFrame, outcome: str) -> Consistency:
    """Compare the answers of every two people who saw the same stimulus in the same arm."""
    part = part.drop_duplicates(["participant_id", "stimulus_id"])
    right = part[outcome].to_numpy(dtype=np.float64)
    strata = _strata(part)
    unit = _codes(
        pd.Series(_codes(part["stimulus_id"]) * (int(strata.max(initial=0)) + 1) + strata)
    )
    each, correct = np.bincount(unit)[unit], np.bincount(unit, right)[unit]
    others = each - 1.0
    agreeing = np.where(right == 1, correct, each - correct) - 1
    sums = np.stack([others, agreeing, others * right, others * right], axis=1)
    mixed = others * right + correct - right
    moved = np.stack([2 * others, 2 * agreeing, mixed, mixed], axis=1)
    return _judged("people", part, _Pairs(sums, moved, float(each.mean()), int(others.sum()) // 2))


def _strata(part: pd.DataFrame) -> Integers:
    """Return codes of condition and arm together, (N,)."""
    arm = _codes(part["arm"])
    return _codes(pd.Series(_codes(part["condition"]) * (int(arm.max(initial=0)) + 1) + arm))


def _judged(second: str, part: pd.DataFrame, pairs: _Pairs) -> Consistency:
    """Return kappa, or why there is none."""
    conditions = " + ".join(sorted(part["condition"].astype(str).unique()))
    stratum, person = _strata(part), _codes(part["participant_id"])
    image = _codes(part["source_image_id" if "source_image_id" in part else "stimulus_id"])
    totals = _totals(pairs.sums, stratum)
    if not totals[:, 0].any():
        said, nothing = "No stimulus was answered by two people.", (np.nan, np.nan)
        return Consistency(
            "people", second, conditions, None, None, None, -inf, inf, nothing, 0, said
        )
    observed, expected, accuracies, free = _shares(totals)
    notes = ["All arms together."] if part["arm"].nunique() > 1 else []
    kappa: float | None = None
    low, high = -inf, inf
    if not free:
        notes.append("One of both made no errors, or errors only: consistency is not defined.")
    else:
        kappa = (observed - expected) / (1 - expected)
        cells = _kappa_influence(totals, pairs.moved, stratum)
        low, high = _kappa_interval(pairs, stratum, person, image, cells)
        notes += _limits(np.nan, int(image.max()) + 1, int(person.max()) + 1)
    return Consistency(
        "people",
        second,
        conditions,
        observed,
        expected,
        kappa,
        low,
        high,
        accuracies,
        pairs.count,
        " ".join(notes),
    )


def _totals(sums: Floats, stratum: Integers) -> Floats:
    """Return the sums of each stratum, (strata, 4)."""
    return np.stack([np.bincount(stratum, column) for column in sums.T], axis=1)


def _shares(totals: Floats) -> tuple[float, float, tuple[float, float], bool]:
    """Return agreement observed and by chance, both accuracies, and whether both ever err."""
    weight = totals[:, 0] / totals[:, 0].sum()
    _, agree, first, second = (totals / np.maximum(totals[:, :1], 1e-300)).T
    chance = first * second + (1 - first) * (1 - second)
    both_vary = weight * first * (1 - first) * second * (1 - second) > 0
    accuracies = (float(weight @ first), float(weight @ second))
    return float(weight @ agree), float(weight @ chance), accuracies, bool(both_vary.any())


def _kappa_influence(totals: Floats, moved: Floats, stratum: Integers) -> Floats:
    """Return by how much each rating's weight moves kappa, (N,)."""
    observed, expected, _, _ = _shares(totals)
    whole = totals[:, 0].sum()
    at = (totals / np.maximum(totals[:, :1], 1e-300))[stratum]
    chance = at[:, 2] * at[:, 3] + (1 - at[:, 2]) * (1 - at[:, 3])
    away = (moved - moved[:, :1] * at) / whole
    to_chance = (2 * at[:, 3] - 1) * away[:, 2] + (2 * at[:, 2] - 1) * away[:, 3]
    to_chance += moved[:, 0] * (chance - expected) / whole
    to_observed = (moved[:, 1] - moved[:, 0] * observed) / whole
    found: Floats = to_observed / (1 - expected) - to_chance * (1 - observed) / (1 - expected) ** 2
    return found


def _kappa_interval(
    pairs: _Pairs, stratum: Integers, person: Integers, image: Integers, cells: Floats
) -> tuple[float, float]:
    """Return the interval of kappa, of other people and other images.

    Each image is left out once; see `reliability.jackknifed`.
    """
    count = int(image.max()) + 1
    strata = int(stratum.max()) + 1
    by_image = _totals(pairs.sums, image * strata + stratum)
    by_image = np.pad(by_image, ((0, count * strata - len(by_image)), (0, 0)))
    by_image = by_image.reshape(count, strata, 4)
    totals = by_image.sum(0)
    observed, expected, _, _ = _shares(totals)
    left_out = np.array(
        [
            (of_others[0] - of_others[1]) / (1 - of_others[1])
            for of_others in (_shares(totals - own) for own in by_image)
            if of_others[3]
        ]
    )
    kappa = (observed - expected) / (1 - expected)
    return reliability.jackknifed(kappa, left_out, cells, person, pairs.each)
