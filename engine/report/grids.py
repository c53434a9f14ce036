"""Grids as SVG: numbers on a colour scale, and pictures with exact pixels."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray

from engine import rendering
from engine.report.figure import Picture, number
from engine.report.look import COLOURS, FONT, INK, PAPER

# ColorBrewer's Blues without its darkest class: one hue, lightness falls evenly.
_ANCHORS = np.array(
    [(247, 251, 255), (222, 235, 247), (198, 219, 239), (158, 202, 225), (107, 174, 214),
     (66, 146, 198), (33, 113, 181), (8, 81, 156)],
    dtype=np.float64,
)  # fmt: skip
_FRAME = COLOURS["vermillion"]
_SIZE = 12
_LINE = 14
_CHARACTER = 7.2
"""Pixels of an average character of the widest font in `FONT`, so that no text is cut."""


@dataclass(frozen=True)
class Frame:
    """What a grid says at its edges.

    Attributes:
        rows, columns: labels.
        row_axis, column_axis: what the labels are of.
        ends: what stands at the right end of each row; empty for nothing.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    row_axis: str = ""
    column_axis: str = ""
    ends: Sequence[str] = ()


@dataclass(frozen=True)
class Heat:
    """Shares (R, C) in [0, 1], NaN for none, and what a cell says when it is pointed at."""

    title: str
    values: NDArray[np.floating]
    say: Callable[[int, int], str]


@dataclass(frozen=True)
class Mosaic:
    """Pictures uint8 (R, C, 1 or 3, H, W), and what one says when it is pointed at.

    Attributes:
        title: above it.
        pictures: the pixels.
        say: of row and column.
        framed, dimmed: (R, C) which get a frame, and which stand back; None for none.
        sign: a few characters to write onto a picture, "" for none.
    """

    title: str
    pictures: NDArray[np.uint8]
    say: Callable[[int, int], str]
    framed: NDArray[np.bool_] | None = None
    dimmed: NDArray[np.bool_] | None = None
    sign: Callable[[int, int], str] = lambda _r, _c: ""


def heat(
    name: str,
    frame: Frame,
    panels: Sequence[Heat],
    text: str,
    *,
    cell: tuple[int, int] = (46, 36),
) -> Picture:
    """Draw grids of numbers on a colour scale, side by side with the same rows and columns.

    Args:
        name: of the file; see `Picture`.
        frame: their labels.
        panels: the numbers.
        text: what the picture says, in words; see `Picture`.
        cell: a cell's width and height in pixels.
    """
    inside = [(each.title, _numbers(each, *cell)) for each in panels]
    return _framed(name, frame, cell, inside, text)


def mosaic(name: str, frame: Frame, panels: Sequence[Mosaic], text: str, *, size: int) -> Picture:
    """Draw pictures, each `size` pixels wide, in grids with the same rows and columns."""
    inside = [(each.title, _pictures(each, size)) for each in panels]
    return _framed(name, frame, (size, size), inside, text)


def _numbers(panel: Heat, width: int, height: int) -> str:
    parts = []
    for (r, c), value in np.ndenumerate(panel.values):
        known = bool(np.isfinite(value))
        fill, dark = _shade(float(value)) if known else ("none", False)
        colour = INK if not known else "#ffffff" if dark else "#101216"
        parts.append(
            f'<g transform="translate({c * width} {r * height})"><title>'
            f"{escape(panel.say(r, c))}</title>"
            f'<rect width="{width - 2}" height="{height - 2}" rx="2" fill="{fill}" '
            f'pointer-events="all"/>'
            f'<text x="{width / 2 - 1:g}" y="{height / 2 + 3:g}" text-anchor="middle" '
            f'fill="{colour}">{number(float(value)) if known else "–"}</text></g>'
        )
    return "".join(parts)


def _pictures(panel: Mosaic, size: int) -> str:
    rows, columns, channels, high, wide = panel.pictures.shape
    whole = panel.pictures.transpose(2, 0, 3, 1, 4).reshape(channels, rows * high, columns * wide)
    data = base64.b64encode(rendering.png(np.ascontiguousarray(whole))).decode()
    parts = [
        f'<image width="{columns * size}" height="{rows * size}" preserveAspectRatio="none" '
        f'style="image-rendering: pixelated" href="data:image/png;base64,{data}"/>'
    ]
    for r, c in np.ndindex(rows, columns):
        x, y = c * size, r * size
        back = panel.dimmed is not None and bool(panel.dimmed[r, c])
        veil = f'fill="{PAPER}" fill-opacity=".72"' if back else 'fill="none"'
        # The gap between pictures is a line in the ground's colour.
        parts.append(
            f"<g><title>{escape(panel.say(r, c))}</title>"
            f'<rect x="{x}" y="{y}" width="{size}" height="{size}" {veil} '
            f'stroke="{PAPER}" stroke-width="2" pointer-events="all"/>'
        )
        if panel.framed is not None and bool(panel.framed[r, c]):
            parts.append(
                f'<rect x="{x + 2}" y="{y + 2}" width="{size - 4}" height="{size - 4}" '
                f'fill="none" stroke="{_FRAME}" stroke-width="2.5"/>'
            )
        sign = panel.sign(r, c)
        if sign:
            parts.append(
                f'<text x="{x + size / 2:g}" y="{y + size / 2 + 4:g}" text-anchor="middle" '
                f'fill="#101216">{escape(sign)}</text>'
            )
        parts.append("</g>")
    return "".join(parts)


