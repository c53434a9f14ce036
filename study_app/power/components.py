"""Variance components: how people and images differ, each as a range."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from engine.components import yaml_files
from engine.errors import UsageError

MOST = 5.0
"""A larger standard deviation in log-odds means that everybody always answers the same."""


@dataclass(frozen=True)
class Range:
    """A standard deviation in log-odds: the likeliest value, and where it may lie.

    Attributes:
        value: the one reckoned with.
        low, high: the ends of the range.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.value:.2g}"
        return f"{self.value:.2g} ({self.low:.2g} to {self.high:.2g})"


@dataclass(frozen=True)
class Deviations:
    """Standard deviations in log-odds.

    Attributes:
        person, image: of the intercepts.
        person_condition, image_condition: of what a person, an image, adds in one condition.
    """

    person: float
    image: float
    person_condition: float
    image_condition: float

    @property
    def whole(self) -> float:
        """The standard deviation of the log-odds of anybody's answer to any image."""
        squares = (each**2 for each in asdict(self).values())
        return float(sum(squares) ** 0.5)


@dataclass(frozen=True)
class Components:
    """How people and images differ, as ranges of standard deviations in log-odds.

    Attributes:
        person, image, person_condition, image_condition: see `Deviations`.
        source: where they are from: "declared", "assumed", or "pilot NAME".
    """

    person: Range
    image: Range
    person_condition: Range
    image_condition: Range
    source: str

    @property
    def middle(self) -> Deviations:
        """The values reckoned with."""
        return Deviations(**{name: getattr(self, name).value for name in NAMES})

    @property
    def lower(self) -> Deviations:
        """The lower ends of the ranges: people and images are as alike as may be."""
        return Deviations(**{name: getattr(self, name).low for name in NAMES})

    @property
    def upper(self) -> Deviations:
        """The upper ends of the ranges."""
        return Deviations(**{name: getattr(self, name).high for name in NAMES})

    @property
    def ranged(self) -> bool:
        """Whether any is a range and no single number."""
        return self.lower != self.upper

    def __str__(self) -> str:
        said = (f"{name.replace('_', ' x ')} {getattr(self, name)}" for name in NAMES)
        return f"{', '.join(said)}; {self.source}"


NAMES = tuple(field.name for field in fields(Deviations))

ASSUMED = Components(
    Range(1.0, 0.7, 1.3), Range(1.0, 0.7, 1.3), Range(0.3, 0.1, 0.5), Range(0.6, 0.4, 0.8),
    "assumed",
)  # fmt: skip
"""Where nothing is known. Judgements of disturbed pictures are of this order; pilots differ."""


def declared(given: Mapping[str, str | float | None], place: str = "--{}") -> Components:
    """Return components of which some are given; the others are assumed.

    Args:
        given: by name a standard deviation, or a range such as "0.8-1.2"; None: not given.
        place: how an error names a component.

    Raises:
        UsageError: a name or value that is none.
    """
    unknown = [name for name in given if name not in NAMES]
    if unknown:
        raise UsageError(f"{place.format(unknown[0])}: no component; known: {', '.join(NAMES)}")
    ranges = {
        name: _range(str(value), place.format(name.replace("_", "-") if "-" in place else name))
        for name, value in given.items()
        if value is not None
    }
    if not ranges:
        return ASSUMED
    source = "declared" if len(ranges) == len(NAMES) else "declared, the others assumed"
    return Components(**{n: ranges.get(n, getattr(ASSUMED, n)) for n in NAMES}, source=source)


def from_file(path: Path) -> Components:
    """Return the components in a YAML file: a number or a range by name.

    Raises:
        UsageError: it cannot be read, or what it says is none.
    """
    document, _ = yaml_files.read(str(path), "components", path.parent)
    listed: dict[str, Any] = {
        name: "-".join(map(str, value)) if isinstance(value, list) else value
        for name, value in document.items()
    }
    return declared(listed, f"{path}: {{}}")


def _range(text: str, place: str) -> Range:
    found = re.fullmatch(r"\s*(\d*\.?\d+)(?:\s*(?:-|to)\s*(\d*\.?\d+))?\s*", text)
    low, high = (float(found[1]), float(found[2] or found[1])) if found else (1.0, 0.0)
    if not 0 <= low <= high <= MOST:
        raise UsageError(
            f"{place}: {text!r} is no standard deviation in log-odds; give a number from 0 to "
            f"{MOST:g}, or a range such as 0.8-1.2"
        )
    return Range((low + high) / 2, low, high)
