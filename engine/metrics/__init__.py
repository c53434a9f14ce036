"""Metrics of saliency maps: one number per map. One file per metric.

A metric says what it looks at (the signed map, or its magnitude), which direction is better, and
why it has no number for a map. Of a map's channels the sum counts, as it is drawn.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from engine.components import Component, Registry
from engine.metrics._given import Explain, Given
from engine.metrics._measured import WHY, Measured, Need, Why
from engine.metrics._null import NULLS, Null, in_words, random_like
from engine.metrics._strokes import found_strokes

__all__ = [
    "NULLS",
    "WHY",
    "Direction",
    "Explain",
    "Given",
    "MapMetric",
    "Measured",
    "Need",
    "Null",
    "Sign",
    "Why",
    "create",
    "found_strokes",
    "in_words",
    "random_like",
    "register",
    "registry",
]

Sign: TypeAlias = Literal["signed", "magnitude"]
Direction: TypeAlias = Literal["higher", "lower", "neither"]
_AT_A_TIME = 1000
"""Maps that are measured at a time, so that memory does not grow with their number."""


class MapMetric(Component):
    """Measures maps; subclasses implement `of` alone.

    The contract, held for every member by one test: one float64 per map; NaN exactly where there is
    a reason; a map that is zero or constant has no number; a map's number does not depend on the
    maps beside it, nor on a factor that all of its values have.
    """

    sign: ClassVar[Sign] = "magnitude"
    """Whether it looks at signed values, or at their size alone."""
    direction: ClassVar[Direction] = "neither"
    """Which values speak for the map; `neither` where that depends on what is asked."""
    says: ClassVar[str] = ""
    """What it measures, in one sentence for readers."""
    source: ClassVar[str] = ""
    """Who proposed it."""
    needs: ClassVar[tuple[Need, ...]] = ()
    """What it needs beside maps and images; without one of them no map has a number."""

    @property
    def title(self) -> str:
        """Its name in words."""
        return self.name.replace("_", " ").capitalize()

    @property
    def asks_network(self) -> bool:
        """Whether it asks the network again, so that it costs as much."""
        return "network" in self.needs

    @property
    def most(self) -> int | None:
        """Of how many images it is measured at most, its `images`; None: of all that are given."""
        found: int | None = getattr(self, "images", None)
        return found

    def measure(self, given: Given) -> Measured:
        """Return one number per map.

        Args:
            given: N maps with their images, and whatever else there is.

        Raises:
            NotFiniteError: the network's answer to an image was NaN or infinite.
        """
        lacking = given.lacking(self.needs)
        if lacking is not None:
            return Measured.none(len(given), lacking)
        why = given.blank()
        found = Measured.none(len(given), why)
        rows = np.flatnonzero(why == "")
        for start in range(0, len(rows), _AT_A_TIME):
            some = rows[start : start + _AT_A_TIME]
            found = found.at(some, self.of(given.rows(some)))
        return found

    def of(self, given: Given) -> Measured:
        """Return one number per map: of at least one, none of them zero or constant.

        All that `needs` names is there.
        """
        raise NotImplementedError


registry: Registry[MapMetric] = Registry("metric", __name__)
register = registry.register


def create(name: str, **params: Any) -> MapMetric:
    """Return the metric `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)
