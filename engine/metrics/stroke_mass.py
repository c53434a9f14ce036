"""How much of a map lies on the strokes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from engine.metrics import Direction, Given, MapMetric, Measured, register
from engine.metrics._strokes import nowhere, strokes


@register
class StrokeMass(MapMetric):
    """The share of the sum of |map| that lies on the strokes, or within a mask that is given.

    Kohlbrenner et al. (2020), "Towards best practice in explaining neural network decisions with
    LRP", as attribution localisation. A map without knowledge has the strokes' share of the pixels.
    """

    direction: ClassVar[Direction] = "higher"
    says: ClassVar[str] = (
        "Which share of the map lies on the strokes: within the mask, or where none "
        "is given on what Otsu's threshold finds in the image."
    )
    source: ClassVar[str] = "Kohlbrenner et al. (2020)"

    def of(self, given: Given) -> Measured:
        """Return the share, in [0, 1]; none where there are no strokes."""
        on, size = strokes(given), np.abs(given.drawn())
        share = (size * on).sum((1, 2)) / size.sum((1, 2))
        return Measured.because(share, nowhere(given, on))
