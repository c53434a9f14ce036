"""A parameter that takes several values, and one that takes the value that was chosen.

In an experiment file a number may stand as `{log: [0.195, 195, 13]}` (first, last, how many, evenly
on a log scale), as `{values: [0.1, 1, 10]}`, or as `{chosen: LABEL}`: the value that the selection
took for the swept defense LABEL.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from engine import defenses
from engine.defenses import Defense
from engine.errors import UsageError

MOST = 100
"""Values that a sweep may have: each is a training."""


@dataclass(frozen=True)
class Template:
    """A defense with one parameter left open.

    Attributes:
        parts: configuration of every part of the defense.
        part, parameter: where the open parameter is.
    """

    parts: tuple[Mapping[str, Any], ...]
    part: int
    parameter: str

    def fill(self, value: float) -> Defense:
        """Return the defense with the open parameter at `value`."""
        parts = [dict(part) for part in self.parts]
        parts[self.part][self.parameter] = value
        return defenses.combine(parts)


@dataclass(frozen=True)
class Sweep:
    """A defense at several values of one parameter."""

    template: Template
    values: tuple[float, ...]

    def candidates(self) -> list[Defense]:
        """Return the defense at each value, in their order."""
        return [self.template.fill(value) for value in self.values]


@dataclass(frozen=True)
class Derived:
    """A defense that takes the value chosen for another, the sweep `of`."""

    template: Template
    of: str


AnyDefense: TypeAlias = Defense | Sweep | Derived


def read(value: Any) -> AnyDefense:
    """Return the defense, sweep or derived defense that a part of an experiment file describes.

    Raises:
        UsageError: it is none of them; the message says what is wrong.
    """
    given = value if isinstance(value, list) else [value]
    parts = tuple(part if isinstance(part, Mapping) else {"name": part} for part in given)
    places = [
        (index, name)
        for index, part in enumerate(parts)
        for name, parameter in part.items()
        if isinstance(parameter, Mapping) and name != "name"
    ]
    if not places:
        return defenses.combine([dict(part) for part in parts])
    if len(places) > 1:
        names = ", ".join(str(name) for _, name in places)
        raise UsageError(f"only one parameter can be swept, not {names}")
    (index, name) = places[0]
    given_value = parts[index][name]
    template = Template(parts, index, name)
    if set(given_value) == {"chosen"} and isinstance(given_value["chosen"], str):
        return Derived(template, given_value["chosen"])
    values = tuple(_values(name, given_value))
    if len({f"{value:g}" for value in values}) < len(values):
        raise UsageError(
            f"{name}: {dict(given_value)!r} gives values that six digits cannot tell apart"
        )
    sweep = Sweep(template, values)
    sweep.candidates()
    return sweep


def _values(name: str, given: Mapping[str, Any]) -> Sequence[float]:
    match dict(given):
        case {"log": [first, last, int(count)], **rest} if not rest:
            if not (_number(first) and _number(last) and 0 < first < last and 2 <= count <= MOST):
                raise UsageError(
                    f"{name}: log takes two numbers above 0, the smaller first, and how many "
                    f"values, 2 to {MOST}, not {given['log']!r}"
                )
            ratio = (math.log(last) - math.log(first)) / (count - 1)
            # Four digits: names and tables show them, and they are the same on every machine.
            between = [float(f"{first * math.exp(ratio * i):.4g}") for i in range(1, count - 1)]
            return [float(first), *between, float(last)]
        case {"values": [*values], **rest} if not rest:
            if not 1 <= len(values) <= MOST or not all(map(_number, values)):
                raise UsageError(f"{name}: values takes 1 to {MOST} numbers, not {values!r}")
            return [float(value) for value in values]
    raise UsageError(
        f"{name}: {dict(given)!r} is not {{log: [first, last, count]}}, {{values: [...]}} or "
        "{chosen: LABEL}"
    )


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False
