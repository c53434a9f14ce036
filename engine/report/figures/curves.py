"""Accuracy as an attack grows: a panel a source model, a line a tested model."""

from __future__ import annotations

from engine.artifacts import Role
from engine.replication import published
from engine.report import look, rounding
from engine.report.figure import FLOAT, INTERVAL, Figure, Picture, cells, table, words
from engine.report.runs import Curve, Dataset

TITLE = "Accuracy against the size of the attack"
READING = (
    "A panel for every model that the examples were made for (its own line there is white box, "
    "the others are transferred), a line for every model tested on them, all on 8-bit pixels that "
    "are kept within ε: 25 of 255 levels for ε = .1. Bands are 95 % intervals over seeds and test "
    "images."
)
_COLUMNS = (
    "dataset", "curve", "parameter", "at", "levels", "source", "tested", *INTERVAL, FLOAT,
    "authors", "doubt",
)  # fmt: skip
Theirs = dict[tuple[str, str], dict[float, float]]


def draw(data: Dataset) -> list[Figure]:
    """Return a figure a curve that tests every model on the examples for every model."""
    return [
        _figure(data.of_curve(curve.label), curve)
        for curve in data.curves.values()
        if curve.transfer and len(curve.values) > 1
    ]


def _figure(data: Dataset, curve: Curve) -> Figure:
    architecture = data.artifact(Role("model", next(iter(data.defenses)))).recipe.config
    theirs = published.accuracies(
        data.name, curve.config["attack"], architecture["architecture"].get("preprocessing", [])
    )
    slug = f"curves-{curve.label}-{data.label}"
    sentence = _sentence(data, curve)
    notes = [*data.absence_notes(), *rounding.curve_notes(data, curve), *data.doubt_notes()]
    if theirs is not None:
        notes.insert(
            0,
            "Hollow: what the authors recorded for the same dataset and space, on the first "
            f"{published.IMAGES} test images; they recorded no combination of defenses.",
        )
    elif data.stand_in is not None:
        notes.append(
            f"These are {data.stand_in}. The papers used another dataset, so their values do not "
            "stand beside these."
        )
    rows = [
        (
            data.label, curve.label, curve.parameter, value, curve.levels(value), source, tested,
            *cells(found), before,
            (theirs or {}).get((source, tested), {}).get(value), data.reasons(tested),
        )
        for source in data.defenses
        for tested in data.defenses
        for value, found, before in zip(
            curve.values,
            data.accuracy(curve.label, source, tested),
            rounding.before(data, curve.label, source, tested),
            strict=True,
        )
    ]  # fmt: skip
    return Figure(
        slug,
        f"{data.title}: {curve.title}",
        sentence,
        (_picture(data, curve, theirs, slug, sentence),),
        table(slug, _COLUMNS, rows),
        data.curve_artifacts(curve.label),
        tuple(notes),
    )


def _picture(
    data: Dataset, curve: Curve, theirs: Theirs | None, slug: str, sentence: str
) -> Picture:
    width = 1000
    with look.drawing():
        figure, panels = look.panels(
            len(data.defenses), columns=3, width=width, height=250, sharex=True, sharey=True
        )
        styles = look.styles(data.labels, data.defenses)
        for axes, source in zip(panels, data.defenses, strict=True):
            for tested, style in styles.items():
                found = data.accuracy(curve.label, source, tested)
                look.line(axes, curve.values, found, style, data.marked(tested))
                recorded = (theirs or {}).get((source, tested), {})
                at = [value for value in curve.values if value in recorded]
                axes.plot(
                    at,
                    [recorded[value] for value in at],
                    **{**style.line(), "linestyle": (0, (1, 2)), "markerfacecolor": "none"},
                    linewidth=1,
                    markersize=7,
                )
            axes.set_title(f"made for {data.marked(source)}", loc="left")
            axes.set(ylim=(-0.02, 1.02), xlabel=curve.axis)
            axes.label_outer()
        look.name_values(panels, 3, "accuracy")
        look.legend(figure, panels[0])
        drawn = look.svg(figure, slug)
    text = f"Lines of accuracy against {curve.axis}, a panel a source model. {sentence}"
    return Picture(slug, drawn, width, text)


def _sentence(data: Dataset, curve: Curve) -> str:
    """Say who keeps the most on examples for the first model, at the value in the middle."""
    source = next(iter(data.defenses))
    at = min(range(len(curve.values)), key=lambda i: abs(curve.values[i] - 0.3))
    found = {t: data.accuracy(curve.label, source, t)[at] for t in data.defenses}
    best = max(found, key=lambda t: found[t].value or 0)
    most = (
        f"On examples made for {data.called(source)} at {curve.axis} = "
        f"{curve.said(curve.values[at])}, {data.called(best)} keeps an accuracy of "
        f"{words(found[best])}, the most of all"
    )
    if best == source:
        return f"{most}."
    return f"{most}; {data.called(source)} itself keeps {words(found[source])}."
