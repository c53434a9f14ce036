"""Norms of the input gradients, for true and other labels, on a logarithmic axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Role
from engine.report import look
from engine.report.figure import (
    INTERVAL,
    Cell,
    Figure,
    Picture,
    cells,
    extremes,
    number,
    short,
    table,
    words,
)
from engine.report.runs import Dataset
from engine.statistics import Interval, interval, median_interval

TITLE = "Norms of the input gradients"
READING = (
    "L2 norms of the gradient of the cross-entropy with the true label and with every other, on "
    "clean test images. Boxes hold the middle half, whiskers the middle nine tenths, of the "
    "norms that are not zero; the share of exact zeros, which have no place on a logarithmic "
    "axis, is written beside."
)
_COLUMNS = ("dataset", "defense", "labels", "quantity", *INTERVAL, "doubt")
_LEFT = 1e-12
"""What is smaller is not drawn: a distilled model's norms reach down to float32's smallest number,
and would leave the others no room."""
_QUANTILES = {"whislo": 0.05, "q1": 0.25, "med": 0.5, "q3": 0.75, "whishi": 0.95}


@dataclass(frozen=True)
class _Norms:
    """The norms of one model for one kind of label.

    Attributes:
        values: (S, N, K), NaN for the other kind of label.
        zero: the share that is exactly zero.
        median: of those that are not.
        box: the quantiles of those that are not, as matplotlib wants them; None where all are.
    """

    values: NDArray[np.float64]
    zero: Interval
    median: Interval
    box: dict[str, Any] | None


_Found = dict[tuple[str, str], _Norms]
"""By defense, and "true" or "other" labels."""


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, two boxes a model."""
    data = data.measured()
    if not data.defenses:
        return []
    slug = f"gradient-norms-{data.label}"
    found = {
        (defense, labels): _Norms(norms, _zeros(norms), _median(norms), _box(norms))
        for defense in data.defenses
        for labels, norms in _norms(data, defense).items()
    }
    sentence = _sentence(data, found)
    cut = _left_end(found) is not None
    notes = (f"Norms below {look.power(_LEFT)} are not drawn.",) if cut else ()
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (_picture(data, found, slug, sentence),),
            table(slug, _COLUMNS, _rows(data, found)),
            data.artifacts(*(Role("measures", defense) for defense in data.defenses)),
            (*notes, *data.absence_notes(), *_few_labels(data), *data.doubt_notes()),
        )
    ]


def _few_labels(data: Dataset) -> tuple[str, ...]:
    """Say for how many labels there are norms, where these are not all."""
    norms = data.measure(next(iter(data.defenses)), "gradient_norms")
    classes, measured = norms.shape[2], int(np.isfinite(norms).sum(2).max())
    if measured == classes:
        return ()
    return (
        f"Of {classes} labels the norms of {measured} are measured for each image: the true one, "
        "the model's answer or else its second choice, and others spread over the classes.",
    )


def _picture(data: Dataset, found: _Found, slug: str, sentence: str) -> Picture:
    width = 860
    styles = look.styles(data.labels, data.defenses)
    with look.drawing():
        figure, (axes,) = look.panels(1, columns=1, width=width, height=54 * len(styles) + 30)
        for row, (defense, style) in enumerate(styles.items()):
            for offset, labels in ((-0.19, "true"), (0.19, "other")):
                norms, place = found[defense, labels], row + offset
                if norms.box is not None:
                    _draw_box(axes, norms.box, place, style, filled=labels == "true")
                axes.text(
                    1.02, place, f"{labels}: {number(norms.zero.value or 0)} zero", va="center",
                    transform=axes.get_yaxis_transform(),
                )  # fmt: skip
        axes.set_xscale("log")
        left = _left_end(found)
        if left is not None:
            axes.set_xlim(left=left)
        look.log_ticks(axes)
        look.name_rows(axes, [data.marked(defense) for defense in styles], room=0.55)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("norm of the input gradient (filled: true label, outlined: other labels)")
        drawn = look.svg(figure, slug)
    return Picture(slug, drawn, width, f"Box plots of gradient norms. {sentence}")


def _sentence(data: Dataset, found: _Found) -> str:
    """Say who has the most zeros among true labels, and whose nonzero norms are the largest."""
    _, most = extremes({defense: found[defense, "true"].zero for defense in data.defenses})
    zeros = found[most, "true"].zero
    if zeros.value:
        sentence = (
            f"{data.called(most)}: {words(zeros)} of its true-label gradients are exactly zero, "
            "more than of any other model."
        )
    else:
        sentence = "No model has a true-label gradient that is exactly zero."
    _, (defense, labels) = extremes({key: norms.median for key, norms in found.items()})
    median = found[defense, labels].median.value or 0
    return (
        f"{sentence} The largest median norm, {short(median)}, is that of {data.called(defense)} "
        f"for {labels} labels."
    )


def _rows(data: Dataset, found: _Found) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for (defense, labels), norms in found.items():
        of, doubt = (data.label, defense, labels), data.reasons(defense)
        rows.append((*of, "zero_share", *cells(norms.zero), doubt))
        rows.append((*of, "median_of_nonzero", *cells(norms.median), doubt))
        counted = (None, None, *norms.values.shape[:2])
        for end, quantile in _QUANTILES.items():
            if end != "med":
                value = norms.box[end] if norms.box else None
                rows.append((*of, f"quantile_{quantile:g}_of_nonzero", value, *counted, doubt))
    return rows


def _norms(data: Dataset, defense: str) -> dict[str, NDArray[np.float64]]:
    """Return the norms (S, N, K), those of other labels NaN."""
    norms = data.measure(defense, "gradient_norms")
    labels = data.measure(defense, "labels").astype(np.int64)
    true = np.arange(norms.shape[2]) == labels[..., None]
    return {"true": np.where(true, norms, np.nan), "other": np.where(true, np.nan, norms)}


def _zeros(norms: NDArray[np.float64]) -> Interval:
    known = np.isfinite(norms)
    return interval([((norms == 0) & known).sum(2) / known.sum(2)])


def _median(norms: NDArray[np.float64]) -> Interval:
    return median_interval(np.where(norms > 0, norms, np.nan), resamples=400)


def _box(norms: NDArray[np.float64]) -> dict[str, Any] | None:
    positive = norms[np.isfinite(norms) & (norms > 0)]
    if not len(positive):
        return None
    ends = np.quantile(positive, list(_QUANTILES.values()))
    return {**dict(zip(_QUANTILES, map(float, ends), strict=True)), "fliers": []}


def _left_end(found: _Found) -> float | None:
    """Return where the axis begins when a whisker reaches below `_LEFT`, else None."""
    boxes = [norms.box for norms in found.values() if norms.box is not None]
    if all(box["whislo"] >= _LEFT for box in boxes):
        return None
    shown = [max(box["whislo"], _LEFT) for box in boxes if box["whishi"] > _LEFT]
    return float(min(shown, default=_LEFT)) / 2


def _draw_box(
    axes: Any, box: dict[str, Any], place: float, style: look.Style, *, filled: bool
) -> None:
    from matplotlib.colors import to_rgba

    edge = {"color": style.colour, "linewidth": 1.4}
    axes.bxp(
        [box],
        positions=[place],
        widths=0.28,
        orientation="horizontal",
        manage_ticks=False,
        patch_artist=True,
        showfliers=False,
        boxprops={
            "edgecolor": style.colour,
            "linewidth": 1.4,
            "facecolor": to_rgba(style.colour, 0.35) if filled else "none",
        },
        whiskerprops=edge,
        capprops=edge,
        medianprops={"color": style.colour, "linewidth": 2.4},
    )
