"""Transfer matrices: every model on the examples made for every model."""

from __future__ import annotations

import numpy as np

from engine.report import rounding
from engine.report.figure import (
    FLOAT,
    INTERVAL,
    Cell,
    Figure,
    cells,
    float_words,
    number,
    table,
    words,
)
from engine.report.grids import Frame, Heat, heat
from engine.report.runs import Curve, Dataset

TITLE = "Transfer matrices"
READING = (
    "Accuracy of the column's model on examples made for the row's; the diagonal is white box. "
    "Darker is more accurate. Examples are 8-bit pixels that are kept within ε. The 95 % intervals "
    "and the accuracies before rounding are in the table, and shown when a cell is pointed at."
)
_COLUMNS = (
    "dataset", "curve", "parameter", "at", "levels", "source", "tested", *INTERVAL, FLOAT, "doubt",
)  # fmt: skip
_WANTED = (0.1, 0.3, 0.5)


def draw(data: Dataset) -> list[Figure]:
    """Return a figure a curve that tests every model on the examples for every model."""
    curves = [curve for curve in data.curves.values() if curve.transfer]
    return [_figure(data.of_curve(curve.label), curve) for curve in curves]


def chosen(values: tuple[float, ...]) -> list[int]:
    """Return where the values to show are: .1, .3 and .5, else up to three, evenly spaced."""
    found = [values.index(value) for value in _WANTED if value in values]
    if len(found) > 1:
        return found
    positive = [i for i, value in enumerate(values) if value > 0] or [0]
    places = np.linspace(0, len(positive) - 1, min(3, len(positive))).round().astype(int)
    return [positive[i] for i in places]


def _figure(data: Dataset, curve: Curve) -> Figure:
    slug = f"transfer-{curve.label}-{data.label}"
    names = [data.marked(defense) for defense in data.defenses]
    found = {(s, t): data.accuracy(curve.label, s, t) for s in data.defenses for t in data.defenses}
    labels = list(data.defenses)
    before = {pair: rounding.before(data, curve.label, *pair) for pair in found}
    panels: list[Heat] = []
    rows: list[tuple[Cell, ...]] = []
    sentence = ""
    for at in chosen(curve.values):
        value = curve.values[at]
        shares = np.array([[found[s, t][at].value for t in labels] for s in labels], float)

        def say(r: int, c: int, at: int = at) -> str:
            return (
                f"{names[c]} on examples for {names[r]}: {words(found[labels[r], labels[c]][at])}"
                f"{float_words(before[labels[r], labels[c]][at])}"
            )

        mean = np.where(np.eye(len(labels), dtype=bool), np.nan, shares)
        foe = int(np.nanargmin(np.nanmean(mean, axis=1)))
        if not sentence or abs(value - 0.3) < 1e-9:
            sentence = (
                f"At {curve.axis} = {curve.said(value)} the examples made for "
                f"{data.called(labels[foe])} fool the other models most: these keep "
                f"{number(float(np.nanmean(mean[foe])))} on average."
            )
        panels.append(Heat(f"{curve.axis} = {curve.said(value)}", shares, say))
        rows += [
            (data.label, curve.label, curve.parameter, value, curve.levels(value), s, t,
             *cells(found[s, t][at]), before[s, t][at], data.reasons(t))
            for s in labels
            for t in labels
        ]  # fmt: skip
    return Figure(
        slug,
        f"{data.title}: {curve.title}",
        sentence,
        (
            heat(
                slug,
                Frame(names, names, "made for", "tested"),
                panels,
                f"Accuracy of {len(labels)} models on examples made for each. {sentence}",
            ),
        ),
        table(slug, _COLUMNS, rows),
        data.curve_artifacts(curve.label),
        (*data.absence_notes(), *rounding.curve_notes(data, curve), *data.doubt_notes()),
    )
