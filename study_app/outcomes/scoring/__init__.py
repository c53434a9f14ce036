"""The scorer: outcome columns of every table of ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import pandas as pd

from db.canonical import canonical_json
from db.export import Answered, Column
from engine.analysis.outcomes import DTYPES, TIE, Outcome
from study_app import outcomes, questions
from study_app.outcomes.scoring.selection import selected_by_answer
from study_app.questions import TIMED_OUT, item_keys

ABOUT = (
    Column(
        "asked_label",
        "Int64",
        "Class index of the label that the presentation asks about: that any of its questions "
        "names, else what the attack on its first picture aims at, else what every attack on the "
        "same source image in this study aims at",
        "outcome:asked_label",
    ),
    Column(
        "items_json",
        "string",
        "What each picture is an example of, in the order shown, as JSON: the keys that "
        f"preferences and rankings are made of; beside them '{TIE}' is no preference",
        "outcome:items",
    ),
    Column(
        "selected_by_answer",
        "boolean",
        "Whether a picture was chosen because of how its model answers, so that the model's answer "
        "to it is no finding: mistakes, pictures whose answer had to be right or wrong, and those "
        "of practice and catch trials",
        "outcome:selected",
    ),
)
"""Columns of what an outcome is made from."""


class _Score:
    """See `db.export.Scorer`."""

    @cached_property
    def columns(self) -> Sequence[Column]:
        """Return the columns: `ABOUT`, then every outcome."""
        return (
            *ABOUT,
            *(
                Column(each.name, DTYPES[each.kind], _described(each), f"outcome:{each.task}")
                for each in outcomes.outcomes().values()
            ),
        )

    def __call__(self, answers: Sequence[Answered], ratings: pd.DataFrame) -> pd.DataFrame:
        """Return the columns; of an answer that did not come in time the first ones only."""
        meant = [_meant(answered) for answered in answers]
        about: dict[str, list[Any]] = {
            "asked_label": [answered.asked_label for answered in answers],
            "items_json": [
                canonical_json(item_keys(answered.pictures, answered.asked_label))
                for answered in answers
            ],
            "selected_by_answer": selected_by_answer(answers),
        }
        dtypes: dict[str, Any] = {column.name: column.dtype for column in self.columns}
        for name, outcome in outcomes.outcomes().items():
            if not outcome.combined:
                about[name] = [each.get(name) for each in meant]
        scored = pd.DataFrame(
            {name: pd.Series(values, dtype=dtypes[name]) for name, values in about.items()}
        )
        whole = pd.concat([ratings, scored], axis=1)
        for name in outcomes.registry.names():
            scored[name] = outcomes.registry.create(name).values(whole).astype(dtypes[name])
        return scored[list(dtypes)]


score = _Score()
"""The scorer of every table of ratings."""


def _described(outcome: Outcome) -> str:
    return f"{outcome.description[0].upper()}{outcome.description[1:]} ({outcome.task})"


def _meant(answered: Answered) -> Mapping[str, Any]:
    """Return the outcomes of one answer, none of what came too late or is of an unknown type."""
    if answered.values.get(TIMED_OUT) or answered.task not in _tasks():
        return {}
    return questions.registry.get(answered.task).means(answered)


@cache
def _tasks() -> frozenset[str]:
    return frozenset(questions.registry.names())
