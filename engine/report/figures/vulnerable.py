"""Paper 2's curves: the share of images with an adversarial example, against how far it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Artifact, Role
from engine.report import look
from engine.report.figure import INTERVAL, Figure, Picture, cells, number, table, words
from engine.report.runs import Dataset
from engine.statistics import Interval, interval

TITLE = "Share of images with an adversarial example"
READING = (
    "For every allowed disturbance the share of images for which an attack on the model itself "
    "found an adversarial example; lower is more robust. An example within ε counts for every "
    "larger ε; examples are 8-bit pixels that are kept within ε. Smallest disturbances end on the "
    "boundary, and are measured before rounding to 8 bits. Bands are 95 % intervals. A step size "
    "on the axis compares attacks of the same ε, and there nothing is carried over."
)
_COLUMNS = ("dataset", "surface", "parameter", "at", "defense", *INTERVAL, "doubt")
_POINTS = 25


@dataclass(frozen=True)
class _Surface:
    """One panel: shares by defense, one a value."""

    label: str
    title: str
    axis: str
    parameter: str
    values: tuple[float, ...]
    found: dict[str, list[Interval]]
    artifacts: dict[str, Artifact]
    notes: tuple[str, ...]
    said: Callable[[float], str] = number


def draw(data: Dataset) -> list[Figure]:
    """Return one figure, a panel for every such attack that the runs have."""
    surfaces = [
        surface
        for surface in (
            *(_minimum(data, label, title) for label, title in data.has("minimum_norms").items()),
            *(_swept(data, label) for label, curve in data.curves.items() if not curve.transfer),
        )
        if surface is not None
    ]
    if not surfaces:
        return []
    slug, width = f"vulnerable-{data.label}", 1000
    styles = look.styles(data.labels, data.defenses)
    with look.drawing():
        figure, panels = look.panels(len(surfaces), columns=2, width=width, height=290, sharey=True)
        for axes, surface in zip(panels, surfaces, strict=True):
            for defense, found in surface.found.items():
                style = styles[defense]
                look.line(axes, surface.values, found, style, data.marked(defense))
                if len(surface.values) > 12:
                    axes.lines[-1].set_markevery(4)
            axes.set_title(surface.title, loc="left")
            axes.set(ylim=(-0.02, 1.02), xlabel=surface.axis)
        look.name_values(panels, 2, "share")
        look.legend(figure, panels[0])
        drawn = look.svg(figure, slug)
    sentence = _sentence(data, surfaces[0])
    rows = [
        (data.label, s.label, s.parameter, value, defense, *cells(each), data.reasons(defense))
        for s in surfaces
        for defense, found in s.found.items()
        for value, each in zip(s.values, found, strict=True)
    ]
    text = f"Lines of the share with an adversarial example, a panel an attack. {sentence}"
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (Picture(slug, drawn, width, text),),
            table(slug, _COLUMNS, rows),
            {name: artifact for s in surfaces for name, artifact in s.artifacts.items()},
            (*data.doubt_notes(), *dict.fromkeys(note for s in surfaces for note in s.notes)),
        )
    ]


def _swept(data: Dataset, label: str) -> _Surface:
    data, curve = data.of_curve(label), data.curves[label]
    within = curve.parameter == "eps"
    found = {}
    for defense in data.defenses:
        wrong = ~data.right(label, defense, defense)
        if within:
            wrong = wrong[np.argsort(curve.values)]
            wrong = np.maximum.accumulate(wrong, axis=0)
        found[defense] = [interval([each]) for each in wrong]
    norm = {"l2": "L2", "linf": "L∞"}.get(str(curve.config["attack"].get("norm", "linf")), "")
    return _Surface(
        label,
        curve.title,
        f"ε ({norm})" if within else curve.axis,
        curve.parameter,
        tuple(sorted(curve.values)) if within else curve.values,
        found,
        data.curve_artifacts(label),
        data.absence_notes(),
        curve.said,
    )


def _minimum(data: Dataset, label: str, title: str) -> _Surface | None:
    data = data.having(lambda defense: [Role("minimum_norm", label, defense)])
    if not data.defenses:
        return None
    norms: dict[str, NDArray[np.float64]] = {}
    undone: list[NDArray[np.bool_]] = []
    for defense in data.defenses:
        made = [run.minimum_norm(label, defense) for run in data.runs]
        norms[defense] = np.stack([each.norm for each in made])
        undone += [each.rounded_away[each.norm > 0] for each in made]
        norm_name = made[0].norm_name
    finite = np.concatenate([each[np.isfinite(each)] for each in norms.values()])
    most = float(np.quantile(finite, 0.98)) if len(finite) else 1.0
    values = tuple(float(v) for v in np.linspace(0, most or 1.0, _POINTS))
    found = {
        defense: [interval([each <= value]) for value in values] for defense, each in norms.items()
    }
    words_of = {"l2": "L2", "linf": "L∞"}.get(norm_name, norm_name)
    roles = [Role("minimum_norm", label, defense) for defense in data.defenses]
    return _Surface(
        label,
        title,
        f"allowed disturbance ({words_of})",
        norm_name,
        values,
        found,
        data.artifacts(*roles),
        (
            f"{title}: rounding to 8 bits undoes {np.concatenate(undone).mean():.0%} of them.",
            *data.absence_notes(),
        ),
    )


def _sentence(data: Dataset, surface: _Surface) -> str:
    """Say who has the fewest where the first model has about half of its images hit."""
    first = next(iter(surface.found))
    at = min(
        range(len(surface.values)),
        key=lambda i: abs((surface.found[first][i].value or 0) - 0.5),
    )
    found = {defense: each[at] for defense, each in surface.found.items()}
    best = min(found, key=lambda d: float(found[d].value or 0))
    other = first if best != first else max(found, key=lambda d: float(found[d].value or 0))
    return (
        f"{surface.title}, at {surface.said(surface.values[at])}: {data.called(best)} has an "
        f"adversarial example on {words(found[best])} of the images, the fewest; "
        f"{data.called(other)} on {words(found[other])}."
    )
