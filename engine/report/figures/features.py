"""The penultimate features: singular values, effective rank and margins."""

from __future__ import annotations

import numpy as np

from engine.artifacts import Role
from engine.networks.features import effective_rank
from engine.report import look
from engine.report.figure import INTERVAL, Cell, Figure, Picture, cells, table, words
from engine.report.runs import Dataset
from engine.statistics import Interval, median_interval

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


def draw(data: Dataset) -> list[Figure]:
    """Return the figure, for runs that measured the features."""
    if any("singular_values_train" not in data.first.measures(d) for d in data.defenses):
        return []
    slug, width = f"features-{data.label}", 1000
    styles = look.styles(list(data.defenses))
    rows: list[tuple[Cell, ...]] = []
    ranks, margins = {}, {}
    with look.drawing():
        figure, (spectrum, boundary) = look.panels(2, columns=2, width=width, height=340)
        for defense, style in styles.items():
            values = data.measure(defense, "singular_values_train")
            relative = values / np.maximum(values[:, :1], np.finfo(float).tiny)
            each = [effective_rank(seed) for seed in values]
            ranks[defense] = (float(np.mean(each)), min(each), max(each))
            mean = np.exp(np.log(np.maximum(relative, _SMALLEST / 100)).mean(0))
            low, high = relative.min(0), relative.max(0)
            x = np.arange(1, len(mean) + 1)
            spectrum.fill_between(x, low, high, color=style.colour, alpha=0.14, linewidth=0)
            spectrum.plot(
                x, mean, label=f"{data.defenses[defense]} (effective rank {ranks[defense][0]:.1f})",
                markevery=max(1, len(mean) // 10), **style.line(),
            )  # fmt: skip
            seeds, width_ = values.shape
            rows += [
                (data.label, defense, "relative_singular_value", "train", i + 1, float(mean[i]),
                 float(low[i]), float(high[i]), seeds, None, "range over seeds")
                for i in range(width_)
            ]  # fmt: skip
            rows.append(
                (data.label, defense, "effective_rank", "train", None, *ranks[defense], seeds, None,
                 "range over seeds")
            )  # fmt: skip
            for split in ("train", "test"):
                found = _relative_margin(data, defense, split)
                margins[defense, split] = found
                rows.append(
                    (data.label, defense, "median_relative_margin", split, None, *cells(found),
                     "bootstrap")
                )  # fmt: skip
        spectrum.set(yscale="log", xlabel="index", ylabel="singular value / largest")
        spectrum.set_ylim(max(_SMALLEST, spectrum.get_ylim()[0]), 1.5)
        look.log_ticks(spectrum, "y")
        spectrum.set_title("Spectrum", loc="left")
        for row, (defense, style) in enumerate(styles.items()):
            for offset, split in ((-0.15, "train"), (0.15, "test")):
                found = margins[defense, split]
                if found.value is None:
                    continue
                fill = style.colour if split == "train" else "none"
                boundary.errorbar(
                    [found.value], [row + offset],
                    xerr=[[found.value - found.low], [found.high - found.value]],
                    capsize=3, elinewidth=1.4,
                    **{**style.line(), "markerfacecolor": fill},
                )  # fmt: skip
        boundary.set_yticks(range(len(styles)), list(data.defenses.values()))
        boundary.set_ylim(len(styles) - 0.5, -0.5)
        boundary.set_xlabel("relative margin (filled: training images, outlined: test images)")
        boundary.set_title("Median margin", loc="left")
        look.legend(figure, spectrum, columns=2)
        drawn = look.svg(figure, slug)
    lowest = min(ranks, key=lambda d: ranks[d][0])
    highest = max(ranks, key=lambda d: ranks[d][0])
    widest = max(data.defenses, key=lambda d: float(margins[d, "train"].value or 0))
    sentence = (
        f"“{data.defenses[lowest]}” has the features of the lowest effective rank "
        f"({ranks[lowest][0]:.1f}), “{data.defenses[highest]}” those of the highest "
        f"({ranks[highest][0]:.1f}); the widest relative margin on training images is that of "
        f"“{data.defenses[widest]}”, {words(margins[widest, 'train'])}."
    )
    text = f"Singular values and margins of the penultimate features. {sentence}"
    return [
        Figure(
            slug,
            data.title,
            sentence,
            (Picture(slug, drawn, width, text),),
            table(slug, _COLUMNS, rows),
            data.artifacts(*(Role("measures", defense) for defense in data.defenses)),
        )
    ]


def _relative_margin(data: Dataset, defense: str, split: str) -> Interval:
    """The margins over the features' root mean square along their first direction; their median."""
    margins = data.measure(defense, f"margins_{split}")
    first = data.measure(defense, f"singular_values_{split}")[:, :1]
    scale = first / np.sqrt(margins.shape[1])
    return median_interval(margins / np.where(scale > 0, scale, np.nan))
