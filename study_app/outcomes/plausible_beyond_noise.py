"""How much more plausible a label is than on the noise control of the same image."""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd

from engine.analysis.outcomes import Outcome
from study_app.outcomes import Combined, _noise, register


@register
class PlausibleBeyondNoise(Combined):
    """What the disturbance adds to a yes: random noise of its size gets some, too."""

    outcome: ClassVar[Outcome] = Outcome(
        "plausible_beyond_noise",
        "continuous",
        "said_plausible (1 or 0) less the share of other people who said so about the noise "
        "control of the same image and label; empty where there is none, and for the control",
        "plausible beyond noise",
        "target_plausible",
        combined=True,
        low=-1,
        high=1,
    )

    made_from: ClassVar[tuple[str, ...]] = ("said_plausible",)

    def values(self, ratings: pd.DataFrame) -> pd.Series[Any]:
        """Return the differences; see `Combined.values`."""
        return _noise.beyond_noise(ratings, "said_plausible")
