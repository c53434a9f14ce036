"""Do people agree with each other on what they rate?"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from engine import seeds
from engine.analysis.outcomes import Kind, Outcome
from engine.statistics import reliability
from engine.statistics.linearised import two_way_error
from engine.statistics.reliability import Floats, Integers, Level
from engine.statistics.two_way import Estimate

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
    alpha = ceiling = (None, -inf, inf)
    notes = [_refusal(given)]
    if not notes[0]:
        values = (
            _codes(given).astype(np.float64)
            if outcome.kind == "choice"
            else given.to_numpy(dtype=np.float64)
        )
        alpha = reliability.alpha(values, person, unit, image, level)
        notes += _limits(alpha[0], len(np.unique(image)), people)
        if outcome.kind == "choice":
            notes.append("Classes have no mean, and with it no noise ceiling.")
        elif len(part) < LEAST * units:
            notes.append(f"A noise ceiling needs {LEAST} ratings of a stimulus.")
        else:
            of_seed = seeds.derive(seed, "agreement", outcome.name, arm)
            known = reliability.noise_ceiling(values, person, unit, image, seed=of_seed)
            if known is None:
                notes.append("Means of halves of the people do not differ: no noise ceiling.")
            ceiling = known or ceiling
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
    consistency. The interval is of other people and other images: of the two-way error by the
    influence of each rating, with Student's t.

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
    found += [_with_people(part, outcome) for part in (free, given) if len(part)]
    return found[:-1] if 0 < len(free) == len(given) else found


def _with_model(model: str, part: pd.DataFrame, outcome: str) -> Consistency:
    """Compare each answer with the model's on the same stimulus."""
    own = part[outcome].to_numpy(dtype=np.float64)
    its = (part["model_pred"] == part["true_label"]).to_numpy(dtype=np.float64, na_value=0.0)
    # Each is one pair: its weight, what it adds to agreement, to both accuracies.
    sums = np.stack([np.ones(len(own)), own == its, own, its], axis=1)
    return _judged(model, part, sums, sums, len(part))


def _with_people(part: pd.DataFrame, outcome: str) -> Consistency:
    """Compare the answers of every two people who saw the same stimulus."""
    part = part.drop_duplicates(["participant_id", "stimulus_id"])
    right = part[outcome].to_numpy(dtype=np.float64)
    unit = _codes(part["stimulus_id"].astype(str) + "\n" + _strata(part))
    each, correct = np.bincount(unit)[unit], np.bincount(unit, right)[unit]
    others = each - 1.0
    agreeing = np.where(right == 1, correct, each - correct) - 1
    # What a rating's pairs add, and what they add where its weight grows: an accuracy is of both.
    sums = np.stack([others, agreeing, others * right, others * right], axis=1)
    mixed = others * right + correct - right
    moved = np.stack([2 * others, 2 * agreeing, mixed, mixed], axis=1)
    return _judged("people", part, sums, moved, int(others.sum()) // 2)


def _strata(part: pd.DataFrame) -> pd.Series[str]:
    return part["condition"].astype(str) + "\n" + part["arm"].astype(str)


def _judged(
    second: str, part: pd.DataFrame, sums: Floats, moved: Floats, pairs: int
) -> Consistency:
    """Return kappa from sums over pairs.

    Args:
        second: whom people are compared with.
        part: the ratings.
        sums: (N, 4), of each rating's pairs: their number, how many agree, and how often the first
            and the second is right.
        moved: (N, 4), by how much a rating's weight moves these sums.
        pairs: that were compared.
    """
    stratum = _codes(_strata(part))
    total = np.stack([np.bincount(stratum, column) for column in sums.T], axis=1)
    whole = total[:, 0].sum()
    conditions = " + ".join(sorted(part["condition"].astype(str).unique()))
    if not whole:
        said = "No stimulus was answered by two people."
        return Consistency(
            "people", second, conditions, None, None, None, -inf, inf, (np.nan, np.nan), 0, said
        )
    share = total / np.maximum(total[:, :1], 1e-300)
    first, other = share[:, 2], share[:, 3]
    weight = total[:, 0] / whole
    chance = first * other + (1 - first) * (1 - other)
    observed, expected = float(weight @ share[:, 1]), float(weight @ chance)
    accuracies = (float(weight @ first), float(weight @ other))
    notes = []
    if part["arm"].nunique() > 1:
        notes.append("All arms together.")
    if not (weight * first * (1 - first) * other * (1 - other)).sum():
        notes.append("One of both made no errors, or errors only: consistency is not defined.")
        note = " ".join(notes)
        return Consistency(
            "people",
            second,
            conditions,
            observed,
            expected,
            None,
            -inf,
            inf,
            accuracies,
            pairs,
            note,
        )

    def influence(of: Floats) -> Floats:
        """Return how a rating moves kappa, given how it moves the sums."""
        at = share[stratum]
        away = (of - of[:, :1] * at) / whole
        to_chance = (2 * at[:, 3] - 1) * away[:, 2] + (2 * at[:, 2] - 1) * away[:, 3]
        to_chance += of[:, 0] * (chance[stratum] - expected) / whole
        to_observed = (of[:, 1] - of[:, 0] * observed) / whole
        found: Floats = (
            to_observed / (1 - expected) - to_chance * (1 - observed) / (1 - expected) ** 2
        )
        return found

    kappa = (observed - expected) / (1 - expected)
    person, image = (
        _codes(part[name if name in part else "stimulus_id"])
        for name in ("participant_id", "source_image_id")
    )
    error, df = two_way_error(influence(moved), person, image, influence(sums))
    low, high = Estimate(kappa, error, df, 0, 0).interval()
    notes += _limits(np.nan, int(image.max()) + 1, int(person.max()) + 1)
    return Consistency(
        "people",
        second,
        conditions,
        observed,
        expected,
        kappa,
        max(low, -1.0),
        min(high, 1.0),
        accuracies,
        pairs,
        " ".join(notes),
    )
