"""How figures look: one colour, marker and dash a defense, and SVG that suits light and dark.

Colours are those of Okabe & Ito (2008, "Color universal design"), which people with any colour
vision tell apart; markers and dashes say the same without colour. matplotlib is slow to import and
is imported when something is drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import escape

from engine.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1d1f23"
"""Text, axes and the first model; in the page the colour of its text."""
PAPER = "#fefefe"
"""The ground, where something drawn must hide what is below it."""
COLOURS = {
    "ink": INK,
    "blue": "#0072b2",
    "vermillion": "#d55e00",
    "green": "#009e73",
    "purple": "#cc79a7",
    "orange": "#e69f00",
    "sky": "#56b4e9",
}
"""In files as they were published; the page has variants of the same hue for its two grounds."""
FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_DRAWN_IN = "DejaVu Sans"
"""Carried by matplotlib, and wider than what readers have: what fits in it fits on the page."""


@dataclass(frozen=True)
class Style:
    """How a defense is drawn, everywhere the same.

    Attributes:
        colour: in hexadecimal.
        marker, dash: matplotlib's.
        hollow: whether markers are only outlined.
    """

    colour: str
    marker: str
    dash: Any = "-"
    hollow: bool = False

    def line(self) -> dict[str, Any]:
        """Return matplotlib's options for a line."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": self.dash,
            "markerfacecolor": "none" if self.hollow else self.colour,
        }


_DASHED, _DOTTED, _MIXED = (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 1.5, 1.5, 1.5))
_KNOWN = {
    "none": Style(COLOURS["ink"], "o"),
    "distillation": Style(COLOURS["orange"], "D", _DOTTED),
    "adversarial_training": Style(COLOURS["blue"], "s", _DASHED),
    "penalty_loss": Style(COLOURS["vermillion"], "^"),
    "gradient_penalty": Style(COLOURS["vermillion"], "^"),
    "penalty_uniform": Style(COLOURS["purple"], "v", _MIXED),
    "both": Style(COLOURS["green"], "P", _DASHED),
    "squared": Style(COLOURS["blue"], "s"),
    "logistic": Style(COLOURS["vermillion"], "^"),
    "none_norm": Style(COLOURS["ink"], "o", _DASHED, hollow=True),
    "squared_norm": Style(COLOURS["blue"], "s", _DASHED, hollow=True),
    "logistic_norm": Style(COLOURS["vermillion"], "^", _DASHED, hollow=True),
}
"""By the labels of the papers' experiments; other labels take what is left, in their order."""


def styles(defenses: Sequence[str], drawn: Iterable[str] | None = None) -> dict[str, Style]:
    """Return the style of every defense; two of an experiment never have the same.

    Args:
        defenses: of the experiment, all of them, so that each looks the same in every figure.
        drawn: those whose styles are wanted; default: all.
    """
    found = {label: _KNOWN[label] for label in defenses if label in _KNOWN}
    marks = "odX*ph<>8"
    free = [
        Style(colour, marks[i % len(marks)], dash, hollow)
        for hollow in (False, True)
        for dash in ("-", _DASHED, _DOTTED)
        for i, colour in enumerate(COLOURS.values())
    ]
    taken = {(s.colour, str(s.dash), s.hollow) for s in found.values()}
    for label in defenses:
        if label not in found:
            fresh = (s for s in free if (s.colour, str(s.dash), s.hollow) not in taken)
            found[label] = next(fresh, free[len(found) % len(free)])
            taken.add((found[label].colour, str(found[label].dash), found[label].hollow))
    return {label: found[label] for label in (defenses if drawn is None else drawn)}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the report's style inside the block."""
    from matplotlib import rc_context

    options: Any = {
        "font.family": _DRAWN_IN,
        "font.size": 12,
        "axes.titlesize": 12.5,
        "axes.titleweight": "bold",
        "axes.labelsize": 12,
        "legend.fontsize": 12,
        "legend.frameon": False,
        "legend.handlelength": 3.2,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": INK,
        "grid.alpha": 0.13,
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.8,
        "lines.markersize": 5.5,
        "figure.dpi": 72,  # a unit of the drawing is then a CSS pixel
        "svg.fonttype": "none",
        "axes.unicode_minus": True,
        "text.parse_math": False,  # titles are text, also with dollar signs
    }
    with rc_context(options):
        yield


