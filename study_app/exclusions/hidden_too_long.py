"""Answers given by somebody who was elsewhere meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from study_app.exclusions import Exclusion, register

if TYPE_CHECKING:
    import pandas as pd


@register
class HiddenTooLong(Exclusion):
    """Answers during which the page was out of sight for more than `ms`."""

    judges = "answers"

    ms: float = Field(gt=0)

    def excludes(self, people: pd.DataFrame, answers: pd.DataFrame) -> pd.Series[Any]:
        """Return whose `hidden_ms` is above; NA where the browser did not say it."""
        return answers["hidden_ms"] > self.ms
