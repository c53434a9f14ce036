"""Whether a map changes when the network forgets what it has learned."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from engine.metrics import Direction, Given, MapMetric, Measured, Need, register
from engine.metrics._given import constant, drawn
from engine.metrics._ranks import spearman


@register
class Randomisation(MapMetric):
    """Spearman's correlation of |map| with that of the network whose weights are drawn anew.

    Adebayo et al. (2018), "Sanity checks for saliency maps": the end of the cascade that goes from
    the logits down (`engine.saliency.randomised_weights`), or its beginning, with `down_to`. A map
    that stays the same does not explain what was learned.

    Attributes:
        down_to: the last layer that is drawn, by its name in the network; None means all.
        seed: of the draw.
        images: of how many images, since each map is made again.
    """

    direction: ClassVar[Direction] = "lower"
    says: ClassVar[str] = (
        "How much of the map stays when all weights of the network are drawn anew: "
        "the rank correlation of the two."
    )
    source: ClassVar[str] = "Adebayo et al. (2018)"
    needs: ClassVar[tuple[Need, ...]] = ("network", "method")

    down_to: str | None = None
    seed: int = Field(0, ge=0)
    images: int = Field(20, ge=1)

    def of(self, given: Given) -> Measured:
        """Return the correlation, in [-1, 1]; none where the other map is constant."""
        from engine.networks.inference import copied, device_of
        from engine.saliency.randomised_weights import RandomisedWeights

        assert given.network is not None
        some = copied(given.images[:2], device_of(given.network))
        drawn_anew = RandomisedWeights(down_to=self.down_to, seed=self.seed)
        network = drawn_anew.randomised(given.network, some)
        theirs = drawn(given.again(network, given.images))
        theirs[constant(theirs)] = 0
        own, theirs = (np.abs(each).reshape(len(given), -1) for each in (given.drawn(), theirs))
        return spearman(own, theirs, "other_map")
