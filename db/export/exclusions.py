"""Marks what a study's pre-registered exclusion rules exclude. No row is dropped.

A row is judged by the rules of its own study version. Rules about people mark all that the person
gave, practice included:

- `catch_below`: people who gave the expected answer to less than `share` of the catch trials that
  they answered. Trials without a `correct_option` do not count; one that ended without an answer in
  time is missed. Somebody who has answered no catch trial is not excluded.
- `incomplete`: people whose status is another than `complete`, whether they stopped, were sent home
  or are still at it.

Rules about answers mark that row alone:

- `too_fast`: a reaction time (`rt_ms`) below `ms`; a row without one is not marked.
- `hidden_too_long`: more than `ms` milliseconds out of sight (`hidden_ms`); a row that does not say
  it is not marked.

Each rule judges all rows: an answer that was too fast still counts among the catch trials.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from db.errors import ExportError

Rules = Mapping[int, Sequence[Mapping[str, Any]]]
"""The rules of each study version, in the order of its file."""


@dataclass(frozen=True)
class Rule:
    """A rule that can be applied.

    of_person: whether it judges people or single answers. parameters: their names in the study
    file. excludes: what it excludes, row by row, given the facts about each row and the rule as
    declared; empty where a fact is missing.
    """

    of_person: bool
    parameters: tuple[str, ...]
    excludes: Callable[[pd.DataFrame, Mapping[str, Any]], "pd.Series[bool]"]


KNOWN = {
    "catch_below": Rule(True, ("share",), lambda facts, rule: facts["catch_share"] < rule["share"]),
    "incomplete": Rule(True, (), lambda facts, _: facts["status"] != "complete"),
    "too_fast": Rule(False, ("ms",), lambda facts, rule: facts["rt_ms"] < rule["ms"]),
    "hidden_too_long": Rule(False, ("ms",), lambda facts, rule: facts["hidden_ms"] > rule["ms"]),
}


def declared(config: Mapping[str, Any], study: str, version: int) -> list[Mapping[str, Any]]:
    """The exclusion rules in the stored file of a study version, in its order.

    Raises ExportError for a rule that is not known here, by its name or by its parameters: a newer
    program stored it, and data without it would pass for data that it has judged.
    """
    rules: list[Mapping[str, Any]] = list(config.get("exclusions", ()))
    for rule in rules:
        known = KNOWN.get(rule["rule"])
        if known is None or set(rule) != {"rule", *known.parameters}:
            raise ExportError(
                f"Version {version} of study {study!r} excludes by the rule {json.dumps(rule)}, "
                f"which this program does not know; known: {', '.join(KNOWN)}. "
                "Use the newer program that published it."
            )
    return rules


def mark_ratings(ratings: pd.DataFrame, status: Mapping[str, str], rules: Rules) -> pd.DataFrame:
    """`ratings` with the columns `excluded` and `exclusion_rule`.

    ratings: all rated trials of a study, by the columns of the export. status: of every participant
    in them. rules: as `declared` gave them.
    """
    people = ratings["participant_id"]
    facts = ratings.assign(status=people.map(status), catch_share=_catch_shares(ratings, people))
    return _marked(ratings, facts, rules)


def mark_participants(
    participants: pd.DataFrame, catch: pd.DataFrame, rules: Rules
) -> pd.DataFrame:
    """`participants` with the columns `excluded` and `exclusion_rule`: by the rules about people.

    participants: by the columns of the export. catch: the rated trials that `catch_below` judges by
    (`participant_id`, `trial_type`, `correct_option`, `response`); others do no harm.
    """
    shares = _catch_shares(catch, participants["participant_id"])
    of_people = {
        version: [rule for rule in listed if KNOWN[rule["rule"]].of_person]
        for version, listed in rules.items()
    }
    return _marked(participants, participants.assign(catch_share=shares), of_people)


def _catch_shares(ratings: pd.DataFrame, people: "pd.Series[str]") -> "pd.Series[float]":
    """For each of `people` the share of answered catch trials that got the expected answer."""
    judged = ratings[(ratings["trial_type"] == "catch") & ratings["correct_option"].notna()]
    right = judged["response"] == judged["correct_option"]
    shares = right.groupby(judged["participant_id"]).mean()
    return people.map(shares.to_dict()).astype("Float64")


def _marked(table: pd.DataFrame, facts: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    names: list[list[str]] = [[] for _ in range(len(table))]
    for version, listed in rules.items():
        of_version = facts["study_version"] == version
        for rule in listed:
            known, name = KNOWN[rule["rule"]], rule["rule"]
            hit = known.excludes(facts, rule).fillna(False) & of_version
            for row in np.flatnonzero(hit):
                if name not in names[row]:  # a file may have a rule twice
                    names[row].append(name)
    return table.assign(
        excluded=pd.array([bool(by) for by in names], dtype="boolean"),
        exclusion_rule=pd.array([";".join(by) or None for by in names], dtype="string"),
    )