def _framed(
    name: str,
    frame: Frame,
    cell: tuple[int, int],
    panels: Sequence[tuple[str, str]],
    text: str,
) -> Picture:
    """Put titles, labels and axes around the panels' cells."""
    width, height = cell
    fit = width / _CHARACTER
    upright = all(len(label) <= fit for label in frame.columns)
    row_lines = [_wrapped(label, 22, max(1, (height - 2) // _LINE)) for label in frame.rows]
    lines_fit = 1 if upright else max(1, (width - 2) // _LINE)
    column_lines = [_wrapped(label, 18, lines_fit) for label in frame.columns]
    left = 8 + _room(row_lines) + (18 if frame.row_axis else 0)
    right = (10 + _room([[end] for end in frame.ends])) if frame.ends else 0
    head = 24 + (18 if frame.column_axis else 0)
    top = head + (_LINE if upright else _room(column_lines)) + 8
    apart = max(
        width * len(frame.columns) + 26,
        *(len(title) * _CHARACTER * 1.1 + 16 for title, _ in panels),
    )
    total = left + apart * (len(panels) - 1) + max(apart - 24, width * len(frame.columns)) + right
    bottom = top + height * len(frame.rows) + 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:g} {bottom:g}" '
        f'width="{total:g}" height="{bottom:g}"><g style="font: {_SIZE}px {FONT}" fill="{INK}">',
    ]
    for r, lines in enumerate(row_lines):
        first = top + r * height + height / 2 + 3 - (len(lines) - 1) * _LINE / 2
        parts += [_text(left - 8, first + i * _LINE, line, "end") for i, line in enumerate(lines)]
    if frame.row_axis:
        middle = top + height * len(frame.rows) / 2
        parts.append(_text(12, middle, frame.row_axis, "middle", turned=True, quiet=True))
    for number_of_panel, (title, inside) in enumerate(panels):
        x = left + apart * number_of_panel
        parts.append(_text(x, 13, title, "start", bold=True))
        if frame.column_axis:
            middle = x + width * len(frame.columns) / 2
            parts.append(_text(middle, head - 8, frame.column_axis, "middle", quiet=True))
        for c, lines in enumerate(column_lines):
            at = x + c * width + width / 2 - 1
            if upright:
                parts.append(_text(at, top - 8, lines[0], "middle"))
                continue
            first = at + 4 - (len(lines) - 1) * _LINE / 2
            parts += [
                _text(first + i * _LINE, top - 8, line, "start", turned=True)
                for i, line in enumerate(lines)
            ]
        parts.append(f'<g transform="translate({x:g} {top:g})">{inside}</g>')
    for r, end in enumerate(frame.ends):
        parts.append(_text(total - right + 8, top + r * height + height / 2 + 3, end, "start"))
    parts.append("</g></svg>\n")
    return Picture(name, "".join(parts), total, text)


def _text(
    x: float,
    y: float,
    words: str,
    anchor: str,
    *,
    turned: bool = False,
    bold: bool = False,
    quiet: bool = False,
) -> str:
    place = f'transform="translate({x:g} {y:g}) rotate(-90)"' if turned else f'x="{x:g}" y="{y:g}"'
    look = (' font-weight="bold"' if bold else "") + (' fill-opacity=".75"' if quiet else "")
    return f'<text {place} text-anchor="{anchor}"{look}>{escape(words)}</text>'


def _room(labels: Sequence[Sequence[str]]) -> float:
    """Return the width of the longest line in pixels, for the widest of the fonts."""
    return max((len(line) for lines in labels for line in lines), default=0) * _CHARACTER


def _wrapped(label: str, characters: int, most: int) -> list[str]:
    """Break a label between words into at most `most` lines; the last takes what is left."""
    lines: list[str] = []
    for word in label.split():
        full = lines and len(lines[-1]) + 1 + len(word) > characters
        if not lines or (full and len(lines) < most):
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return lines or [""]


def _shade(value: float) -> tuple[str, bool]:
    """Return the colour of a share, and whether it is too dark for dark text."""
    at = min(max(value, 0.0), 1.0) * (len(_ANCHORS) - 1)
    colour = [round(float(np.interp(at, range(len(_ANCHORS)), _ANCHORS[:, i]))) for i in range(3)]
    return "#" + "".join(f"{part:02x}" for part in colour), value > 0.62
