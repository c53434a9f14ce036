"""The scoring of Ross & Doshi-Velez (2018): a reasonable mistake, or an unrecognisable picture."""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd

from engine.analysis.outcomes import Outcome
from study_app.outcomes import Combined, register


@register
class PlausibleOrCantTell(Combined):
    """Yes to the label, or "can't tell" when asked which label fits the same picture."""

    outcome: ClassVar[Outcome] = Outcome(
        "plausible_or_cant_tell",
        "binary",
        "said_plausible, or cant_tell about the same presentation; empty where one of the two has "
        "no answer",
        "called it plausible, or could not tell",
        "target_plausible",
        combined=True,
    )

    made_from: ClassVar[tuple[str, ...]] = ("said_plausible", "cant_tell")

    def values(self, ratings: pd.DataFrame) -> pd.Series[Any]:
        """Return the disjunction; see `Combined.values`."""
        told = ratings[ratings["cant_tell"].notna()]
        cant_tell = told.groupby("presentation_id")["cant_tell"].any().astype("boolean")
        there = ratings["presentation_id"].map(cant_tell).astype("boolean")
        return (ratings["said_plausible"] | there).where(
            ratings["said_plausible"].notna() & there.notna()
        )
