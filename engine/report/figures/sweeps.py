"""Sweeps: what the choice of a defense's strength rested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.artifacts import Role
from engine.report import look
from engine.report.figure import FLOAT, Cell, Figure, Picture, listed, number, table
from engine.report.look import COLOURS, Style
from engine.report.rounding import ball_words
from engine.report.runs import Dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Sweeps over a defense's strength"
READING = (
    "Accuracy on validation images against the strength: clean, on FGSM examples transferred "
    "from the reference model, and white box. Points are means over the seeds, bars reach from "
    "the lowest seed to the highest. Dotted lines: the strengths that were chosen, best "
    "transferred among those that keep the clean accuracy near the reference's."
)
_COLUMNS = (
    "dataset", "defense", "strength", "quantity", "value", "low", "high", "seeds", FLOAT,
    "diverged", "chosen_by_seeds", "doubt",
)  # fmt: skip
_LINES = {
    "clean": ("clean", Style(COLOURS["ink"], "o")),
    "transferred": ("transferred", Style(COLOURS["blue"], "s", (0, (5, 2)))),
    "white_box": ("white box", Style(COLOURS["vermillion"], "^", (0, (1.5, 1.5)))),
}


@dataclass(frozen=True)
class _Point:
    """A quantity at one strength over the seeds; None where every training diverged.

    `before` is the mean before rounding to 8 bits, None also where it is not known.
    """

    mean: float | None
    low: float | None
    high: float | None
    seeds: int
    diverged: int
    before: float | None = None


@dataclass(frozen=True)
class _Sweep:
    """What the choice of one defense's strength rested on.

    Attributes:
        strengths: what was tried.
        picks: what was chosen, a strength a seed.
        points: a point a strength, by quantity.
    """

    strengths: list[float]
    picks: list[float]
    points: dict[str, list[_Point]]

    @property
    def chosen(self) -> dict[float, int]:
        """How many seeds chose a strength, ascending."""
        return {pick: self.picks.count(pick) for pick in sorted(set(self.picks))}


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, a panel a swept defense."""
    data = data.having(lambda defense: [Role("selection", defense)])
    swept = list(data.defenses)
    if not swept:
        return []
    slug = f"sweeps-{data.label}"
    sweeps = {defense: _sweep(data, defense) for defense in swept}
    sentence = _sentence(data, sweeps)
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (_picture(data, sweeps, slug, sentence),),
            table(slug, _COLUMNS, _rows(data, sweeps)),
            data.artifacts(*(Role("selection", defense) for defense in swept)),
            (*data.absence_notes(), *_notes(data, sweeps), *data.doubt_notes()),
        )
    ]


def _sweep(data: Dataset, defense: str) -> _Sweep:
    found = [run.selection(defense) or {} for run in data.runs]
    strengths = [float(row["value"]) for row in found[0]["candidates"]]
    points = {
        quantity: [
            _point(
                [each["candidates"][k].get(quantity) for each in found],
                [each["candidates"][k].get(f"{quantity}_float") for each in found],
            )
            for k in range(len(strengths))
        ]
        for quantity in _LINES
    }
    return _Sweep(strengths, [float(each["chosen"]) for each in found], points)


def _point(measured: Sequence[float | None], unrounded: Sequence[float | None]) -> _Point:
    """Sum up one candidate over the seeds; None is a training that diverged."""
    values = [float(value) for value in measured if value is not None]
    diverged = len(measured) - len(values)
    if not values:
        return _Point(None, None, None, 0, diverged)
    low, high = min(values), max(values)
    # The mean of equal numbers may be off by a rounding; an error bar must not be negative.
    mean = min(max(float(np.mean(values)), low), high)
    known = [float(value) for value in unrounded if value is not None]
    before = float(np.mean(known)) if len(known) == len(values) else None
    return _Point(mean, low, high, len(values), diverged, before)


