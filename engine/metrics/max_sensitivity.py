"""How much a map changes when its image hardly does."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.metrics import Direction, Given, MapMetric, Measured, Need, Sign, register


@register
class MaxSensitivity(MapMetric):
    """max over d of ||map(x + d) - map(x)|| / ||map(x)||, with |d| <= `radius` in every pixel.

    Yeh et al. (2019), definition 3.1, over the map's own length. The largest of `draws` uniform
    disturbances of the image's seed: so a lower bound. Targets, seeds and baselines are those of
    the map. Signed values are compared: absolute ones would hide a sign that flips.

    Attributes:
        draws: disturbances per image.
        radius: in units of the pixel range; pixels stay in [0, 1].
        images: of how many images, since each draw makes a map again.
    """

    sign: ClassVar[Sign] = "signed"
    direction: ClassVar[Direction] = "lower"
    says: ClassVar[str] = (
        "How far the map moves, as a share of its size, when no pixel of the image "
        "changes by more than .02."
    )
    source: ClassVar[str] = "Yeh et al. (2019)"
    needs: ClassVar[tuple[Need, ...]] = ("network", "method")

    draws: int = Field(3, ge=1)
    radius: float = Field(0.02, gt=0, le=1)
    images: int = Field(20, ge=1)

    def of(self, given: Given) -> Measured:
        """Return the largest relative change, at least 0."""
        assert given.network is not None
        generators = given.generators(self.name)
        maps = given.maps.astype(np.float64)
        largest = np.abs(maps).max((1, 2, 3), keepdims=True)
        size = _length(maps / largest)
        found = np.zeros(len(given))
        for _ in range(self.draws):
            moved = np.stack([rng.uniform(-1, 1, given.images.shape[1:]) for rng in generators])
            images = np.clip(given.images + self.radius * moved, 0, 1).astype(np.float32)
            again = given.again(given.network, images).astype(np.float64)
            found = np.maximum(found, _length((again - maps) / largest) / size)
        return Measured.because(found)


def _length(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.sqrt(np.square(maps).sum((1, 2, 3)))
    return found
