"""Do models err on the same images? Pairwise overlap of the misclassified sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.report.figure import INTERVAL, Cell, Figure, cells, number, table, words
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


def draw(data: Dataset) -> list[Figure]:
    """Return the figure from the first curve that tests every model on every model's examples."""
    curve = next((c for c in data.curves.values() if c.transfer), None)
    return [] if curve is None else [_figure(data, curve)]


def _figure(data: Dataset, curve: Curve) -> Figure:
    labels = list(data.defenses)
    reference = labels[0]
    white_box = np.stack([~data.right(curve.label, d, d) for d in labels])
    shared = np.stack([~data.right(curve.label, reference, d) for d in labels])
    positive = [i for i, value in enumerate(curve.values) if value > 0] or [0]
    # Where half of all answers are wrong the sets can differ most.
    at = min(positive, key=lambda i: abs(float(white_box[:, i].mean()) - 0.5))
    value = number(curve.values[at])
    slug = f"overlap-{data.label}"
    names = [data.marked(defense) for defense in labels]
    panels: list[Heat] = []
    rows: list[tuple[Cell, ...]] = []
    sentence = ""
    for kind, wrong, heading in (
        ("own", white_box[:, at], "each on its own examples"),
        ("shared", shared[:, at], f"all on those for {names[0]}"),
    ):
        found = {(i, j): _jaccard(wrong[i], wrong[j]) for i in range(len(labels)) for j in range(i)}
        shares = np.full((len(labels), len(labels)), np.nan)
        independent = {}
        for i, j in found:
            each = found[i, j].value
            shares[i, j] = shares[j, i] = np.nan if each is None else each
            p, q = float(wrong[i].mean()), float(wrong[j].mean())
            independent[i, j] = p * q / (p + q - p * q) if p + q else 0.0

        def say(
            r: int,
            c: int,
            found: dict[tuple[int, int], Interval] = found,
            independent: dict[tuple[int, int], float] = independent,
        ) -> str:
            if r == c:
                return names[r]
            pair = (max(r, c), min(r, c))
            return (
                f"{names[r]} and {names[c]}: {words(found[pair])}; independent "
                f"{number(independent[pair])}"
            )

        panels.append(Heat(heading, shares, say))
        rows += [
            (data.label, curve.label, curve.values[at], kind, labels[j], labels[i],
             *cells(each), independent[i, j],
             _both(data.reasons(labels[j]), data.reasons(labels[i])))
            for (i, j), each in found.items()
        ]  # fmt: skip
        known = {pair: each for pair, each in found.items() if each.value is not None}
        if known and not sentence:
            i, j = max(known, key=lambda pair: float(known[pair].value or 0))
            sentence = (
                f"On their own examples at {curve.axis} = {value}, {data.called(labels[j])} and "
                f"{data.called(labels[i])} err most on the same images: an overlap of "
                f"{words(known[i, j])}, {number(independent[i, j])} if they erred independently."
            )
    return Figure(
        slug,
        data.title,
        sentence or "No model errs on any of the images.",
        (
            heat(
                slug,
                Frame(names, names),
                panels,
                f"Jaccard indices of the misclassified sets of {len(labels)} models. {sentence}",
                cell=(54, 36),
            ),
        ),
        table(slug, _COLUMNS, rows),
        data.curve_artifacts(curve.label),
        data.doubt_notes(),
    )


def _both(one: str, other: str) -> str:
    return "; ".join(filter(None, dict.fromkeys((one, other))))


def _jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> Interval:
    """Return the share of both among those of either, which alone count as measured."""
    return interval([np.where(one | other, (one & other).astype(np.float64), np.nan)])
