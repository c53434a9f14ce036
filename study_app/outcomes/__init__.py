"""Outcomes: what answers mean as variables. The columns that analysis works on, and exports carry.

A question type declares its own (`Question.outcomes`, `Question.means`). What takes several answers
is a combined outcome: one file each, here. `score` is the scorer of every table of ratings.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd

from engine.analysis.outcomes import Outcome
from engine.components import Component, Registry


class Combined(Component):
    """An outcome of several answers."""

    outcome: ClassVar[Outcome]

    def values(self, ratings: pd.DataFrame) -> pd.Series[Any]:
        """Return the outcome of each row, NA where it has none.

        Args:
            ratings: the export's ratings with the outcomes of all question types.
        """
        raise NotImplementedError


registry: Registry[Combined] = Registry("outcome", __name__)
register = registry.register


def outcomes() -> dict[str, Outcome]:
    """Return every outcome by name: of the question types in their order, then the combined."""
    raise NotImplementedError
