"""The models at a glance: accuracy, clean and under the experiment's attacks, zero gradients."""

from __future__ import annotations

import numpy as np

from engine.artifacts import Role
from engine.report.figure import INTERVAL, Figure, cells, table, words
from engine.report.runs import Dataset
from engine.results import Examples
from engine.statistics import Interval, interval

TITLE = "The models at a glance"
READING = (
    "Accuracy on test images with its 95 % interval: clean, and white box, that is on the "
    "examples that each attack made for the model itself, rounded to 8-bit pixels. A model whose "
    "gradients are exactly zero returns its images unchanged from a gradient attack, which is "
    "masking and not robustness."
)
_COLUMNS = ("dataset", "defense", "title", "quantity", "attack", *INTERVAL, "doubt")


def draw(data: Dataset) -> list[Figure]:
    """Return the table."""
    attacks = data.has("attacks")
    headings = [title + _of(data, attack) for attack, title in attacks.items()]
    rows, shown = [], [("Model", "Clean", *headings, "Zero gradients", "Doubt")]
    clean: dict[str, Interval] = {}
    labels = [run.source.labels for run in data.runs]
    for defense, title in data.defenses.items():
        clean[defense] = _accuracy([run.answers(defense).label for run in data.runs], labels)
        white_box = {
            attack: _white_box([run.examples(defense, attack) for run in data.runs])
            for attack in attacks
        }
        zero = interval([data.measure(defense, "zero_gradient")])
        doubt = data.reasons(defense)
        found = [
            ("clean_accuracy", "", clean[defense]),
            *(("white_box_accuracy", attack, each) for attack, each in white_box.items()),
            ("zero_gradient_share", "", zero),
        ]
        rows += [
            (data.label, defense, title, quantity, attack, *cells(each), doubt)
            for quantity, attack, each in found
        ]
        reasons = doubt or ("none" if data.judged else "not checked")
        shown.append((data.marked(defense), *(words(each) for _, _, each in found), reasons))
    worst = min(clean, key=lambda defense: clean[defense].value or 0)
    best = max(clean, key=lambda defense: clean[defense].value or 0)
    sentence = (
        f"On clean images the {len(clean)} models are right between "
        f"{words(clean[worst])} (“{data.defenses[worst]}”) and {words(clean[best])} "
        f"(“{data.defenses[best]}”)."
    )
    if len(clean) == 1:
        sentence = f"On clean images the model is right on {words(clean[best])}."
    roles = [Role("examples", defense, attack) for defense in data.defenses for attack in attacks]
    name = f"models-{data.label}"
    return [
        Figure(
            name,
            data.title,
            sentence,
            (),
            table(name, _COLUMNS, rows),
            data.artifacts(*roles, *(Role("measures", defense) for defense in data.defenses)),
            data.doubt_notes(),
            tuple(shown),
        )
    ]


def _of(data: Dataset, attack: str) -> str:
    """Return on how many images an attack was made, where it was not on all test images."""
    made = data.first.evaluation()["examples"].get(attack, {})
    counts = {each["images"] for each in made.values() if "images" in each}
    return f" (n = {max(counts)})" if counts else ""


def _white_box(made: list[Examples]) -> Interval:
    return _accuracy([each.label for each in made], [each.true_label for each in made])


def _accuracy(predicted: list[np.ndarray], labels: list[np.ndarray]) -> Interval:
    return interval([np.stack(predicted) == np.stack(labels)])
