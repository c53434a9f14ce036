"""Whether a map's largest value lies on the strokes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from engine.metrics import Direction, Given, MapMetric, Measured, register
from engine.metrics._strokes import nowhere, strokes


@register
class PointingGame(MapMetric):
    """The share of the pixels with the largest |value| that lie on the strokes: mostly 1 or 0.

    Zhang et al. (2018), "Top-down neural attention by excitation backprop", without a tolerance;
    pixels that share the largest value, as in an enlarged map, count alike.
    """

    direction: ClassVar[Direction] = "higher"
    says: ClassVar[str] = (
        "Whether the largest value of the map lies on the strokes, which are found "
        "as for the stroke mass."
    )
    source: ClassVar[str] = "Zhang et al. (2018)"

    def of(self, given: Given) -> Measured:
        """Return the share, in [0, 1]; none where there are no strokes."""
        on, size = strokes(given), np.abs(given.drawn())
        largest = size == size.max((1, 2), keepdims=True)
        share = (largest & on).sum((1, 2)) / largest.sum((1, 2))
        return Measured.because(share, nowhere(given, on))