def panels(
    count: int, *, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels; `width` of the whole and `height` of a row in pixels."""
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width / 72, (height * rows + 52) / 72), layout="constrained")
    figure.patch.set_alpha(0)
    # Nothing touches its neighbour: constrained layout pads in inches.
    figure.get_layout_engine().set(w_pad=8 / 72, h_pad=8 / 72)  # type: ignore[union-attr, call-arg]
    made = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for spare in made[count:]:
        spare.remove()
    for axes in made[:count]:
        axes.patch.set_alpha(0)
        axes.locator_params(axis="x", nbins=6)
    if columns * rows > count and options.get("sharex"):
        for axes in made[count - columns : count]:
            axes.tick_params(labelbottom=True)
    return figure, list(made[:count])


def line(
    axes: Axes, x: Sequence[float], found: Sequence[Interval], style: Style, label: str
) -> None:
    """Draw values with their intervals as a band."""
    y, low, high = (
        np.array([np.nan if f.value is None else getattr(f, end) for f in found], dtype=float)
        for end in ("value", "low", "high")
    )
    axes.fill_between(x, low, high, color=style.colour, alpha=0.16, linewidth=0)
    axes.plot(x, y, label=label, **style.line())


def legend(figure: Figure, axes: Axes, *, columns: int = 3, extra: Sequence[Any] = ()) -> None:
    """Put the labels of `axes` below the whole figure."""
    handles, labels = axes.get_legend_handles_labels()
    handles += list(extra)
    labels += [str(handle.get_label()) for handle in extra]
    figure.legend(handles, labels, loc="outside lower left", ncols=columns)


def name_rows(axes: Axes, names: Sequence[str], *, room: float) -> None:
    """Put a model on each whole number of the y axis, the first on top.

    Args:
        axes: where.
        names: the models', in order.
        room: what is left above the first and below the last, in rows.
    """
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 1 + room, -room)


def name_values(panels: Sequence[Axes], columns: int, name: str) -> None:
    """Say what the shared y axis is of, once a row of panels."""
    for axes in panels[:: min(columns, len(panels))]:
        axes.set_ylabel(name)


def log_ticks(axes: Axes, which: str = "x") -> None:
    """Label a logarithmic axis by powers of ten in plain text; formulas do not scale well."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))
    axis.set_minor_formatter(NullFormatter())


def power(value: float) -> str:
    """Return 10⁻³ for .001, and any number that is no power of ten as it is."""
    if value <= 0:
        return f"{value:g}".replace("-", "−")
    exponent = np.log10(value)
    if abs(exponent - round(exponent)) > 1e-9:
        return f"{value:g}"
    if -4 < exponent < 4:
        return f"{value:g}"
    return "10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG: equal bytes for equal figures, and no date."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "text.parse_math": False}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
    return text[text.index("<svg") :].replace(f"'{_DRAWN_IN}'", FONT)


def inline(drawn: str, name: str, text: str, width: float) -> str:
    """Return an SVG to stand in the page: its ids its own, its colours those of the page.

    Args:
        drawn: the SVG as in its file.
        name: unique in the page.
        text: what can be seen, for those who do not see it.
        width: its natural width in CSS pixels.
    """
    out = drawn[drawn.index("<svg") :]
    head, body = out.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{box.group(0) if box else ""} role="img" aria-label="{escape(text)}" '
        f'style="--natural: {width:g}px"'
    )
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    # A style inside an SVG would hold for the whole page.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.S)
    return f"{head}>{coloured(body)}"


def coloured(drawn: str) -> str:
    """Return an SVG with the page's colours instead of the file's."""
    for colour, hexadecimal in {**COLOURS, "paper": PAPER}.items():
        instead = "currentColor" if colour == "ink" else f"var(--{colour})"
        drawn = drawn.replace(hexadecimal, instead)
    return drawn
