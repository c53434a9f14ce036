"""People who were not attentive: they failed too many catch trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from study_app.exclusions import Exclusion, register

if TYPE_CHECKING:
    import pandas as pd


@register
class CatchBelow(Exclusion):
    """People who gave the expected answer to less than `share` of the catch trials they answered.

    Only trials in which one answer is expected count; one not answered in time is missed. Somebody
    who has answered no catch trial is not excluded.

    Attributes:
        share: of the catch trials.
        per: `all` counts those of all questions together; `question` counts those of each question
            type alone, and excludes whose share of any is below. Who reads a picture and then says
            yes to whatever is asked about it passes the first and not the second.
    """

    judges = "people"
    needs_catch = True

    share: float = Field(gt=0, le=1)
    per: Literal["all", "question"] = Field("all", exclude_if=lambda per: per == "all")

    def excludes(self, people: pd.DataFrame, answers: pd.DataFrame) -> pd.Series[Any]:
        """Return whose share is below; NA for those without an answered catch trial."""
        judged = answers[(answers["trial_type"] == "catch") & answers["correct_option"].notna()]
        right = judged["response"] == judged["correct_option"]
        if self.per == "question":
            by_question = right.groupby([judged["participant_id"], judged["task"]]).mean()
            shares = by_question.groupby(level=0).min().to_dict()
        else:
            shares = right.groupby(judged["participant_id"]).mean().to_dict()
        return people["participant_id"].map(shares).astype("Float64") < self.share

    def passes(self, right: Mapping[str, int], asked: Mapping[str, int]) -> bool:
        """Say whether no share is below."""
        if self.per == "question":
            return all(right[each] / n >= self.share for each, n in asked.items() if n)
        total = sum(asked.values())
        return not total or sum(right.values()) / total >= self.share
