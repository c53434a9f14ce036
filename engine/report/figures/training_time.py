"""Robustness against training time, from the weights that were kept on the way."""

from __future__ import annotations

import numpy as np

from engine.artifacts import Role
from engine.report import look
from engine.report.figure import INTERVAL, Figure, Picture, cells, table, words
from engine.report.runs import Dataset
from engine.statistics import interval

TITLE = "Robustness against training time"
READING = (
    "Accuracy with the weights kept after so many steps, as if training had ended there: under "
    "the attack on the model itself, on the examples for the finished reference model, and "
    "clean. Bands are 95 % intervals."
)
_COLUMNS = ("dataset", "defense", "step", "quantity", *INTERVAL, "doubt")
_PANELS = {"white_box": "white box", "transferred": "transferred", "clean": "clean"}


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, for models whose weights were kept."""
    data = data.having(lambda defense: [Role("training_time", defense)])
    kept = list(data.defenses)
    if not kept:
        return []
    slug, width = f"training-time-{data.label}", 1000
    found, steps = {}, {}
    for defense in kept:
        made = [run.training_time(defense) for run in data.runs]
        steps[defense] = [int(step) for step in made[0]["steps"]]
        for quantity in _PANELS:
            right = np.stack([each[quantity] == each["labels"] for each in made], axis=1)
            found[defense, quantity] = [interval([each]) for each in right]
    styles = look.styles(data.labels, data.defenses)
    with look.drawing():
        figure, panels = look.panels(len(_PANELS), columns=3, width=width, height=280, sharey=True)
        for axes, (quantity, title) in zip(panels, _PANELS.items(), strict=True):
            for defense in kept:
                look.line(
                    axes, steps[defense], found[defense, quantity], styles[defense],
                    data.marked(defense),
                )  # fmt: skip
            axes.set_title(title, loc="left")
            axes.set(ylim=(-0.02, 1.02), xlabel="training steps")
        panels[0].set_ylabel("accuracy")
        look.legend(figure, panels[0])
        drawn = look.svg(figure, slug)
    first = kept[0]
    line = found[first, "white_box"]
    best = max(range(len(line)), key=lambda i: float(line[i].value or 0))
    sentence = (
        f"Under attack {data.called(first)} is at its best after {steps[first][best]} steps, "
        f"{words(line[best])}, and at {words(line[-1])} in the end."
    )
    rows = [
        (data.label, defense, step, quantity, *cells(each), data.reasons(defense))
        for (defense, quantity), intervals in found.items()
        for step, each in zip(steps[defense], intervals, strict=True)
    ]
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (Picture(slug, drawn, width, f"Accuracy against training steps. {sentence}"),),
            table(slug, _COLUMNS, rows),
            data.artifacts(*(Role("training_time", defense) for defense in kept)),
            (*data.absence_notes(), *data.doubt_notes()),
        )
    ]
