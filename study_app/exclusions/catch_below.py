"""People who were not attentive: they failed too many catch trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from study_app.exclusions import Exclusion, register

if TYPE_CHECKING:
    import pandas as pd


@register
class CatchBelow(Exclusion):
    """People who gave the expected answer to less than `share` of the catch trials they answered.

    Only trials in which one answer is expected count; one not answered in time is missed. Somebody
    who has answered no catch trial is not excluded.
    """

    judges = "people"
    needs_catch = True

    share: float = Field(gt=0, le=1)

    def excludes(self, people: pd.DataFrame, answers: pd.DataFrame) -> pd.Series[Any]:
        """Return whose share is below; NA for those without an answered catch trial."""
        judged = answers[(answers["trial_type"] == "catch") & answers["correct_option"].notna()]
        right = judged["response"] == judged["correct_option"]
        shares = right.groupby(judged["participant_id"]).mean().to_dict()
        return people["participant_id"].map(shares).astype("Float64") < self.share
