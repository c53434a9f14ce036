"""The power over people and images, drawn: lines over people, one for each number of images."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.errors import UsageError
from study_app import templates
from study_app.power.answer import Answer, percent, points
from study_app.power.grid import ENOUGH, Power

SUFFIXES = (".html", ".svg")
WIDTH, HEIGHT = 460, 318
LEFT, RIGHT, TOP, BOTTOM = 52, 88, 58, 42
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_LINE = 62  # letters of a title
_CLOSEST = 13  # pixels between names at the ends of lines


class Dot(NamedTuple):
    """A cell in the picture: where it is, the interval of its power, and what it says."""

    x: float
    y: float
    low: float
    high: float
    said: str


class Line(NamedTuple):
    """The powers with one number of images.

    Attributes:
        images: how many.
        number: of the line, from 0, for its colour.
        dots: from few people to many.
        path: the line through them.
        band: the area between the powers with the ends of the components' ranges; "" without.
        name: the height at which its name stands.
    """

    images: int
    number: int
    dots: Sequence[Dot]
    path: str
    band: str
    name: float


class Panel(NamedTuple):
    """The picture of one comparison.

    Attributes:
        title: what is compared, and the effect; in one or two lines.
        top: where it begins.
        lines: one for each number of images.
        people: numbers of people with their places.
        levels: powers in words, with their places.
        enough: the height of `ENOUGH`.
    """

    title: Sequence[str]
    top: int
    lines: Sequence[Line]
    people: Sequence[tuple[int, float]]
    levels: Sequence[tuple[str, float]]
    enough: float


def svg(answer: Answer) -> str:
    """Return the picture as an SVG document."""
    return str(templates.render("power/chart.svg", **_drawn(answer)))


def html(answer: Answer) -> str:
    """Return a page with the picture, all numbers as a table, and what is to be said."""
    rows: dict[str, list[tuple[object, ...]]] = {}
    for c in answer.cells:
        ends = (percent(end, short=True) if end else "" for end in (c.lower, c.upper))
        row = (c.people, c.analysed, c.images, percent(c.power), *ends, f"{100 * c.width:.0f}")
        rows.setdefault(answer.setting.compared[c.comparison].label, []).append(row)
    return str(
        templates.render(
            "power/page.html",
            study=answer.setting.study.name,
            said=list(answer.sentences()),
            rows=rows,
            ranged=answer.setting.components.ranged,
            runs=answer.cells[0].runs,
            **_drawn(answer),
        )
    )


def write(answer: Answer, path: Path) -> None:
    """Write the page or the picture, by the ending of the path.

    Raises:
        UsageError: it ends otherwise.
        OSError: it cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"--out {path}: give a .html or .svg file")
    path.write_text(svg(answer) if path.suffix == ".svg" else html(answer), "utf-8")


def _drawn(answer: Answer) -> dict[str, object]:
    panels = list(_panels(answer))
    return {
        "panels": panels,
        "width": WIDTH,
        "height": HEIGHT * len(panels),
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "floor": HEIGHT - BOTTOM,
        "summary": answer.recommendation(),
    }


def _panels(answer: Answer) -> Iterator[Panel]:
    people = sorted({cell.people for cell in answer.cells})
    places = {each: _across(number, len(people)) for number, each in enumerate(people)}
    for number, one in enumerate(answer.setting.compared):
        cells = [cell for cell in answer.cells if cell.comparison == number]
        aim = points(one.margin or 0) if one.claim == "equivalent" else points(one.effect)
        yield Panel(
            textwrap.wrap(f"{one.label}, {aim}", _LINE, max_lines=2, placeholder=" …"),
            number * HEIGHT,
            _lines(cells, places),
            list(places.items()),
            [(f"{100 * tick:.0f} %", _up(tick)) for tick in TICKS],
            _up(ENOUGH),
        )


def _lines(cells: Sequence[Power], places: dict[int, float]) -> list[Line]:
    lines = []
    for number, images in enumerate(sorted({cell.images for cell in cells})):
        own = sorted((c for c in cells if c.images == images), key=lambda c: c.people)
        dots = [
            Dot(
                places[c.people], _up(c.power.share), _up(c.power.low), _up(c.power.high),
                f"{c.people} people, {c.images} images: {percent(c.power)}",
            )
            for c in own
        ]  # fmt: skip
        ends = [(places[c.people], c.lower, c.upper) for c in own]
        there = [(x, _up(low.share)) for x, low, _ in ends if low]
        back = [(x, _up(high.share)) for x, _, high in reversed(ends) if high]
        band = _path([*there, *back]) + "Z" if there else ""
        path = _path([(dot.x, dot.y) for dot in dots])
        lines.append(Line(images, number, dots, path, band, dots[-1].y))
    return _apart(lines)


def _apart(lines: Sequence[Line]) -> list[Line]:
    """Move the names of lines that end at the same height apart."""
    taken: list[float] = []
    moved = {}
    for line in sorted(lines, key=lambda each: -each.name):
        height = min(line.name, taken[-1] - _CLOSEST) if taken else line.name
        taken.append(height)
        moved[line.number] = line._replace(name=height)
    return [moved[line.number] for line in lines]


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _across(number: int, count: int) -> float:
    """Return where the number-th of so many numbers of people stands: as far apart as the next."""
    share = number / (count - 1) if count > 1 else 0.5
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _up(share: float) -> float:
    return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
