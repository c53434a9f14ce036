"""The models at a glance: accuracy, clean and under the experiment's attacks, zero gradients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from engine.artifacts import Role
from engine.report.figure import (
    FLOAT,
    INTERVAL,
    Cell,
    Figure,
    cells,
    extremes,
    float_words,
    table,
    words,
)
from engine.report.rounding import attack_notes
from engine.report.runs import Dataset
from engine.results import Examples
from engine.statistics import Interval, interval

TITLE = "The models at a glance"
READING = (
    "Accuracy on test images with its 95 % interval: clean, and white box, that is on the "
    "examples that each attack made for the model itself. The examples are 8-bit pixels, as a "
    "screen shows them, kept in the attack's ball; so are those of ladders, curves and studies. "
    "Float: the accuracy before they were rounded. A model whose gradients are exactly zero "
    "returns its images unchanged from a gradient attack, which is masking and not robustness."
)
_CLEAN = "clean_accuracy"
_COLUMNS = (
    "dataset", "defense", "title", "quantity", "attack", *INTERVAL, FLOAT, "doubt", "not_measured",
)  # fmt: skip


@dataclass(frozen=True)
class _Quantity:
    """One number of one model.

    Attributes:
        name: what it is.
        attack: under which attack, "" for none.
        role: of the artifact that it is taken from.
        found: the number with its interval; None where that artifact is not there.
        before: of an accuracy under attack, what it was before rounding to 8 bits.
        reason: why it is not there.
    """

    name: str
    attack: str
    role: Role
    found: Interval | None
    before: float | None = None
    reason: str = ""

    @property
    def words(self) -> str:
        if self.found is None:
            return "not measured"
        return words(self.found) + float_words(self.before)


def draw(data: Dataset) -> list[Figure]:
    """Return the table."""
    attacks = data.has("attacks")
    rows: list[tuple[Cell, ...]] = []
    headings = [title + _of(data, attack) for attack, title in attacks.items()]
    shown = [("Model", "Clean", *headings, "Zero gradients", "Doubt")]
    clean: dict[str, Interval] = {}
    sources: list[Role] = []
    notes: list[str] = []
    for defense, title in data.first.config["defenses"].items():
        if defense in data.absent:
            reason = data.absent[defense]
            blank = ("not measured",) * (len(shown[0]) - 2)
            shown.append((title, *blank, f"not measured: {reason}"))
            rows.append((data.label, defense, title, *(None,) * (len(_COLUMNS) - 4), reason))
            continue
        quantities = _quantities(data, defense, attacks)
        clean[defense] = _clean(data, defense)
        doubt = data.reasons(defense)
        rows += [
            (data.label, defense, title, each.name, each.attack,
             *(cells(each.found) if each.found else (None,) * len(INTERVAL)), each.before, doubt,
             each.reason)
            for each in quantities
        ]  # fmt: skip
        numbers = (each.words for each in quantities)
        shown.append((data.marked(defense), *numbers, doubt or _undoubted(data, defense)))
        sources += [each.role for each in quantities if each.found and each.name != _CLEAN]
        reasons = dict.fromkeys(each.reason for each in quantities if each.reason)
        notes += [f"Not measured of “{title}”: {reason}." for reason in reasons]
    name = f"models-{data.label}"
    return [
        Figure(
            name,
            data.title,
            _sentence(data, clean),
            (),
            table(name, _COLUMNS, rows),
            data.artifacts(*sources),
            (*_balls(data, attacks), *notes, *data.network_notes(), *data.doubt_notes()),
            tuple(shown),
        )
    ]


def _balls(data: Dataset, attacks: Mapping[str, str]) -> Iterator[str]:
    """Name the ball of each attack that has one, and say how far examples leave it."""
    for attack, title in attacks.items():
        role = Role("examples", next(iter(data.defenses)), attack)
        if data.reason(role) is not None:
            continue
        excess = [
            run.examples(defense, attack).excess
            for run in data.runs
            for defense in data.defenses
            if run.has(Role("examples", defense, attack))
        ]
        yield from attack_notes(title, data.artifact(role).recipe.config["attack"], excess)


def _of(data: Dataset, attack: str) -> str:
    """Return on how many images an attack was made, where it was not on all test images."""
    made = data.first.evaluation()["examples"].get(attack, {})
    counts = {each["images"] for each in made.values() if "images" in each}
    return f" (n = {max(counts)})" if counts else ""


def _white_box(made: list[Examples]) -> Interval:
    return _accuracy([each.label for each in made], [each.true_label for each in made])


def _quantities(data: Dataset, defense: str, attacks: Iterable[str]) -> list[_Quantity]:
    """Return what the table has of one model, in its order."""
    found = [_Quantity(_CLEAN, "", Role("answers", defense), _clean(data, defense))]
    for attack in attacks:
        role = Role("examples", defense, attack)
        reason = data.reason(role)
        accuracy = before = None
        if reason is None:
            made = [run.examples(defense, attack) for run in data.runs]
            accuracy = _white_box(made)
            right = [each.unrounded_label == each.true_label for each in made]
            before = float(np.mean(right))
        found.append(_Quantity("white_box_accuracy", attack, role, accuracy, before, reason or ""))
    role = Role("measures", defense)
    reason = data.reason(role)
    zero = interval([data.measure(defense, "zero_gradient")]) if reason is None else None
    return [*found, _Quantity("zero_gradient_share", "", role, zero, reason=reason or "")]


def _undoubted(data: Dataset, defense: str) -> str:
    """Say why no reason to doubt a model is told: there is none, or it was not checked."""
    if defense in data.judged:
        return "none"
    roles = (Role("ladder", defense), Role("measures", defense))
    failed = [reason for reason in map(data.reason, roles) if reason is not None]
    return f"not checked: {failed[0]}" if failed else "not checked"


def _sentence(data: Dataset, clean: Mapping[str, Interval]) -> str:
    """Say between which accuracies the models are right on clean images."""
    worst, best = extremes(clean)
    if len(clean) == 1:
        return f"On clean images the model is right on {words(clean[best])}."
    if clean[best].value == clean[worst].value:
        return f"On clean images all {len(clean)} models are right on {words(clean[best])}."
    return (
        f"On clean images the {len(clean)} models are right between "
        f"{words(clean[worst])} (“{data.defenses[worst]}”) and {words(clean[best])} "
        f"(“{data.defenses[best]}”)."
    )


def _clean(data: Dataset, defense: str) -> Interval:
    labels = [run.source.labels for run in data.runs]
    return _accuracy([run.answers(defense).label for run in data.runs], labels)


def _accuracy(predicted: list[np.ndarray], labels: list[np.ndarray]) -> Interval:
    return interval([np.stack(predicted) == np.stack(labels)])
