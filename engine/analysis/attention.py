"""How people did where the answer is known: the catch trials."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from engine.statistics.clustered import Clustered, share


@dataclass(frozen=True)
class Attention:
    """Catch trials of one question type.

    Attributes:
        task: the question type.
        expected: the share of them that got the expected answer.
    """

    task: str
    expected: Clustered


def attention(ratings: pd.DataFrame) -> list[Attention]:
    """Return how catch trials with an expected answer were answered, by question type.

    A trial without an answer in time was missed. Everybody counts, also those whom the exclusion
    rules exclude: many of these are excluded because of just those answers, and without them the
    shares would say nothing.

    Args:
        ratings: the export's per-trial table.
    """
    known = ratings[(ratings["trial_type"] == "catch") & ratings["correct_option"].notna()]
    return [
        Attention(
            str(task),
            share(
                (part["response"] == part["correct_option"]).to_numpy(dtype=bool, na_value=False),
                part["participant_id"].to_numpy(dtype=str),
                part["source_image_id"].to_numpy(dtype=str),
            ),
        )
        for task, part in known.groupby("task", sort=True)
    ]
