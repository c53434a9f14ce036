"""How outcomes get into the ratings. The database knows no question type.

Whoever asks for the ratings hands in a scorer, which gets every answer with what it is an answer to
and returns the columns of what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from db.export.columns import Column


@dataclass(frozen=True)
class Answered:
    """One answered trial, as it is stored.

    Attributes:
        task: the question type.
        answer: the value of the option chosen, or the answer in its one spelling.
        values: the data columns that the question type made of it.
        view: what the browser got.
        pictures: the passports of the presentation's pictures, in the order shown.
        role: of the presentation: main, practice or catch.
        condition: its label.
        shown_label: class index of the label that the question names; None: none.
        asked_label: class index of the label that any question of the presentation names, else that
            the attack on its first picture aims at, else that all attacks of the version on the
            same source image aim at; None: none.
        correct: value of the right option, where there is one.
        study: the stored file of the version that the participant consented to.
        png: returns the PNG of the picture at a place.
    """

    task: str
    answer: str
    values: Mapping[str, Any]
    view: Mapping[str, Any]
    pictures: Sequence[Mapping[str, Any]]
    role: str
    condition: str
    shown_label: int | None
    asked_label: int | None
    correct: str | None
    study: Mapping[str, Any]
    png: Callable[[int], bytes]


def asked_label(named: int | None, first: Mapping[str, Any], aims: Collection[int]) -> int | None:
    """Return the label that a presentation asks about; see `Answered.asked_label`.

    Args:
        named: the label that a question of it names.
        first: the passport of its first picture.
        aims: what the attacks on the same source image aim at.
    """
    if named is not None:
        return named
    if first.get("target") is not None:
        return int(first["target"])
    return next(iter(aims)) if len(aims) == 1 else None


class Scorer(Protocol):
    """Makes outcome columns of answers."""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns that it makes, in their order."""
        ...

    def __call__(self, answers: Sequence[Answered], ratings: pd.DataFrame) -> pd.DataFrame:
        """Return `columns` for each of `answers`, which are the rows of `ratings` in order.

        Args:
            answers: every rated trial.
            ratings: the same with the export's own columns, marked by the exclusion rules.
        """
        ...
