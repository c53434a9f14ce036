"""The penultimate features: singular values, effective rank and margins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Role
from engine.networks.features import effective_rank
from engine.report import look
from engine.report.figure import INTERVAL, Cell, Figure, Picture, cells, extremes, table, words
from engine.report.runs import Dataset
from engine.statistics import Interval, median_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Penultimate features"
READING = (
    "Left: singular values of the centred features on training images over the largest, means "
    "over seeds on the logarithm's scale; bands reach from the lowest seed to the highest. A "
    "fast fall is a low rank. Right: the median distance to the head's boundary over the "
    "features' spread (root mean square along their first direction), with its 95 % interval, on "
    "training and test images."
)
_COLUMNS = ("dataset", "defense", "quantity", "split", "index", *INTERVAL, "interval")
_SMALLEST = 1e-6
_NONE = "No network here has penultimate features with a linear head."


@dataclass(frozen=True)
class _Spectrum:
    """The singular values of one model on training images, over the largest.

    Attributes:
        mean: over the seeds, on the logarithm's scale, (D,).
        low, high: the lowest and the highest seed, (D,).
        rank: the effective rank: mean over the seeds, lowest, highest.
        seeds: how many.
    """

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    rank: tuple[float, float, float]
    seeds: int


_Margins = dict[tuple[str, str], Interval]
"""By defense and split."""


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, for runs that measured the features; of some networks there are none."""
    whole = data.measured()
    slug, width = f"features-{data.label}", 1000
    notes = (*whole.absence_notes(), *_absences(whole))
    measured = [d for d in whole.defenses if whole.absence(d, "singular_values_train") is None]
    if not measured:
        # Runs from before they were measured have no reason either, and no figure.
        nothing = table(slug, _COLUMNS, [])
        return [Figure(slug, data.title, _NONE, (), nothing, {}, notes)] if notes else []
    spectra = {defense: _spectrum(data, defense) for defense in measured}
    margins = {
        (defense, split): _relative_margin(data, defense, split)
        for defense in measured
        for split in ("train", "test")
    }
    with look.drawing():
        figure, (left, right) = look.panels(2, columns=2, width=width, height=340)
        _draw_spectra(left, data, spectra)
        _draw_margins(right, data, margins)
        look.legend(figure, left, columns=2)
        drawn = look.svg(figure, slug)
    sentence = _sentence(data, spectra, margins)
    text = f"Singular values and margins of the penultimate features. {sentence}"
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (Picture(slug, drawn, width, text),),
            table(slug, _COLUMNS, _rows(data, spectra, margins)),
            data.artifacts(*(Role("measures", defense) for defense in spectra)),
            notes,
        )
    ]


def _absences(data: Dataset) -> tuple[str, ...]:
    """Return a sentence for every model of which a measure is absent, with the reason."""
    found = []
    for defense, title in data.defenses.items():
        reason = data.absence(defense, "singular_values_train")
        what = "Not measured"
        if reason is None:
            reason, what = data.absence(defense, "margins_train"), "No margins"
        if reason:
            found.append(f"{what} of “{title}”: {reason}.")
    return tuple(found)


def _spectrum(data: Dataset, defense: str) -> _Spectrum:
    values = data.measure(defense, "singular_values_train")
    relative = values / np.maximum(values[:, :1], np.finfo(float).tiny)
    ranks = [effective_rank(seed) for seed in values]
    return _Spectrum(
        np.exp(np.log(np.maximum(relative, _SMALLEST / 100)).mean(0)),
        relative.min(0),
        relative.max(0),
        (float(np.mean(ranks)), min(ranks), max(ranks)),
        len(values),
    )


def _draw_spectra(axes: Axes, data: Dataset, spectra: Mapping[str, _Spectrum]) -> None:
    for defense, style in look.styles(data.labels, spectra).items():
        each = spectra[defense]
        x = np.arange(1, len(each.mean) + 1)
        axes.fill_between(x, each.low, each.high, color=style.colour, alpha=0.14, linewidth=0)
        axes.plot(
            x, each.mean, label=f"{data.defenses[defense]} (effective rank {each.rank[0]:.1f})",
            markevery=max(1, len(x) // 10), **style.line(),
        )  # fmt: skip
    axes.set(yscale="log", xlabel="index", ylabel="singular value / largest")
    axes.set_ylim(max(_SMALLEST, axes.get_ylim()[0]), 1.5)
    look.log_ticks(axes, "y")
    axes.set_title("Spectrum", loc="left")


def _draw_margins(axes: Axes, data: Dataset, margins: _Margins) -> None:
    drawn = dict.fromkeys(defense for defense, _ in margins)
    for row, (defense, style) in enumerate(look.styles(data.labels, drawn).items()):
        for offset, split in ((-0.15, "train"), (0.15, "test")):
            found = margins[defense, split]
            if found.value is None:
                continue
            fill = style.colour if split == "train" else "none"
            axes.errorbar(
                [found.value], [row + offset],
                xerr=[[found.value - found.low], [found.high - found.value]],
                capsize=3, elinewidth=1.4,
                **{**style.line(), "markerfacecolor": fill},
            )  # fmt: skip
    look.name_rows(axes, [data.defenses[defense] for defense in drawn], room=0.5)
    axes.set_xlabel("relative margin (filled: training images, outlined: test images)")
    axes.set_title("Median margin", loc="left")


def _sentence(data: Dataset, spectra: Mapping[str, _Spectrum], margins: _Margins) -> str:
    """Name the lowest and the highest effective rank, and the widest margin."""
    lowest = min(spectra, key=lambda d: spectra[d].rank[0])
    highest = max(spectra, key=lambda d: spectra[d].rank[0])
    _, widest = extremes({defense: margins[defense, "train"] for defense in spectra})
    ranks = (
        f"“{data.defenses[lowest]}” has the features of the lowest effective rank "
        f"({spectra[lowest].rank[0]:.1f}), “{data.defenses[highest]}” those of the highest "
        f"({spectra[highest].rank[0]:.1f})"
    )
    if margins[widest, "train"].value is None:
        return f"{ranks}."
    return (
        f"{ranks}; the widest relative margin on training images is that of "
        f"“{data.defenses[widest]}”, {words(margins[widest, 'train'])}."
    )


def _rows(
    data: Dataset, spectra: Mapping[str, _Spectrum], margins: _Margins
) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for defense, each in spectra.items():
        over_seeds = (each.seeds, None, "range over seeds")
        rows += [
            (data.label, defense, "relative_singular_value", "train", index, *map(float, ends),
             *over_seeds)
            for index, ends in enumerate(zip(each.mean, each.low, each.high, strict=True), 1)
        ]  # fmt: skip
        rows.append((data.label, defense, "effective_rank", "train", None, *each.rank, *over_seeds))
        rows += [
            (data.label, defense, "median_relative_margin", split, None,
             *cells(margins[defense, split]), "bootstrap")
            for split in ("train", "test")
        ]  # fmt: skip
    return rows


def _relative_margin(data: Dataset, defense: str, split: str) -> Interval:
    """The margins over the features' root mean square along their first direction; their median."""
    if data.absence(defense, f"margins_{split}") is not None:
        return Interval(None, np.nan, np.nan, len(data.runs), 0)
    margins = data.measure(defense, f"margins_{split}")
    first = data.measure(defense, f"singular_values_{split}")[:, :1]
    scale = first / np.sqrt(margins.shape[1])
    return median_interval(margins / np.where(scale > 0, scale, np.nan))
