"""Histograms of log-probabilities: how evenly a model spreads its belief."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.artifacts import Role
from engine.report import look
from engine.report.figure import INTERVAL, Figure, Picture, cells, extremes, table
from engine.report.runs import Dataset
from engine.statistics import Interval, interval, median_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

TITLE = "Log-probabilities"
READING = (
    "Where the log-probabilities of clean test images lie, for the true label and for the "
    "others, on an axis by powers of ten: certainty is at its right end for the true label, and "
    "a long way to the left for the others."
)
_COLUMNS = ("dataset", "defense", "labels", "from", "to", *INTERVAL)
# Quarters of a decade of -log p, in nats; below a ten-thousandth all is certainty.
_DECADES = np.arange(-4, 3.26, 0.25)
_EDGES = np.concatenate([-(10.0 ** _DECADES[::-1]), [0.0]])
_BINS = range(len(_EDGES) - 1)
_DASHED = (0, (4, 2))


_Histograms = dict[tuple[str, str], list[Interval]]
"""Shares by bin; by defense, and "true" or "other" labels."""


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, a panel a model."""
    data = data.measured()
    if not data.defenses:
        return []
    slug = f"log-probabilities-{data.label}"
    found = {
        (defense, labels): shares
        for defense in data.defenses
        for labels, shares in _histograms(data, defense).items()
    }
    used = [b for b in _BINS if any((shares[b].value or 0) > 0 for shares in found.values())]
    sentence = _sentence(data)
    rows = [
        (data.label, defense, labels, float(_EDGES[b]), float(_EDGES[b + 1]), *cells(shares[b]))
        for (defense, labels), shares in found.items()
        for b in used
    ]
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (_picture(data, found, used, slug, sentence),),
            table(slug, _COLUMNS, rows),
            data.artifacts(*(Role("measures", defense) for defense in data.defenses)),
            data.absence_notes(),
        )
    ]


def _histograms(data: Dataset, defense: str) -> dict[str, list[Interval]]:
    """Return the share of each bin among true and among other labels."""
    values = data.measure(defense, "log_probabilities").astype(np.float64)
    labels = data.measure(defense, "labels").astype(np.int64)
    true = np.arange(values.shape[2]) == labels[..., None]
    bins = np.clip(np.searchsorted(_EDGES, values, side="left") - 1, 0, len(_EDGES) - 2)
    return {
        name: [interval([((bins == b) & mask).sum(2) / mask.sum(2)]) for b in _BINS]
        for name, mask in (("true", true), ("other", ~true))
    }


def _picture(
    data: Dataset, found: _Histograms, used: list[int], slug: str, sentence: str
) -> Picture:
    width = 1000
    with look.drawing():
        figure, panels = look.panels(
            len(data.defenses), columns=3, width=width, height=210, sharex=True, sharey=True
        )
        styles = look.styles(data.labels, data.defenses)
        for axes, (defense, style) in zip(panels, styles.items(), strict=True):
            axes.set_title(data.defenses[defense], loc="left")
            _draw_histogram(axes, found[defense, "true"], style.colour, "-", 0.28)
            _draw_histogram(axes, found[defense, "other"], style.colour, _DASHED, 0.08)
            _label_bins(axes)
            axes.set_xlim(used[0] - 0.5, used[-1] + 1.5)
            axes.label_outer()
        look.name_values(panels, 3, "share")
        _neutral_legend(figure)
        drawn = look.svg(figure, slug)
    return Picture(slug, drawn, width, f"Histograms of log-probabilities. {sentence}")


def _draw_histogram(
    axes: Axes, shares: list[Interval], colour: str, dash: Any, filled: float
) -> None:
    """Draw the bins by place: quarter-decades are equally wide, and so is the last bin."""
    places = np.arange(len(_EDGES))
    bars = [each.value or 0 for each in shares]
    axes.stairs(bars, places, fill=True, color=colour, alpha=filled)
    axes.stairs(bars, places, color=colour, linestyle=dash, linewidth=1.6)


def _label_bins(axes: Axes) -> None:
    """Write the whole powers of ten below their edges."""
    ticks = [i for i, edge in enumerate(_EDGES[:-1]) if abs(np.log10(-edge) % 1) < 1e-9]
    axes.set_xticks(ticks, [look.power(-_EDGES[i]).join(("−", "")) for i in ticks])
    axes.set_xlabel("log p (nats)")


def _sentence(data: Dataset) -> str:
    """Name who spreads its log-probabilities most evenly over the classes, and who least."""
    spread = {
        defense: median_interval(
            data.measure(defense, "log_probabilities").astype(np.float64).std(2)
        )
        for defense in data.defenses
    }
    even, extreme = extremes(spread)
    return (
        f"“{data.defenses[even]}” spreads its log-probabilities most evenly (standard deviation "
        f"over the classes, median image: {spread[even].value:.1f} nats), "
        f"“{data.defenses[extreme]}” least ({spread[extreme].value:.1f} nats)."
    )


def _neutral_legend(figure: Canvas) -> None:
    from matplotlib.lines import Line2D

    figure.legend(
        [Line2D([], [], color=look.INK), Line2D([], [], color=look.INK, linestyle=_DASHED)],
        ["true label", "other labels"],
        loc="outside lower left",
        ncols=2,
    )
