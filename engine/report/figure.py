"""What a report is made of: figures with their pictures, numbers and origin."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.artifacts import Artifact
from engine.statistics import Interval

Key = TypeVar("Key")
Cell = str | int | float | bool | None
INTERVAL = ("value", "low", "high", "seeds", "images")
"""Columns of a number with its 95 % interval."""
FLOAT = "value_float"
"""Column of an accuracy under attack before the examples were rounded to 8 bits, where known."""


_FORMULAS = tuple("=+-@＝＋－＠")
"""What a spreadsheet takes for the beginning of a formula, full width in East Asia."""


@dataclass(frozen=True)
class Table:
    """Numbers in long form: a row a number.

    Attributes:
        name: of its file.
        columns: their names.
        rows: their values, in the columns' order; None is an empty field.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def csv(self) -> str:
        """Return it as CSV; floats so that they read back to the same number."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_plain(cell) for cell in row] for row in self.rows)
        return buffer.getvalue()


@dataclass(frozen=True)
class Picture:
    """One drawing of a figure.

    Attributes:
        name: of its file, unique in the report.
        svg: with the colours of `look` as they are in a file.
        width: in CSS pixels, at which its text is as large as the page's small print.
        text: what can be seen, in words.
    """

    name: str
    svg: str
    width: float
    text: str


@dataclass(frozen=True)
class Figure:
    """One figure of one dataset.

    Attributes:
        slug: its address in the page, unique in the report.
        title: what tells it from the others of its section.
        sentence: what it shows.
        pictures: its drawings, side by side where there is room.
        table: every number drawn.
        sources: the artifacts that the numbers are from, by what they are in words.
        notes: marks explained, what was left out, what to compare with.
        shown: a table to read, its headings first; empty for none.
    """

    slug: str
    title: str
    sentence: str
    pictures: tuple[Picture, ...]
    table: Table
    sources: Mapping[str, Artifact]
    notes: tuple[str, ...] = ()
    shown: tuple[tuple[str, ...], ...] = ()


def table(name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """Return a table of the file `name`."""
    return Table(name, tuple(columns), tuple(tuple(row) for row in rows))


def cells(found: Interval) -> tuple[Cell, ...]:
    """Return an interval as the cells of `INTERVAL`; without a value both ends are empty."""
    if found.value is None:
        return (None, None, None, found.seeds, found.images)
    return (found.value, found.low, found.high, found.seeds, found.images)


def number(value: float | None) -> str:
    """Return a number with two decimals and no leading zero, as papers print shares: .62, 1.00."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{abs(value):.2f}"
    sign = "−" if value < 0 and text != "0.00" else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def short(value: float) -> str:
    """Return two digits that count, without an exponent: 1000, 5.2, 0.034."""
    return f"{float(f'{value:.2g}'):.10g}"


def words(found: Interval) -> str:
    """Return a number with its interval: .62 [.55, .69]."""
    if found.value is None:
        return "not measured"
    return f"{number(found.value)} [{number(found.low)}, {number(found.high)}]"


def float_words(before: float | None) -> str:
    """Return what follows an accuracy under attack: what it was before rounding, where known."""
    return "" if before is None else f"; float {number(before)}"


def listed(parts: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def extremes(found: Mapping[Key, Interval]) -> tuple[Key, Key]:
    """Return whose value is the lowest and whose the highest; no value counts as 0."""

    def value(key: Key) -> float:
        return float(found[key].value or 0)

    return min(found, key=value), max(found, key=value)


def _plain(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return repr(float(cell)) if math.isfinite(cell) else ""
    if isinstance(cell, str) and cell.lstrip().startswith(_FORMULAS):
        return f"'{cell}"  # titles come from files that people send
    return cell
