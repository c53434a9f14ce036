"""The network's answer while an image is taken away pixel by pixel, in a map's order."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.metrics._asking import probability
from engine.metrics._given import Given

Order: TypeAlias = Literal["magnitude", "signed"]


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