def _picture(data: Dataset, sweeps: Mapping[str, _Sweep], slug: str, sentence: str) -> Picture:
    width = 1000 if len(sweeps) > 1 else 560
    with look.drawing():
        figure, panels = look.panels(len(sweeps), columns=2, width=width, height=300, sharey=True)
        for axes, (defense, sweep) in zip(panels, sweeps.items(), strict=True):
            for quantity, (label, style) in _LINES.items():
                _draw_line(axes, sweep.strengths, sweep.points[quantity], style, label)
            _mark_choice(axes, sweep)
            if min(sweep.strengths) > 0:
                axes.set_xscale("log")
                look.log_ticks(axes)
                axes.set_xticks(sweep.strengths, minor=False)
                axes.set_xticks([], minor=True)
            axes.set_title(data.marked(defense), loc="left", pad=24)
            axes.set(ylim=(-0.02, 1.02), xlabel="strength")
        panels[0].set_ylabel("accuracy")
        look.legend(figure, panels[0])
        drawn = look.svg(figure, slug)
    return Picture(slug, drawn, width, f"Accuracy against strength. {sentence}")


def _draw_line(
    axes: Axes, strengths: Sequence[float], points: Sequence[_Point], style: Style, label: str
) -> None:
    there = [i for i, point in enumerate(points) if point.mean is not None]
    ends = [(points[i].mean, points[i].low, points[i].high) for i in there]
    mean, low, high = np.array(ends, float).reshape(-1, 3).T
    axes.errorbar(
        [strengths[i] for i in there],
        mean,
        yerr=[mean - low, high - mean],
        label=label,
        elinewidth=1.2,
        capsize=3,
        **style.line(),
    )


def _mark_choice(axes: Axes, sweep: _Sweep) -> None:
    for pick, count in sweep.chosen.items():
        axes.axvline(pick, color=look.INK, linestyle=":", linewidth=1.2)
        axes.text(
            pick, 1.03, f"chosen {count}/{len(sweep.picks)}",
            ha="center", va="bottom", transform=axes.get_xaxis_transform(),
        )  # fmt: skip


def _sentence(data: Dataset, sweeps: Mapping[str, _Sweep]) -> str:
    """Say of every swept defense which strengths were chosen, and by how many seeds."""
    parts = []
    for defense, sweep in sweeps.items():
        of = len(sweep.picks)
        picks = [f"{pick:g} ({count} of {of} seeds)" for pick, count in sweep.chosen.items()]
        parts.append(f"For {data.called(defense)} the strength chosen is {listed(picks)}.")
    return " ".join(parts)


def _notes(data: Dataset, sweeps: Mapping[str, _Sweep]) -> list[str]:
    """Say which trainings diverged, and what clean accuracy a strength had to keep."""
    notes = []
    for defense, sweep in sweeps.items():
        for k, strength in enumerate(sweep.strengths):
            lost = max(points[k].diverged for points in sweep.points.values())
            if lost:
                notes.append(
                    f"{data.defenses[defense]} at {strength:g}: {lost} of {len(data.runs)} "
                    "trainings diverged."
                )
    first = next(iter(sweeps))
    floor = number(np.mean([(run.selection(first) or {})["clean_floor"] for run in data.runs]))
    config = data.artifact(Role("selection", first)).recipe.config
    if "eps" in config:
        said = [ball_words({**config, "eps": eps}) for eps in config["eps"]]
        notes.append(f"FGSM, ε = {listed(said)}, on 8-bit pixels that are kept within ε.")
    return [*notes, f"A strength had to keep a clean accuracy of {floor} (mean over the seeds)."]


def _rows(data: Dataset, sweeps: Mapping[str, _Sweep]) -> list[tuple[Cell, ...]]:
    return [
        (data.label, defense, strength, quantity, point.mean, point.low, point.high,
         point.seeds, point.before, point.diverged, sweep.picks.count(strength),
         data.reasons(defense))
        for defense, sweep in sweeps.items()
        for quantity, points in sweep.points.items()
        for strength, point in zip(sweep.strengths, points, strict=True)
    ]  # fmt: skip
