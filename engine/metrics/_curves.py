"""The network's answer while an image is taken away pixel by pixel, in a map's order."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.metrics import Given, MapMetric, Measured, Need
from engine.metrics._asking import probability

Order: TypeAlias = Literal["magnitude", "signed"]


class Curve(MapMetric):
    """The area under the probability of the class while the image goes or comes, by |map|.

    Petsiuk, Das & Saenko (2018), "RISE", section 4.2. Pixels go from the largest |value| to the
    smallest. What is away is replaced by the maps' baseline; where the method has none, by the mean
    colour of the test images.

    Attributes:
        steps: into so many parts the pixels are divided.
        order: `magnitude`, or `signed` for maps whose negative values speak against the class.
        images: of how many images, since each step is a question to the network.
    """

    source: ClassVar[str] = "Petsiuk et al. (2018)"
    needs: ClassVar[tuple[Need, ...]] = ("network", "baseline")
    deleted: ClassVar[bool]
    """Whether the image is taken away, or put back into its baseline."""

    steps: int = Field(10, ge=2)
    order: Order = "magnitude"
    images: int = Field(40, ge=1)

    def of(self, given: Given) -> Measured:
        """Return the area, in [0, 1]."""
        return Measured.because(
            area(given, self.name, self.steps, self.order, deleted=self.deleted)
        )


def area(
    given: Given, name: str, steps: int, order: Order, *, deleted: bool
) -> NDArray[np.float64]:
    """Return the area (N,) under the probability of the class over the share of pixels done.

    By trapezoids. Equal values are done in an order that the image's seed draws.

    Args:
        given: the maps, with a network.
        name: of the metric, which its draws go by.
        steps: into so many equal parts pixels are divided.
        order: whether the largest |value| or the largest value is first.
        deleted: whether the image is taken away, or put back into its baseline.
    """
    pixels = given.images[0, 0].size
    values = given.drawn().reshape(len(given), pixels)
    if order == "magnitude":
        values = np.abs(values)
    chance = np.stack([rng.random(pixels) for rng in given.generators(name)])
    rank = np.argsort(np.lexsort((chance, -values), axis=1), axis=1).reshape(
        len(given), 1, *given.images.shape[2:]
    )
    baseline = given.baseline
    assert baseline is not None
    whole = given.once("whole", lambda: probability(given, given.images))
    empty = given.once("empty", lambda: probability(given, baseline))
    first, second = (baseline, given.images) if deleted else (given.images, baseline)
    between = [
        probability(given, np.where(rank < done, first, second))
        for done in np.rint(np.linspace(0, pixels, steps + 1))[1:-1]
    ]
    ends = (whole, empty) if deleted else (empty, whole)
    curve = np.stack([ends[0], *between, ends[1]])
    found: NDArray[np.float64] = (curve[:-1] + curve[1:]).mean(0) / 2
    return found
