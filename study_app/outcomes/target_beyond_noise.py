"""How much more often the target is chosen than on the noise control of the same image."""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd

from engine.analysis.outcomes import Outcome
from study_app.outcomes import Combined, _noise, register


@register
class TargetBeyondNoise(Combined):
    """What the disturbance adds to choices of the target: random noise of its size gets some."""

    outcome: ClassVar[Outcome] = Outcome(
        "target_beyond_noise",
        "continuous",
        "chose_target (1 or 0) less the share of other people who chose it on the noise control "
        "of the same image and label; empty where there is none, and for the control",
        "chose the target beyond noise",
        "label_nafc",
        combined=True,
        low=-1,
        high=1,
    )

    made_from: ClassVar[tuple[str, ...]] = ("chose_target",)

    def values(self, ratings: pd.DataFrame) -> pd.Series[Any]:
        """Return the differences; see `Combined.values`."""
        return _noise.beyond_noise(ratings, "chose_target")
