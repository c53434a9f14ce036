"""Sweeps: what the choice of a defense's strength rested on."""

from __future__ import annotations

import numpy as np

from engine.artifacts import Role
from engine.report import look
from engine.report.figure import Cell, Figure, Picture, listed, number, table
from engine.report.look import COLOURS, Style
from engine.report.runs import Dataset

TITLE = "Sweeps over a defense's strength"
READING = (
    "Accuracy on validation images against the strength: clean, on FGSM examples transferred "
    "from the reference model, and white box. Points are means over the seeds, bars reach from "
    "the lowest seed to the highest. Dotted lines: the strengths that were chosen, best "
    "transferred among those that keep the clean accuracy near the reference's."
)
_COLUMNS = (
    "dataset", "defense", "strength", "quantity", "value", "low", "high", "seeds", "diverged",
    "chosen_by_seeds", "doubt",
)  # fmt: skip
_LINES = {
    "clean": ("clean", Style(COLOURS["ink"], "o")),
    "transferred": ("transferred", Style(COLOURS["blue"], "s", (0, (5, 2)))),
    "white_box": ("white box", Style(COLOURS["vermillion"], "^", (0, (1.5, 1.5)))),
}


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, a panel a swept defense."""
    known = data.labels("selection")
    swept = [defense for defense in data.defenses if defense in known]
    if not swept:
        return []
    slug, width = f"sweeps-{data.label}", 1000 if len(swept) > 1 else 560
    rows: list[tuple[Cell, ...]] = []
    chosen = {}
    with look.drawing():
        figure, panels = look.panels(len(swept), columns=2, width=width, height=300, sharey=True)
        for axes, defense in zip(panels, swept, strict=True):
            found = [run.selection(defense) or {} for run in data.runs]
            strengths = [float(row["value"]) for row in found[0]["candidates"]]
            picks = [float(each["chosen"]) for each in found]
            chosen[defense] = picks
            for quantity, (label, style) in _LINES.items():
                points = []
                for k, strength in enumerate(strengths):
                    values = [
                        float(each["candidates"][k][quantity])
                        for each in found
                        if quantity in each["candidates"][k]
                    ]
                    ends = (np.mean(values), min(values), max(values)) if values else (None,) * 3
                    points.append(tuple(None if end is None else float(end) for end in ends))
                    rows.append(
                        (data.label, defense, strength, quantity, *points[-1], len(values),
                         len(found) - len(values), picks.count(strength), data.reasons(defense))
                    )  # fmt: skip
                there = [i for i, point in enumerate(points) if point[0] is not None]
                mean, low, high = np.array([points[i] for i in there], float).reshape(-1, 3).T
                axes.errorbar(
                    [strengths[i] for i in there],
                    mean,
                    yerr=[mean - low, high - mean],
                    label=label,
                    elinewidth=1.2,
                    capsize=3,
                    **style.line(),
                )
            for pick in sorted(set(picks)):
                axes.axvline(pick, color=look.INK, linestyle=":", linewidth=1.2)
                axes.text(
                    pick, 1.03, f"chosen {picks.count(pick)}/{len(picks)}",
                    ha="center", va="bottom", transform=axes.get_xaxis_transform(),
                )  # fmt: skip
            if min(strengths) > 0:
                axes.set_xscale("log")
                look.log_ticks(axes)
                axes.set_xticks(strengths, minor=False)
                axes.set_xticks([], minor=True)
            axes.set_title(data.marked(defense), loc="left", pad=24)
            axes.set(ylim=(-0.02, 1.02), xlabel="strength")
        panels[0].set_ylabel("accuracy")
        look.legend(figure, panels[0])
        drawn = look.svg(figure, slug)
    sentence = " ".join(
        f"For {data.called(defense)} the strength chosen is "
        + listed(
            [f"{pick:g} ({picks.count(pick)} of {len(picks)} seeds)" for pick in sorted(set(picks))]
        )
        + "."
        for defense, picks in chosen.items()
    )
    lost = {(r[1], r[2]): r[8] for r in rows if r[8]}
    notes = [
        f"{data.defenses[str(d)]} at {s:g}: {n} of {len(data.runs)} trainings diverged."
        for (d, s), n in lost.items()
    ]
    floor = number(np.mean([(run.selection(swept[0]) or {})["clean_floor"] for run in data.runs]))
    notes.append(f"A strength had to keep a clean accuracy of {floor} (mean over the seeds).")
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (Picture(slug, drawn, width, f"Accuracy against strength. {sentence}"),),
            table(slug, _COLUMNS, rows),
            data.artifacts(*(Role("selection", defense) for defense in swept)),
            (*notes, *data.doubt_notes(swept)),
        )
    ]
