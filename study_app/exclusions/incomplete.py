"""People who have not finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from study_app.exclusions import Exclusion, register

if TYPE_CHECKING:
    import pandas as pd


@register
class Incomplete(Exclusion):
    """People who have not finished: they stopped, were sent home, or are still at it."""

    judges = "people"

    def excludes(self, people: pd.DataFrame, answers: pd.DataFrame) -> pd.Series[Any]:
        """Return whose status is another than `complete`."""
        return people["status"] != "complete"
