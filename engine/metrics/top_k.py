"""Whether the map of an attacked image is that of the clean one: by its largest values."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.metrics import Given, MapMetric, Measured, Need, register
from engine.metrics._given import constant, drawn


@register
class TopK(MapMetric):
    """The share of the k pixels with the largest |value| that two maps have in common.

    Of the attacked image and of the clean one. Ghorbani, Abid & Zou (2019). A pixel that is zero is
    not among the largest, however few others there are; of equal values the first in the image are.

    Attributes:
        share: k as a share of all pixels, rounded up.
    """

    says: ClassVar[str] = (
        "Which share of the largest tenth of the pixels the maps of the attacked and "
        "of the clean image have in common."
    )
    source: ClassVar[str] = "Ghorbani et al. (2019)"
    needs: ClassVar[tuple[Need, ...]] = ("clean",)

    share: float = Field(0.1, gt=0, lt=1)

    def of(self, given: Given) -> Measured:
        """Return the share, in [0, 1]; none where the clean map is constant."""
        assert given.clean is not None
        theirs = drawn(given.clean)
        count = int(np.ceil(self.share * theirs[0].size))
        both = _largest(given.drawn(), count) & _largest(theirs, count)
        return Measured.because(both.sum(1) / count, (constant(theirs), "other_map"))


def _largest(flat: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    size = np.abs(flat).reshape(len(flat), -1)
    chosen = np.zeros(size.shape, bool)
    np.put_along_axis(chosen, np.argsort(-size, axis=1, kind="stable")[:, :count], True, axis=1)
    return chosen & (size > 0)
