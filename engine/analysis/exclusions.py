"""What pre-registered rules exclude, counted from the marks that the export's tables carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Excluded:
    """What one rule excludes. Rules overlap: the counts of several do not add up.

    Attributes:
        rule: its name.
        people: those with at least one answer that it excludes.
        answers: how many it excludes, those in practice and catch trials included.
    """

    rule: str
    people: int
    answers: int


def exclusions(ratings: pd.DataFrame, declared: Sequence[str] = ()) -> list[Excluded]:
    """Return one entry a rule: those `declared`, in their order, then further ones by name.

    Args:
        ratings: the export's per-trial table. Who has answered nothing is not in it.
        declared: names of rules that are listed even if they exclude nothing.
    """
    hit = ratings.assign(rule=ratings["exclusion_rule"].str.split(";")).explode("rule")
    rules = dict.fromkeys([*declared, *sorted(hit["rule"].dropna().unique())])
    found = {rule: hit[hit["rule"] == rule] for rule in rules}
    return [
        Excluded(rule, int(part["participant_id"].nunique()), len(part))
        for rule, part in found.items()
    ]
