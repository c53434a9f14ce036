"""Whether a map names few pixels or all of them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from engine.metrics import Direction, Given, MapMetric, Measured, register


@register
class Sparseness(MapMetric):
    """The Gini index of |map|: 0 where all pixels have the same size, towards 1 where one has all.

    Chalasani et al. (2020), "Concise explanations of neural networks using adversarial training".
    With the sizes a_1 <= ... <= a_P: sum_i (2 i - P - 1) a_i / (P sum_i a_i).
    """

    direction: ClassVar[Direction] = "higher"
    says: ClassVar[str] = "Whether few pixels carry the map (towards 1) or all of them alike (0)."
    source: ClassVar[str] = "Chalasani et al. (2020)"

    def of(self, given: Given) -> Measured:
        """Return the index, in [0, 1)."""
        size = np.sort(np.abs(given.drawn()).reshape(len(given), -1), axis=1)
        pixels = size.shape[1]
        weights = 2 * np.arange(1, pixels + 1) - pixels - 1
        return Measured.because(size @ weights / (pixels * size.sum(1)))
