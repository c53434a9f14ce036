"""Preferences: strengths of items from choices of the better one and from rankings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from engine.analysis.outcomes import Outcome


@dataclass(frozen=True)
class Strength:
    """How strong an item is beside the average one, in log-odds of being chosen.

    Attributes:
        item: its key.
        value, low, high: with its 95 % interval, people as clusters.
        chosen, offered: how often.
    """

    item: str
    value: float
    low: float
    high: float
    chosen: float
    offered: int


@dataclass(frozen=True)
class Strengths:
    """What preferences or rankings say.

    Attributes:
        outcome, arm: which.
        items: by strength, strongest first.
        pairs: how often the first of (item, item) was chosen over the second; ties count half.
        tie: how often no preference was given, as a share; None where no tie is offered.
        side: log-odds by which the first place is favoured, with its interval; None of rankings.
        people: who gave them.
        note: why there is none, or what limits it; "".
    """

    outcome: str
    arm: str
    items: Sequence[Strength]
    pairs: Mapping[tuple[str, str], float]
    tie: float | None
    side: tuple[float, float, float] | None
    people: int
    note: str = ""


def strengths(ratings: pd.DataFrame, outcome: Outcome) -> list[Strengths]:
    """Return the strengths of items by arm (Bradley and Terry 1952; ties: Davidson 1970).

    Args:
        ratings: `estimates.counted` rows with the outcome's column and `items_json`: the keys of
            the items in the order shown.
        outcome: a preference or a ranking (Plackett 1975).
    """
    raise NotImplementedError
