"""Contrasts: is one condition, or arm, above another, above every other, or equal to it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pandas as pd

from engine.analysis.outcomes import Outcome
from engine.statistics.clustered import Difference
from engine.statistics.mixed import MixedTest

Claim: TypeAlias = Literal["different", "above", "below", "above_every", "equivalent"]
"""What a contrast is to show:

- different: of one other, in either direction.
- above, below: of one other, in this direction (one-sided; the interval stays two-sided).
- above_every: above each of several others (an intersection of tests, each at the full level).
- equivalent: within the margin of each other (two one-sided tests).
"""
Test: TypeAlias = Literal["cluster_t", "mixed"]
"""The two-way cluster t on means of people, or the likelihood ratio of a mixed logistic model."""
Between: TypeAlias = Literal["conditions", "arms"]


@dataclass(frozen=True)
class ContrastSpec:
    """A comparison to make.

    Attributes:
        outcome: a measured one.
        of: label of a condition, or of an arm.
        to: labels of what it is compared with; several for `above_every` only.
        between: what the labels are of.
        within: where conditions are compared: the arm; where arms are: the condition, or "all".
        claim: see `Claim`.
        family: the name of the family within which p-values are corrected (Holm).
        registered: it was declared before the first answer.
        margin: of `equivalent`: the largest difference that counts as none.
        smallest_effect: the smallest difference that matters, for readers and power; None: unsaid.
        test: which decides.
    """

    outcome: Outcome
    of: str
    to: tuple[str, ...]
    between: Between = "conditions"
    within: str = "all"
    claim: Claim = "different"
    family: str = "exploratory"
    registered: bool = False
    margin: float | None = None
    smallest_effect: float | None = None
    test: Test = "cluster_t"


@dataclass(frozen=True)
class Contrast:
    """A comparison made.

    Attributes:
        spec: which.
        differences: one for each of `spec.to`, by the two-way cluster t.
        value, low, high: the difference with its 95 % interval; of `above_every` the smallest.
        at: which of `spec.to` that is.
        p: of the claim, by the cluster t.
        p_corrected: the same after Holm's correction within the family, by the deciding test.
        mixed: by the mixed model, one for each of `spec.to`; empty where it was not asked for.
        decided: what the deciding test says at the 5 % level, corrected: "above", "below",
            "equivalent" or "undecided"; "refused" where there is no test.
        said: the same as a sentence, with what limits it.
    """

    spec: ContrastSpec
    differences: Sequence[Difference]
    value: float | None
    low: float
    high: float
    at: str
    p: float
    p_corrected: float
    mixed: Sequence[MixedTest]
    decided: Literal["above", "below", "equivalent", "undecided", "refused"]
    said: str


def contrasts(
    ratings: pd.DataFrame, specs: Sequence[ContrastSpec], *, mixed: bool = False
) -> list[Contrast]:
    """Return what comes of each comparison, corrected within families.

    Args:
        ratings: `estimates.counted` rows with the outcomes' columns.
        specs: the comparisons, all that belong to each family.
        mixed: fit the mixed model also where the cluster t decides (binary outcomes only).
    """
    raise NotImplementedError
