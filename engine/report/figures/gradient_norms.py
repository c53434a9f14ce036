"""Norms of the input gradients, for true and other labels, on a logarithmic axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Role
from engine.report import look
from engine.report.figure import INTERVAL, Cell, Figure, Picture, cells, number, short, table, words
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


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, two boxes a model."""
    slug, width = f"gradient-norms-{data.label}", 860
    parts = {(d, name): each for d in data.defenses for name, each in _norms(data, d).items()}
    zero = {key: _zeros(each) for key, each in parts.items()}
    median = {
        key: median_interval(np.where(each > 0, each, np.nan), resamples=400)
        for key, each in parts.items()
    }
    styles = look.styles(list(data.defenses))
    with look.drawing():
        figure, (axes,) = look.panels(1, columns=1, width=width, height=54 * len(styles) + 30)
        for row, (defense, style) in enumerate(styles.items()):
            for offset, name in ((-0.19, "true"), (0.19, "other")):
                place = row + offset
                box = _box(parts[defense, name])
                if box is not None:
                    _draw_box(axes, box, place, style, filled=name == "true")
                share = zero[defense, name].value or 0
                axes.text(
                    1.02, place, f"{name}: {number(share)} zero", va="center",
                    transform=axes.get_yaxis_transform(),
                )  # fmt: skip
        axes.set_xscale("log")
        boxes = [box for box in map(_box, parts.values()) if box is not None]
        cut = any(box["whislo"] < _LEFT for box in boxes)
        if cut:
            shown = [max(box["whislo"], _LEFT) for box in boxes if box["whishi"] > _LEFT]
            axes.set_xlim(left=min(shown, default=_LEFT) / 2)
        look.log_ticks(axes)
        axes.set_yticks(range(len(styles)), [data.marked(d) for d in styles])
        axes.set_ylim(len(styles) - 0.45, -0.55)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("norm of the input gradient (filled: true label, outlined: other labels)")
        drawn = look.svg(figure, slug)
    most = max(data.defenses, key=lambda d: float(zero[d, "true"].value or 0))
    zeros = zero[most, "true"]
    if zeros.value:
        sentence = (
            f"{data.called(most)}: {words(zeros)} of its true-label gradients are exactly zero, "
            "more than of any other model."
        )
    else:
        sentence = "No model has a true-label gradient that is exactly zero."
    largest = max(median, key=lambda key: float(median[key].value or 0))
    sentence += (
        f" The largest median norm, {short(median[largest].value or 0)}, is that of "
        f"{data.called(largest[0])} for {largest[1]} labels."
    )
    notes = (f"Norms below {look.power(_LEFT)} are not drawn.",) if cut else ()
    rows: list[tuple[Cell, ...]] = []
    for (defense, name), each in parts.items():
        doubt = data.reasons(defense)
        rows.append((data.label, defense, name, "zero_share", *cells(zero[defense, name]), doubt))
        rows.append(
            (data.label, defense, name, "median_of_nonzero", *cells(median[defense, name]), doubt)
        )
        positive = each[np.isfinite(each) & (each > 0)]
        for quantile in (0.05, 0.25, 0.75, 0.95):
            value = float(np.quantile(positive, quantile)) if len(positive) else None
            rows.append(
                (data.label, defense, name, f"quantile_{quantile:g}_of_nonzero", value, None, None,
                 *each.shape[:2], doubt)
            )  # fmt: skip
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (Picture(slug, drawn, width, f"Box plots of gradient norms. {sentence}"),),
            table(slug, _COLUMNS, rows),
            data.artifacts(*(Role("measures", defense) for defense in data.defenses)),
            (*notes, *data.doubt_notes()),
        )
    ]


def _norms(data: Dataset, defense: str) -> dict[str, NDArray[np.float64]]:
    """Return the norms (S, N, K), those of other labels NaN."""
    norms = data.measure(defense, "gradient_norms")
    labels = data.measure(defense, "labels").astype(np.int64)
    true = np.arange(norms.shape[2]) == labels[..., None]
    return {"true": np.where(true, norms, np.nan), "other": np.where(true, np.nan, norms)}


def _zeros(norms: NDArray[np.float64]) -> Interval:
    known = np.isfinite(norms)
    return interval([((norms == 0) & known).sum(2) / known.sum(2)])


def _box(norms: NDArray[np.float64]) -> dict[str, Any] | None:
    positive = norms[np.isfinite(norms) & (norms > 0)]
    if not len(positive):
        return None
    ends = np.quantile(positive, list(_QUANTILES.values()))
    return {**dict(zip(_QUANTILES, map(float, ends), strict=True)), "fliers": []}


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
