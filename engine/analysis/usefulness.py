"""Does an explanation help people to predict a model (Colin et al. 2022)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from engine.statistics.clustered import Clustered


@dataclass(frozen=True)
class Usefulness:
    """How much better an arm predicts the model than the arm without an explanation.

    Attributes:
        arm, baseline: labels.
        accuracy, baseline_accuracy: shares of right predictions.
        utility: the ratio of both with `low`, `high`; above 1 the explanation helps.
        note: why there is none; "".
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
    """Return the utility of each arm against `baseline`; see `Usefulness`."""
    raise NotImplementedError
