"""The geometry of plots that templates draw as SVG: dots with intervals, columns of counts.

All are WIDTH units wide, which fits a phone; a label stands above its mark, so that long ones have
room. Positions are in the units of the drawing, y from the top.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from study_app.analysis.formats import number

WIDTH = 340.0
LEFT, RIGHT = 10.0, 330.0
_LINE, _MARK, _GAP, _AXIS, _HEADING = 15.0, 16.0, 7.0, 22.0, 24.0
_LETTERS = 52
"""Letters of 12 units that fit a line."""
_MOST_TICKS = 6
COLOURS = 6
"""Of arms; further ones begin again."""


@dataclass(frozen=True)
class Point:
    """What is drawn: a value with its interval.

    Attributes:
        label: what it is of.
        told: the value as text.
        value, low, high: None and infinite where there is none.
        group: its heading, such as the arm; points of a group stand together.
        colour: a number below COLOURS.
        hollow: it is no statement of its own, such as one without an interval.
    """

    label: str
    told: str
    value: float | None
    low: float
    high: float
    group: str = ""
    colour: int = 0
    hollow: bool = False


@dataclass(frozen=True)
class Mark:
    """A point in the drawing; `x`, `low` and `high` None where there is nothing to draw."""

    lines: Sequence[tuple[float, str]]
    told: str
    told_y: float
    y: float
    x: float | None
    low: float | None
    high: float | None
    colour: int
    hollow: bool


@dataclass(frozen=True)
class Dots:
    """Points with intervals over one axis.

    Attributes:
        title: what is drawn, as a sentence, for those who do not see it.
        height: of the drawing.
        headings: (y, text) of the groups.
        marks: the points.
        ticks: (x, text).
        dashed: x of lines that are compared with, such as no difference.
        axis: y of the axis.
        unit: what the axis counts; "".
    """

    title: str
    height: float
    headings: Sequence[tuple[float, str]]
    marks: Sequence[Mark]
    ticks: Sequence[tuple[float, str]]
    dashed: Sequence[float]
    axis: float
    unit: str


def dots(
    title: str,
    points: Sequence[Point],
    domain: tuple[float, float],
    *,
    percent: bool = False,
    dashed: Sequence[float] = (),
    unit: str = "",
) -> Dots:
    """Return a plot of `points`.

    Args:
        title: see `Dots`.
        points: in order; those of a group together.
        domain: of the axis; what lies outside is cut off.
        percent: the axis counts hundredths, with the sign where no unit is said.
        dashed: values that are compared with.
        unit: see `Dots`.
    """
    low, high = domain
    headings, marks, y, group = [], [], 4.0, ""
    for point in points:
        if point.group != group:
            group = point.group
            headings.append((y + _HEADING - 9, group))
            y += _HEADING
        room = _LETTERS - len(point.told) - 4
        lines = textwrap.wrap(point.label, max(12, room)) or [""]
        ys = [y + 12 + _LINE * n for n in range(len(lines))]
        at = y + _LINE * len(lines) + _MARK / 2
        known = point.value is not None and isfinite(point.value)
        between = isfinite(point.low) and isfinite(point.high) and not point.hollow
        marks.append(
            Mark(
                list(zip(ys, lines, strict=True)),
                point.told,
                y + 12,
                at,
                _at(point.value or 0.0, low, high) if known else None,
                _at(point.low, low, high) if between else None,
                _at(point.high, low, high) if between else None,
                point.colour % COLOURS,
                point.hollow,
            )
        )
        y = at + _MARK / 2 + _GAP
    ticks = [(_at(t, low, high), _tick(t, percent=percent, unit=unit)) for t in steps(low, high)]
    reference = [_at(value, low, high) for value in dashed if low <= value <= high]
    return Dots(title, y + _AXIS + (12 if unit else 0), headings, marks, ticks, reference, y, unit)


@dataclass(frozen=True)
class Column:
    """One value of a distribution: x, y, width and height, its label and how often it was given."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int


@dataclass(frozen=True)
class Distribution:
    """How often each value was given, in each of several groups.

    Attributes:
        title: as a sentence, for those who do not see it.
        height: of the drawing.
        rows: (lines of the label with their y, y of the axis, columns).
        colours: of the rows.
    """

    title: str
    height: float
    rows: Sequence[tuple[Sequence[tuple[float, str]], float, Sequence[Column]]]
    colours: Sequence[int]


def distribution(
    title: str, groups: Sequence[tuple[str, Mapping[str, int], int]], values: Sequence[str]
) -> Distribution:
    """Return columns of shares, one row for each group on the same scale.

    Args:
        title: see `Distribution`.
        groups: (label, counts by value, colour).
        values: on the axis, in order.
    """
    tall, y, rows, colours = 44.0, 4.0, [], []
    slot = (RIGHT - LEFT) / max(1, len(values))
    shares = [
        counts.get(value, 0) / max(1, sum(counts.values()))
        for _, counts, _ in groups
        for value in values
    ]
    top = max([*shares, 0.01])
    for label, counts, colour in groups:
        total = max(1, sum(counts.values()))
        lines = textwrap.wrap(label, _LETTERS) or [""]
        told = [(y + 12 + _LINE * n, line) for n, line in enumerate(lines)]
        base = y + _LINE * len(lines) + 3 + tall
        columns = []
        for place, value in enumerate(values):
            height = tall * counts.get(value, 0) / total / top
            x = LEFT + place * slot + slot * 0.1
            columns.append(
                Column(x, base - height, slot * 0.8, height, value, counts.get(value, 0))
            )
        rows.append((told, base, columns))
        colours.append(colour % COLOURS)
        y = base + 22
    return Distribution(title, y, rows, colours)


def around(values: Sequence[float], *, always: Sequence[float] = ()) -> tuple[float, float]:
    """Return a domain that holds all finite `values`, with some room; never empty."""
    held = [value for value in (*values, *always) if isfinite(value)]
    if not held:
        return 0.0, 1.0
    low, high = min(held), max(held)
    room = 0.06 * (high - low) or max(0.5, abs(high) * 0.1)
    return low - room, high + room


def steps(low: float, high: float) -> list[float]:
    """Return at most _MOST_TICKS round numbers in [low, high]."""
    rough = (high - low) / (_MOST_TICKS - 1)
    if rough <= 0 or not isfinite(rough):
        return [low]
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first = ceil(low / step - 1e-9)
    return [n * step for n in range(first, floor(high / step + 1e-9) + 1)]


def _at(value: float, low: float, high: float) -> float:
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    return round(LEFT + share * (RIGHT - LEFT), 2)


def _tick(value: float, *, percent: bool, unit: str) -> str:
    shown = value * 100 if percent else value
    text = f"{shown:.0f}" if percent or abs(shown - round(shown)) < 1e-9 else number(shown)
    text = text.replace("-0", "0") if text == "-0" else text.replace("-", "\N{MINUS SIGN}")
    return f"{text} %" if percent and not unit else text
