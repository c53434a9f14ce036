"""How exclusion rules get into the tables. The database knows no rule.

Whoever asks for a table hands in a judge, which gets all that rules may judge by and says which
rules exclude what. The tables mark it; no row is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from db.export.columns import PARTICIPANTS, RATINGS

PEOPLE = ("participant_id", "study_version", "status")
"""The columns of the export's participants by which rules judge."""

ANSWERS = (
    "participant_id",
    "study_version",
    "trial_index",
    "trial_type",
    "task",
    "condition",
    "correct_option",
    "response",
    "rt_ms",
    "hidden_ms",
)
"""The columns of the export's ratings by which rules judge."""

PEOPLE_COLUMNS = tuple(column for column in PARTICIPANTS if column.name in PEOPLE)
ANSWERS_COLUMNS = tuple(column for column in RATINGS if column.name in ANSWERS)


@dataclass(frozen=True)
class Evidence:
    """What rules judge by: one stage of a study.

    Attributes:
        study: its name.
        configs: the stored file of each version of the stage, by the version's number.
        people: one row per participant, with the columns PEOPLE.
        answers: one row per rated trial, with the columns ANSWERS.
    """

    study: str
    configs: Mapping[int, Mapping[str, Any]]
    people: pd.DataFrame
    answers: pd.DataFrame


class Verdict(NamedTuple):
    """The names of the rules that exclude each row of the evidence, in the order of its file.

    Attributes:
        people: for each of `Evidence.people`.
        answers: for each of `Evidence.answers`; rules that exclude the person are among them.
    """

    people: list[list[str]]
    answers: list[list[str]]


Judge: TypeAlias = Callable[[Evidence], Verdict]
"""Raises ExportError if it cannot judge."""


def marked(table: pd.DataFrame, names: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return `table` with the columns `excluded` and `exclusion_rule`.

    Args:
        table: by the columns of the export.
        names: for each row, the rules that exclude it.
    """
    return table.assign(
        excluded=pd.array([bool(by) for by in names], dtype="boolean"),
        exclusion_rule=pd.array([";".join(by) or None for by in names], dtype="string"),
    )
