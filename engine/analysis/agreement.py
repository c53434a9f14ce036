"""Do people agree with each other, and with models?"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from engine.analysis.outcomes import Outcome


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


def agreement(ratings: pd.DataFrame, outcome: Outcome) -> list[Agreement]:
    """Return how far people agree on each stimulus, by arm. Units are `stimulus_id`."""
    raise NotImplementedError


@dataclass(frozen=True)
class Consistency:
    """Do two deciders err on the same images (Geirhos, Meding & Wichmann 2020)?

    Attributes:
        first: "people"; second: "people", or the key of a model.
        conditions: labels of the conditions that count, joined by " + ".
        observed: share of decisions in which both are right or both wrong.
        expected: the same by chance, from their accuracies.
        kappa: (observed - expected) / (1 - expected) with `low`, `high`; None at a ceiling.
        accuracies: of both.
        pairs: decisions that were compared.
        note: why there is none; "".
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
    controls. On its mistakes it is wrong by selection.

    Args:
        ratings: `estimates.counted` rows with `outcome`, `model_id`, `model_pred`, `true_label`,
            `stimulus_id`, `stimulus_kind` and `selected_by_answer`.
        outcome: whether a person's answer is the true label.
    """
    raise NotImplementedError
