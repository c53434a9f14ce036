"""Whether a map says what the network's answer does when the image is disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.metrics import Direction, Given, MapMetric, Measured, Need, Sign, register
from engine.metrics._asking import scalar


@register
class Infidelity(MapMetric):
    """min over b of E[(b I·map - (F(x) - F(x - I)))^2] / E[(F(x) - F(x - I))^2].

    Yeh et al. (2019), "On the (in)fidelity and sensitivity of explanations", definition 2.1 with
    the optimal scaling b of section 2.2, over what a map of zeros has: so that it lies in [0, 1],
    and neither the unit of the map nor that of the logits counts. F is the explained scalar. I is
    Gaussian, of the image's seed. As in the paper pixels may leave [0, 1]: noise that is cut off
    there has a mean, which alone would make every map that tells its effect look faithful. A random
    map has about 1 - 1/`draws`.

    Attributes:
        draws: disturbances per image.
        sigma: their standard deviation, in units of the pixel range.
        images: of how many images, since each draw is a question to the network.
    """

    sign: ClassVar[Sign] = "signed"
    direction: ClassVar[Direction] = "lower"
    says: ClassVar[str] = (
        "Which share of what noise in the image does to the answer is not told by "
        "the map, scaled at its best."
    )
    source: ClassVar[str] = "Yeh et al. (2019)"
    needs: ClassVar[tuple[Need, ...]] = ("network", "class")

    draws: int = Field(20, ge=2)
    sigma: float = Field(0.2, gt=0, le=1)
    images: int = Field(40, ge=1)

    def of(self, given: Given) -> Measured:
        """Return the share, in [0, 1]; none where the answer never changes."""
        changes = given.once((repr(self), "changes"), lambda: self._changes(given))
        told = np.zeros((self.draws, len(given)))
        maps = given.whole()
        for draw, disturbance in enumerate(self._disturbances(given)):
            told[draw] = (disturbance * maps).sum((1, 2, 3))
        largest = np.abs(changes).max(0)
        flat = largest == 0
        own = changes / np.where(flat, 1, largest)
        length = np.square(told).sum(0) * np.square(own).sum(0)
        both = np.square((told * own).sum(0)) / np.where(length > 0, length, 1)
        return Measured.because(np.clip(1 - both, 0, 1), (flat, "flat_network"))

    def _changes(self, given: Given) -> NDArray[np.float64]:
        """Return F(x) - F(x - I), (draws, N)."""
        before = scalar(given, given.images)
        made = (
            before - scalar(given, given.images - disturbance)
            for disturbance in self._disturbances(given)
        )
        return np.stack(list(made))

    def _disturbances(self, given: Given) -> Iterator[NDArray[np.float32]]:
        """Yield the disturbances (N, C, H, W), float32, one of each image at a time."""
        generators = given.generators(self.name)
        shape = given.images.shape[1:]
        for _ in range(self.draws):
            noise = np.stack([rng.standard_normal(shape, np.float32) for rng in generators])
            yield np.float32(self.sigma) * noise
