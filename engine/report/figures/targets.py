"""Target grids: every class as the target of an attack, and how often it gets there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Role
from engine.report.figure import (
    INTERVAL,
    Cell,
    Figure,
    Picture,
    cells,
    extremes,
    number,
    table,
    words,
)
from engine.report.grids import Frame, Heat, Mosaic, heat, mosaic
from engine.report.rounding import attack_notes
from engine.report.runs import Dataset
from engine.results import Grid
from engine.statistics import Interval, interval

TITLE = "Every class as the target"
READING = (
    "Rows are true classes, columns the classes aimed at; the diagonal is the clean image. "
    "Framed: the model takes the picture, rounded to 8 bits, for the target. Pale: it does not. "
    "Below, the share of images of a class that become each target."
)
_COLUMNS = ("dataset", "grid", "defense", "true", "target", *INTERVAL, "doubt")
_PICTURE_COLUMNS = (
    "dataset", "grid", "defense", "true", "target", "taken_for", "confidence", "linf", "l2", "l0",
    "hit", "doubt",
)  # fmt: skip
_COLOUR_ROWS = 5


def draw(data: Dataset) -> list[Figure]:
    """Return two figures a grid: the pictures of the first seed, and the shares over all."""
    found = []
    for grid, title in data.has("grids").items():
        there = data.having(partial(_role, grid))
        if there.defenses:
            found += [_pictures(there, grid, title), _shares(there, grid, title)]
    return found


def _ball(data: Dataset, grid: str) -> Iterator[str]:
    """Name the ball of a grid's attack, and say how far its examples leave it, if it has one."""
    excess = [run.grid(defense, grid).excess for run in data.runs for defense in data.defenses]
    attack = data.artifact(Role("grid", grid, next(iter(data.defenses)))).recipe.config["attack"]
    yield from attack_notes("The attack", attack, excess)


def _role(grid: str, defense: str) -> list[Role]:
    return [Role("grid", grid, defense)]


@dataclass(frozen=True)
class _Shown:
    """What is shown of one model's grid: the first image of each class.

    Attributes:
        made: the whole grid.
        images: which of its images, an image a row.
    """

    made: Grid
    images: list[int]

    @property
    def true(self) -> NDArray[np.int64]:
        """(R,) true labels."""
        return self.made.true_label[self.images]

    @property
    def hit(self) -> NDArray[np.bool_]:
        """(R, K) whether the target is reached."""
        return self.made.hit[self.images]

    @property
    def clean(self) -> NDArray[np.bool_]:
        """(R, K) where the target is the true class and the picture the clean image."""
        own: NDArray[np.bool_] = self.true[:, None] == np.arange(self.made.label.shape[1])
        return own


def _pictures(data: Dataset, grid: str, title: str) -> Figure:
    slug = f"targets-{grid}-{data.label}"
    shown = {defense: _first_of_each_class(data, defense, grid) for defense in data.defenses}
    return Figure(
        slug,
        f"{data.title}: {title}",
        _sentence_of_pictures(data, shown),
        tuple(_mosaic(data, slug, title, defense, each) for defense, each in shown.items()),
        table(
            slug,
            _PICTURE_COLUMNS,
            [
                (data.label, grid, defense, *row, data.reasons(defense))
                for defense, each in shown.items()
                for row in _picture_rows(data, each)
            ],
        ),
        {
            f"grid:{grid}:{d}, seed {data.seeds[0]}": data.artifact(Role("grid", grid, d))
            for d in data.defenses
        },
        (
            f"Seed {data.seeds[0]}, the first image of each class shown.",
            *_ball(data, grid),
            *data.absence_notes(),
            *data.doubt_notes(),
        ),
    )


