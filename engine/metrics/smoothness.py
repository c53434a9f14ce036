"""Whether a map is smooth or noise."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.metrics import Given, MapMetric, Measured, Sign, register


@register
class Smoothness(MapMetric):
    """Moran's I (1950) with the four neighbours of a pixel as weights: spatial autocorrelation.

    Near 0 for white noise, towards 1 where neighbours are alike, -1 for a checkerboard. Ross &
    Doshi-Velez (2018) show it in pictures.
    """

    sign: ClassVar[Sign] = "signed"
    says: ClassVar[str] = (
        "How alike neighbouring pixels of the map are: 0 for noise, towards 1 where it is smooth."
    )
    source: ClassVar[str] = "Moran (1950)"

    def of(self, given: Given) -> Measured:
        """Return Moran's I, in [-1, 1]."""
        centred = given.drawn()
        centred = centred - centred.mean((1, 2), keepdims=True)
        beside = centred[:, :, 1:] * centred[:, :, :-1]
        below = centred[:, 1:] * centred[:, :-1]
        pairs = beside[0].size + below[0].size
        together = (beside.sum((1, 2)) + below.sum((1, 2))) / pairs
        variance: NDArray[np.float64] = np.square(centred).mean((1, 2))
        return Measured.because(together / variance)
