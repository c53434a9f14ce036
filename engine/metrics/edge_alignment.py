"""Whether a map follows the edges of its image."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from engine.metrics import Given, MapMetric, Measured, register
from engine.metrics._ranks import spearman


@register
class EdgeAlignment(MapMetric):
    """Spearman's correlation of |map| with the strength of the image's edges.

    The edges are the length of the central differences of the channels' mean. An edge detector has
    the most of it, and knows nothing of the network (Adebayo et al. 2018).
    """

    says: ClassVar[str] = (
        "Whether the map is large where the image has edges: the rank correlation of the two."
    )
    source: ClassVar[str] = "after Adebayo et al. (2018)"

    def of(self, given: Given) -> Measured:
        """Return the correlation, in [-1, 1]; none for an image of one colour."""
        # Unscaled: its numbers are older than scaling, which can make ties of the smallest values.
        size = np.abs(given.maps.astype(np.float64).sum(1)).reshape(len(given), -1)
        down, right = np.gradient(given.images.astype(np.float64).mean(1), axis=(1, 2))
        return spearman(size, np.hypot(down, right).reshape(len(given), -1), "plain_image")