def _first_of_each_class(data: Dataset, defense: str, grid: str) -> _Shown:
    """Choose the pictures of the first seed: an image a class, of colour images fewer."""
    made = data.first.grid(defense, grid)
    firsts = [int((made.true_label == k).argmax()) for k in range(len(data.first.class_names))]
    images = [i for k, i in enumerate(firsts) if made.true_label[i] == k]
    # Noise in colour does not compress: half of the classes keep the page small.
    if made.pixels.shape[2] == 3 and len(images) > _COLOUR_ROWS:
        images = images[:: -(-len(images) // _COLOUR_ROWS)]
    return _Shown(made, images)


def _mosaic(data: Dataset, slug: str, title: str, defense: str, shown: _Shown) -> Picture:
    classes, made = data.first.class_names, shown.made
    hit, clean = shown.hit, shown.clean

    def say(r: int, c: int) -> str:
        at = shown.images[r]
        if made.true_label[at] == c:
            return f"{classes[c]}, the clean image"
        return (
            f"{classes[made.true_label[at]]} aimed at {classes[c]}: taken for "
            f"{classes[made.label[at, c]]} ({number(float(made.confidence[at, c]))})"
        )

    return mosaic(
        f"{slug}-{defense}",
        Frame([classes[k] for k in shown.true], classes, "true class", "target"),
        [Mosaic(data.marked(defense), made.pixels[shown.images], say, hit, ~hit & ~clean)],
        f"{title} for {data.marked(defense)}: {hit.sum()} of {(~clean).sum()} targets reached.",
        size=34 if len(classes) > 4 else 72,
    )


def _picture_rows(data: Dataset, shown: _Shown) -> list[tuple[Cell, ...]]:
    classes, made = data.first.class_names, shown.made
    return [
        (classes[made.true_label[i]], classes[c], classes[made.label[i, c]],
         float(made.confidence[i, c]), float(made.linf[i, c]), float(made.l2[i, c]),
         int(made.l0[i, c]), bool(made.hit[i, c]))
        for i in shown.images
        for c in range(len(classes))
    ]  # fmt: skip


def _sentence_of_pictures(data: Dataset, shown: Mapping[str, _Shown]) -> str:
    """Say on which model the most targets are reached, and on which the fewest."""
    hits = {defense: int(each.hit.sum()) for defense, each in shown.items()}
    best, worst = max(hits, key=hits.__getitem__), min(hits, key=hits.__getitem__)
    reached = f"Of the {(~shown[best].clean).sum()} targets in the pictures {hits[best]} are"
    if hits[worst] == hits[best]:
        return f"{reached} reached on every model."
    return (
        f"{reached} reached on {data.called(best)}, the most, and {hits[worst]} on "
        f"{data.called(worst)}, the fewest."
    )


@dataclass(frozen=True)
class _Shares:
    """How often images became their target on one model, over all seeds.

    Attributes:
        of_pair: by class and target, for the classes that there are images of.
        overall: over all images and targets.
    """

    of_pair: dict[tuple[int, int], Interval]
    overall: Interval


def _shares(data: Dataset, grid: str, title: str) -> Figure:
    slug = f"target-shares-{grid}-{data.label}"
    found = {defense: _counted(data, defense, grid) for defense in data.defenses}
    return Figure(
        slug,
        f"{data.title}: confusion under {title}",
        _sentence_of_shares(data, {defense: each.overall for defense, each in found.items()}),
        tuple(_heat(data, slug, defense, each) for defense, each in found.items()),
        table(
            slug,
            _COLUMNS,
            [
                (data.label, grid, defense, *row, data.reasons(defense))
                for defense, each in found.items()
                for row in _share_rows(data, each)
            ],
        ),
        data.artifacts(*(Role("grid", grid, d) for d in data.defenses)),
        (*data.absence_notes(), *data.doubt_notes()),
    )


def _counted(data: Dataset, defense: str, grid: str) -> _Shares:
    count = len(data.first.class_names)
    made = [run.grid(defense, grid) for run in data.runs]
    hit = np.stack([each.hit for each in made]).astype(np.float64)
    true = made[0].true_label
    own = true[None, :, None] == np.arange(count)
    return _Shares(
        {
            (k, t): interval([hit[:, true == k, t]])
            for k in range(count)
            for t in range(count)
            if k != t and (true == k).any()
        },
        interval([np.nanmean(np.where(own, np.nan, hit), axis=2)]),
    )


def _heat(data: Dataset, slug: str, defense: str, found: _Shares) -> Picture:
    classes = data.first.class_names
    shares = np.full((len(classes), len(classes)), np.nan)
    for pair, each in found.of_pair.items():
        shares[pair] = np.nan if each.value is None else each.value

    def say(r: int, c: int) -> str:
        if (r, c) not in found.of_pair:
            return f"{classes[r]}: no target"
        return f"{classes[r]} to {classes[c]}: {words(found.of_pair[r, c])}"

    return heat(
        f"{slug}-{defense}",
        Frame(classes, classes, "true class", "target"),
        [Heat(data.marked(defense), shares, say)],
        f"Shares of images that became their target, {data.marked(defense)}: "
        f"{words(found.overall)} over all.",
        cell=(33, 28) if len(classes) > 4 else (60, 40),
    )


def _share_rows(data: Dataset, found: _Shares) -> list[tuple[Cell, ...]]:
    classes = data.first.class_names
    return [
        *((classes[k], classes[t], *cells(each)) for (k, t), each in found.of_pair.items()),
        ("all", "all", *cells(found.overall)),
    ]


def _sentence_of_shares(data: Dataset, overall: Mapping[str, Interval]) -> str:
    """Say with which model the most images become their target, and with which the fewest."""
    worst, best = extremes(overall)
    if overall[best].value == overall[worst].value:
        return f"A share of {words(overall[best])} becomes its target, with every model."
    return (
        f"A share of {words(overall[best])} becomes its target with {data.called(best)}, the "
        f"most, and of {words(overall[worst])} with {data.called(worst)}, the fewest."
    )
