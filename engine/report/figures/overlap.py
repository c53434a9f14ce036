"""Do models err on the same images? Pairwise overlap of the misclassified sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.report.figure import INTERVAL, Cell, Figure, cells, extremes, number, table, words
from engine.report.grids import Frame, Heat, heat
from engine.report.runs import Curve, Dataset
from engine.statistics import Interval, interval

TITLE = "Overlap of the misclassified images"
READING = (
    "Jaccard index of the sets of images that two models get wrong: how many both do, of those "
    "that at least one does. 1.00 means the same images; – stands for a model and itself, and "
    "where neither errs. Beside each index the table has what would be expected if the models "
    "erred independently."
)
_COLUMNS = (
    "dataset", "curve", "at", "examples", "one", "other", *INTERVAL, "independent", "doubt",
)  # fmt: skip
_Pair = tuple[int, int]


def draw(data: Dataset) -> list[Figure]:
    """Return the figure from the first curve that tests every model on every model's examples."""
    curve = next((c for c in data.curves.values() if c.transfer), None)
    return [] if curve is None else [_figure(data.of_curve(curve.label), curve)]


@dataclass(frozen=True)
class _Overlap:
    """How far the errors of every two models coincide on one set of examples.

    Attributes:
        kind: the examples in the table: "own" or "shared".
        heading: the same for readers.
        found: Jaccard indices by pair, the later model first.
        independent: what they would be if the models erred independently.
    """

    kind: str
    heading: str
    found: dict[_Pair, Interval]
    independent: dict[_Pair, float]


def _figure(data: Dataset, curve: Curve) -> Figure:
    labels = list(data.defenses)
    names = [data.marked(defense) for defense in labels]
    own = np.stack([~data.right(curve.label, d, d) for d in labels])
    shared = np.stack([~data.right(curve.label, labels[0], d) for d in labels])
    at = _most_telling(curve, own)
    overlaps = (
        _overlap("own", "each on its own examples", own[:, at]),
        _overlap("shared", f"all on those for {names[0]}", shared[:, at]),
    )
    slug = f"overlap-{data.label}"
    sentence = _sentence(data, overlaps, f"{curve.axis} = {number(curve.values[at])}")
    return Figure(
        slug,
        data.title,
        sentence or "No model errs on any of the images.",
        (
            heat(
                slug,
                Frame(names, names),
                [_panel(names, overlap) for overlap in overlaps],
                f"Jaccard indices of the misclassified sets of {len(labels)} models. {sentence}",
                cell=(54, 36),
            ),
        ),
        table(
            slug,
            _COLUMNS,
            [
                (data.label, curve.label, curve.values[at], *row)
                for overlap in overlaps
                for row in _rows(data, overlap)
            ],
        ),
        data.curve_artifacts(curve.label),
        (*data.absence_notes(), *data.doubt_notes()),
    )


def _most_telling(curve: Curve, wrong: NDArray[np.bool_]) -> int:
    """Return which value of the curve to show: where half of all answers are wrong.

    There the sets can differ most.

    Args:
        curve: what is swept.
        wrong: (models, values, S, N) where models err on their own examples.
    """
    positive = [i for i, value in enumerate(curve.values) if value > 0] or [0]
    return min(positive, key=lambda i: abs(float(wrong[:, i].mean()) - 0.5))


def _overlap(kind: str, heading: str, wrong: NDArray[np.bool_]) -> _Overlap:
    """Compare every two models by where they err, (models, S, N)."""
    pairs = [(i, j) for i in range(len(wrong)) for j in range(i)]
    found = {(i, j): _jaccard(wrong[i], wrong[j]) for i, j in pairs}
    independent = {}
    for i, j in pairs:
        p, q = float(wrong[i].mean()), float(wrong[j].mean())
        independent[i, j] = p * q / (p + q - p * q) if p + q else 0.0
    return _Overlap(kind, heading, found, independent)


def _panel(names: list[str], overlap: _Overlap) -> Heat:
    shares = np.full((len(names), len(names)), np.nan)
    for (i, j), each in overlap.found.items():
        shares[i, j] = shares[j, i] = np.nan if each.value is None else each.value

    def say(r: int, c: int) -> str:
        if r == c:
            return names[r]
        pair = (max(r, c), min(r, c))
        return (
            f"{names[r]} and {names[c]}: {words(overlap.found[pair])}; independent "
            f"{number(overlap.independent[pair])}"
        )

    return Heat(overlap.heading, shares, say)


def _rows(data: Dataset, overlap: _Overlap) -> list[tuple[Cell, ...]]:
    labels = list(data.defenses)
    return [
        (overlap.kind, labels[j], labels[i], *cells(each), overlap.independent[i, j],
         _both(data.reasons(labels[j]), data.reasons(labels[i])))
        for (i, j), each in overlap.found.items()
    ]  # fmt: skip


def _sentence(data: Dataset, overlaps: Sequence[_Overlap], where: str) -> str:
    """Name the two models that coincide most, on the first examples that any pair errs on."""
    labels = list(data.defenses)
    for overlap in overlaps:
        known = {pair: each for pair, each in overlap.found.items() if each.value is not None}
        if known:
            _, (i, j) = extremes(known)
            return (
                f"On their own examples at {where}, {data.called(labels[j])} and "
                f"{data.called(labels[i])} err most on the same images: an overlap of "
                f"{words(known[i, j])}, {number(overlap.independent[i, j])} if they erred "
                "independently."
            )
    return ""


def _both(one: str, other: str) -> str:
    return "; ".join(filter(None, dict.fromkeys((one, other))))


def _jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> Interval:
    """Return the share of both among those of either, which alone count as measured."""
    return interval([np.where(one | other, (one & other).astype(np.float64), np.nan)])
