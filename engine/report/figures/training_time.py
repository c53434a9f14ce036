"""Robustness against training time, from the weights that were kept on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Role
from engine.report import look
from engine.report.figure import FLOAT, INTERVAL, Figure, Picture, cells, table, words
from engine.report.rounding import attack_notes
from engine.report.runs import Dataset
from engine.statistics import interval

TITLE = "Robustness against training time"
READING = (
    "Accuracy with the weights kept after so many steps, as if training had ended there: under "
    "the attack on the model itself, on the examples for the finished reference model, and "
    "clean. Examples are 8-bit pixels. Bands are 95 % intervals."
)
_COLUMNS = ("dataset", "defense", "step", "quantity", *INTERVAL, FLOAT, "doubt")
_PANELS = {"white_box": "white box", "transferred": "transferred", "clean": "clean"}


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, for models whose weights were kept."""
    data = data.having(lambda defense: [Role("training_time", defense)])
    kept = list(data.defenses)
    if not kept:
        return []
    slug, width = f"training-time-{data.label}", 1000
    found, steps, before = {}, {}, {}
    for defense in kept:
        made = [run.training_time(defense) for run in data.runs]
        steps[defense] = [int(step) for step in made[0]["steps"]]
        for quantity in _PANELS:
            right = np.stack([each[quantity] == each["labels"] for each in made], axis=1)
            found[defense, quantity] = [interval([each]) for each in right]
            before[defense, quantity] = _before(made, quantity)
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
        (data.label, defense, step, quantity, *cells(each), float_, data.reasons(defense))
        for (defense, quantity), intervals in found.items()
        for step, each, float_ in zip(
            steps[defense], intervals, before[defense, quantity], strict=True
        )
    ]
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (Picture(slug, drawn, width, f"Accuracy against training steps. {sentence}"),),
            table(slug, _COLUMNS, rows),
            data.artifacts(*(Role("training_time", defense) for defense in kept)),
            (*_notes(data, kept), *data.absence_notes(), *data.doubt_notes()),
        )
    ]


def _before(made: Sequence[Mapping[str, NDArray[Any]]], quantity: str) -> Sequence[float | None]:
    """Return accuracies before rounding to 8 bits, one a step; None where they are not known."""
    name = f"{quantity}_float"
    if not all(name in each for each in made):
        return [None] * len(made[0]["steps"])
    right = np.stack([each[name] == each["labels"] for each in made], axis=1)
    return [float(each.mean()) for each in right]


def _notes(data: Dataset, kept: Sequence[str]) -> Iterator[str]:
    """Say what the attack is, and how far rounding takes its examples out of their ball."""
    config = data.artifact(Role("training_time", kept[0])).recipe.config
    made = [run.training_time(defense) for run in data.runs for defense in kept]
    excess = (each.get(name) for each in made for name in ("excess", "transferred_excess"))
    yield from attack_notes("The attack", config["attack"], excess)
