"""Accuracy by class: which classes an accuracy over all images hides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Role
from engine.datasets import SPLITS, SplitName, doubt_counts
from engine.report.figure import INTERVAL, Cell, Figure, cells, number, table, words
from engine.report.grids import Frame, Heat, heat
from engine.report.runs import Dataset
from engine.results import Results
from engine.statistics import Interval, interval, wilson

TITLE = "Accuracy by class"
READING = (
    "Share of each class's test images that a model labels right: clean, and on the examples that "
    "each attack made for the model itself. At the right the number of images of the class, to "
    "train / to validate / to test where that is known. An accuracy over all images is mostly that "
    "of the large classes; one on few images is rough, as its interval says when a cell is "
    "pointed at."
)
_COLUMNS = (
    "dataset", "defense", "title", "attack", "label", "class", *INTERVAL,
    *(f"{split}_images" for split in SPLITS), "doubt",
)  # fmt: skip
_CLEAN = ""
_SHOWN = 24
_Found = dict[tuple[str, str], list[Interval]]
"""Accuracies by defense and attack, "" for clean images, one a class."""


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, a grid for clean images and one an attack."""
    names = data.first.class_names
    attacks = {_CLEAN: "Clean", **data.has("attacks")}
    labels = data.first.source.labels
    found = {
        (defense, attack): _by_class(_right(data, defense, attack), labels, len(names))
        for defense in data.defenses
        for attack in attacks
    }
    counts = _counts(data, labels, len(names))
    slug = f"classes-{data.label}"
    chosen = _chosen(data, found, len(names))
    sentence = _sentence(data, found, names)
    notes = [f"{doubt[0].upper()}{doubt[1:]}." for doubt in doubt_counts(counts, names)]
    if len(chosen) < len(names):
        notes.append(
            f"Drawn are the {len(chosen)} of {len(names)} classes that are most often mistaken in "
            "clean images; the table has all."
        )
    titles = [data.marked(defense) for defense in data.defenses]

    def panel(attack: str, title: str) -> Heat:
        own = [found[defense, attack] for defense in data.defenses]
        values = np.array([[of[k].value for of in own] for k in chosen], dtype=np.float64)

        def say(r: int, c: int) -> str:
            return f"{titles[c]}, {names[chosen[r]]}: {words(own[c][chosen[r]])}"

        return Heat(title, values, say)

    ends = [" / ".join(str(of[k]) for of in counts.values()) for k in chosen]
    picture = heat(
        slug,
        Frame([names[k] for k in chosen], titles, "class", "model", ends),
        [panel(attack, title) for attack, title in attacks.items()],
        f"Accuracy of {len(titles)} models on {len(chosen)} classes. {sentence}",
        cell=(46, 30),
    )
    roles = [
        Role("examples", defense, attack)
        for defense in data.defenses
        for attack in attacks
        if attack and all(_there(run, defense, attack) for run in data.runs)
    ]
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (picture,),
            table(slug, _COLUMNS, _rows(data, found, counts)),
            data.artifacts(Role("evaluation"), *roles),
            (*notes, *data.absence_notes(), *data.doubt_notes()),
        )
    ]


def _there(run: Results, defense: str, attack: str) -> bool:
    """Say whether a run has a model's answers; earlier ones have those to clean images anyway."""
    if attack == _CLEAN:
        return run.has(Role("answers", defense)) or not run.labels("answers")
    return run.has(Role("examples", defense, attack))


def _right(data: Dataset, defense: str, attack: str) -> NDArray[np.float64]:
    """Return 1 where a model is right, 0 where it is wrong: (S, N).

    NaN for runs without it, and for images that were not attacked.
    """
    rows = []
    for run in data.runs:
        labels = run.source.labels
        if not _there(run, defense, attack):
            rows.append(np.full(len(labels), np.nan))
            continue
        if attack:
            made = run.examples(defense, attack)
            right = (made.label == made.true_label).astype(np.float64)
            rows.append(made.over_all(right, fill=np.nan))
        else:
            rows.append((run.answers(defense).label == labels).astype(np.float64))
    return np.stack(rows)


def _by_class(
    right: NDArray[np.float64], labels: NDArray[np.int64], classes: int
) -> list[Interval]:
    # An attack that was not made on all images has nothing of the others in any run.
    there = ~np.isnan(right).all(axis=0)
    return [_of_few(right[:, there & (labels == k)]) for k in range(classes)]


def _of_few(right: NDArray[np.float64]) -> Interval:
    """Return the mean of (S, N) with an interval that is never narrower than Wilson's for N.

    Resampling cannot see beyond few images: one that is right gives [1, 1].
    """
    seeds, images = right.shape
    if not images:
        return Interval(None, -np.inf, np.inf, seeds, images)
    found = interval([right])
    if found.value is None:
        return found
    low, high = wilson(round(found.value * images), images)
    return Interval(found.value, min(low, found.low), max(high, found.high), seeds, images)


def _counts(data: Dataset, labels: NDArray[np.int64], classes: int) -> dict[SplitName, list[int]]:
    """Return the images of each class by split; of runs of earlier versions those to test."""
    stored = data.first.evaluation().get("class_counts")
    if stored is not None:
        return {split: stored[split] for split in SPLITS}
    return {"test": np.bincount(labels, minlength=classes).tolist()}


def _chosen(data: Dataset, found: _Found, classes: int) -> list[int]:
    """Return the classes to draw, in their order: all, or those that are mistaken most."""
    if classes <= _SHOWN:
        return list(range(classes))
    clean = np.array(
        [[each.value for each in found[defense, _CLEAN]] for defense in data.defenses], float
    )
    # A class that no model was tested on comes last.
    mean = np.where(np.isfinite(clean), clean, 2).mean(axis=0)
    return sorted(np.argsort(mean, kind="stable")[:_SHOWN].tolist())


def _sentence(data: Dataset, found: _Found, names: list[str]) -> str:
    """Say which model's classes are furthest apart."""
    widest: tuple[float, str, int, int] | None = None
    for defense in data.defenses:
        known = [k for k, each in enumerate(found[defense, _CLEAN]) if each.value is not None]
        if not known:
            continue
        values = {k: float(found[defense, _CLEAN][k].value or 0) for k in known}
        worst, best = min(known, key=values.__getitem__), max(known, key=values.__getitem__)
        gap = values[best] - values[worst]
        if widest is None or gap > widest[0]:
            widest = (gap, defense, worst, best)
    if widest is None:
        return "No model was tested on clean images."
    gap, defense, worst, best = widest
    if gap == 0:
        return "On clean images every model is equally often right on all classes."
    own = found[defense, _CLEAN]
    return (
        f"On clean images the classes are furthest apart for {data.called(defense)}: it is right "
        f"on {number(own[worst].value)} of “{names[worst]}” ({own[worst].images} images) and on "
        f"{number(own[best].value)} of “{names[best]}” ({own[best].images})."
    )


def _rows(
    data: Dataset, found: _Found, counts: dict[SplitName, list[int]]
) -> list[tuple[Cell, ...]]:
    return [
        (
            data.label, defense, data.defenses[defense], attack, label, name,
            *cells(each),
            *(counts[split][label] if split in counts else None for split in SPLITS),
            data.reasons(defense),
        )
        for (defense, attack), of_classes in found.items()
        for label, (name, each) in enumerate(
            zip(data.first.class_names, of_classes, strict=True)
        )
    ]  # fmt: skip
