"""Outcomes: what answers mean as variables. The columns that analysis works on, and exports carry.

A question type declares its own (`Question.outcomes`, `Question.means`), so that one with a new
meaning brings it along. What takes several answers is a combined outcome: one file each, here.
`scoring.score` is the scorer of every table of ratings.

A survey has none by its type: its items differ from survey to survey. Their answers stand in the
export's `values_json`, by the item's name.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import pandas as pd

from engine.analysis.outcomes import Outcome
from engine.components import Component, Registry
from study_app import questions


class Combined(Component):
    """An outcome of several answers."""

    outcome: ClassVar[Outcome]
    made_from: ClassVar[tuple[str, ...]]
    """Names of the outcomes whose answers it takes; without their questions it stays empty."""

    def values(self, ratings: pd.DataFrame) -> pd.Series[Any]:
        """Return the outcome of each row, NA where it has none.

        Args:
            ratings: the export's ratings with the outcomes of all question types, marked by the
                exclusion rules.
        """
        raise NotImplementedError


registry: Registry[Combined] = Registry("outcome", __name__)
register = registry.register


@cache
def _tasks() -> dict[str, frozenset[str]]:
    own = {each.name: frozenset({each.task}) for each in outcomes().values()}
    for name in registry.names():
        own[name] |= {outcomes()[each].task for each in registry.get(name).made_from}
    return own


def needed_tasks(name: str) -> frozenset[str]:
    """Return the question types that must be asked of a presentation for an outcome of it."""
    return _tasks()[name]


@cache
def outcomes() -> dict[str, Outcome]:
    """Return every outcome by name: of the question types in their order, then the combined.

    Raises:
        ValueError: two are called the same, or one names a signal that there is not.
    """
    found: dict[str, Outcome] = {}
    own = [
        *(each for task in questions.registry.names()
          for each in questions.registry.get(task).outcomes),
        *(registry.get(name).outcome for name in registry.names()),
    ]  # fmt: skip
    for outcome in own:
        if outcome.name in found:
            raise ValueError(
                f"outcome {outcome.name!r} of {outcome.task} is declared by "
                f"{found[outcome.name].task} already; call it otherwise"
            )
        found[outcome.name] = outcome
    for outcome in own:
        if outcome.signal is not None and outcome.signal not in found:
            raise ValueError(f"outcome {outcome.name!r}: there is no signal {outcome.signal!r}")
    return found
