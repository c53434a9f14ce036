"""Does an explanation help people to predict a model (Colin et al. 2022)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.statistics.clustered import Clustered, share
from engine.statistics.linearised import two_way_error

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Usefulness:
    """How much better an arm predicts the model than the arm without an explanation.

    Attributes:
        arm, baseline: labels.
        accuracy, baseline_accuracy: shares of right predictions.
        utility: the ratio of both with `low`, `high`; above 1 the explanation helps.
        note: why there is none, or what limits it; "".
    """

    arm: str
    baseline: str
    accuracy: Clustered
    baseline_accuracy: Clustered
    utility: float | None
    low: float
    high: float
    note: str = ""


def usefulness(
    ratings: pd.DataFrame, baseline: str, arms: Sequence[str], outcome: str = "correct"
) -> list[Usefulness]:
    """Return the utility of each arm against `baseline`.

    Utility is the accuracy of an arm over that of the arm without explanations (Colin, Fel, Cadène
    and Serre 2022, "What I cannot predict, I do not understand", NeurIPS 35, section 3), each
    person counting equally. Its interval is that of its logarithm: by the influence of each rating,
    with people and images as samples, so that images which both arms saw count as the same.

    Args:
        ratings: `estimates.counted` rows of main trials, with the outcome's column.
        baseline: label of the arm without explanations.
        arms: labels of the others, in the order of the results.
        outcome: whether the prediction is the model's answer.
    """
    given = ratings.dropna(subset=[outcome])
    return [_of_arm(given, baseline, arm, outcome) for arm in arms]


def _of_arm(given: pd.DataFrame, baseline: str, arm: str, outcome: str) -> Usefulness:
    parts = [given[given["arm"] == label] for label in (arm, baseline)]
    accuracies = [
        share(
            part[outcome].to_numpy(dtype=bool),
            part["participant_id"].to_numpy(dtype=str),
            part["source_image_id"].to_numpy(dtype=str),
        )
        for part in parts
    ]

    def found(utility: float | None, low: float, high: float, note: str) -> Usefulness:
        return Usefulness(arm, baseline, accuracies[0], accuracies[1], utility, low, high, note)

    for label, part in zip((arm, baseline), parts, strict=True):
        if not len(part):
            return found(None, -inf, inf, f"Nobody in the arm {label} predicted anything.")
    means, moves = zip(*(_mean(part, outcome) for part in parts), strict=True)
    if not means[1]:
        return found(None, 0.0, inf, f"Nobody in the arm {baseline} was ever right.")
    if not means[0]:
        return found(0.0, 0.0, inf, f"Nobody in the arm {arm} was ever right.")
    both = pd.concat(parts)
    cells = np.concatenate([moves[0] / means[0], -moves[1] / means[1]])
    error, df = two_way_error(
        cells, _codes(both["participant_id"]), _codes(both["source_image_id"])
    )
    utility = means[0] / means[1]
    limits = dict.fromkeys(each.refused or each.warning for each in accuracies)
    note = " ".join(f"{said[0].upper()}{said[1:]}." for said in limits if said)
    if any(each.refused for each in accuracies):
        return found(utility, 0.0, inf, note)
    if error == 0:
        return found(utility, 0.0, inf, "Everybody was always right: nothing differs.")
    from scipy.special import stdtrit

    half = float(stdtrit(df, 0.975)) * error
    return found(utility, exp(log(utility) - half), exp(log(utility) + half), note)


def _mean(part: pd.DataFrame, outcome: str) -> tuple[float, Floats]:
    """Return the mean of people's means, and by how much each rating moves it, (N,)."""
    values = part[outcome].to_numpy(dtype=np.float64)
    person = _codes(part["participant_id"])
    each = np.bincount(person)
    mean = float((np.bincount(person, values) / each).mean())
    return mean, (values - mean) / (each[person] * len(each))


def _codes(column: pd.Series[Any]) -> NDArray[np.int64]:
    return np.asarray(pd.factorize(column)[0], dtype=np.int64)
