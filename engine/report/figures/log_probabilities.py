"""Histograms of log-probabilities: how evenly a model spreads its belief."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.artifacts import Role
from engine.report import look
from engine.report.figure import INTERVAL, Figure, Picture, cells, table
from engine.report.runs import Dataset
from engine.statistics import interval, median_interval

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


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, a panel a model."""
    slug, width = f"log-probabilities-{data.label}", 1000
    styles = look.styles(list(data.defenses))
    found, spread = {}, {}
    for defense in data.defenses:
        values = data.measure(defense, "log_probabilities").astype(np.float64)
        labels = data.measure(defense, "labels").astype(np.int64)
        true = np.arange(values.shape[2]) == labels[..., None]
        bins = np.clip(np.searchsorted(_EDGES, values, side="left") - 1, 0, len(_EDGES) - 2)
        for name, mask in (("true", true), ("other", ~true)):
            of_image = mask.sum(2)
            found[defense, name] = [
                interval([((bins == b) & mask).sum(2) / of_image]) for b in range(len(_EDGES) - 1)
            ]
        spread[defense] = median_interval(values.std(2))
    # Drawn by place: quarter-decades are equally wide, and so is the last bin.
    places = np.arange(len(_EDGES))
    used = [
        b
        for b in range(len(_EDGES) - 1)
        if any((each[b].value or 0) > 0 for each in found.values())
    ]
    ticks = [i for i, edge in enumerate(_EDGES[:-1]) if abs(np.log10(-edge) % 1) < 1e-9]
    with look.drawing():
        figure, panels = look.panels(
            len(data.defenses), columns=3, width=width, height=210, sharex=True, sharey=True
        )
        for axes, (defense, style) in zip(panels, styles.items(), strict=True):
            for name, label, dash, filled in (
                ("true", "true label", "-", 0.28), ("other", "other labels", (0, (4, 2)), 0.08),
            ):  # fmt: skip
                bars = [each.value or 0 for each in found[defense, name]]
                axes.stairs(bars, places, fill=True, color=style.colour, alpha=filled)
                axes.stairs(
                    bars, places, color=style.colour, linestyle=dash, linewidth=1.6, label=label
                )
            axes.set_title(data.defenses[defense], loc="left")
            axes.set_xticks(ticks, [look.power(-_EDGES[i]).join(("−", "")) for i in ticks])
            axes.set_xlim(used[0] - 0.5, used[-1] + 1.5)
            axes.set_xlabel("log p (nats)")
            axes.label_outer()
        for axes in panels[:: min(3, len(panels))]:
            axes.set_ylabel("share")
        _neutral_legend(figure)
        drawn = look.svg(figure, slug)
    even = min(spread, key=lambda d: float(spread[d].value or 0))
    extreme = max(spread, key=lambda d: float(spread[d].value or 0))
    sentence = (
        f"“{data.defenses[even]}” spreads its log-probabilities most evenly (standard deviation "
        f"over the classes, median image: {spread[even].value:.1f} nats), "
        f"“{data.defenses[extreme]}” least ({spread[extreme].value:.1f} nats)."
    )
    rows = [
        (data.label, defense, name, float(_EDGES[b]), float(_EDGES[b + 1]), *cells(intervals[b]))
        for (defense, name), intervals in found.items()
        for b in used
    ]
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (Picture(slug, drawn, width, f"Histograms of log-probabilities. {sentence}"),),
            table(slug, _COLUMNS, rows),
            data.artifacts(*(Role("measures", defense) for defense in data.defenses)),
        )
    ]


def _neutral_legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    figure.legend(
        [Line2D([], [], color=look.INK), Line2D([], [], color=look.INK, linestyle=(0, (4, 2)))],
        ["true label", "other labels"],
        loc="outside lower left",
        ncols=2,
    )
