"""Answers that came too fast for anybody to have looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from study_app.exclusions import Exclusion, register

if TYPE_CHECKING:
    import pandas as pd


@register
class TooFast(Exclusion):
    """Answers whose reaction time is below `ms`; one not given in time has none."""

    judges = "answers"

    ms: float = Field(gt=0)

    def excludes(self, people: pd.DataFrame, answers: pd.DataFrame) -> pd.Series[Any]:
        """Return whose `rt_ms` is below; NA without one."""
        return answers["rt_ms"] < self.ms
