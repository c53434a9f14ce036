"""Target grids: every class as the target of an attack, and how often it gets there."""

from __future__ import annotations

import numpy as np

from engine.artifacts import Role
from engine.report.figure import INTERVAL, Figure, cells, number, table, words
from engine.report.grids import Frame, Heat, Mosaic, heat, mosaic
from engine.report.runs import Dataset
from engine.statistics import interval

TITLE = "Every class as the target"
READING = (
    "Rows are true classes, columns the classes aimed at; the diagonal is the clean image. "
    "Framed: the model takes the picture, rounded to 8 bits, for the target. Pale: it does not. "
    "Below, the share of images of a class that become each target."
)
_COLUMNS = ("dataset", "grid", "defense", "true", "target", *INTERVAL, "doubt")

_COLOUR_ROWS = 5


def draw(data: Dataset) -> list[Figure]:
    """Return two figures a grid: the pictures of the first seed, and the shares over all."""
    found = []
    for grid, title in data.has("grids").items():
        found += [_pictures(data, grid, title), _shares(data, grid, title)]
    return found


def _pictures(data: Dataset, grid: str, title: str) -> Figure:
    slug = f"targets-{grid}-{data.label}"
    classes = data.first.class_names
    pictures, rows, hits = [], [], {}
    for defense in data.defenses:
        made = data.first.grid(defense, grid)
        firsts = [int((made.true_label == k).argmax()) for k in range(len(classes))]
        images = [i for k, i in enumerate(firsts) if made.true_label[i] == k]
        # Noise in colour does not compress: half of the classes keep the page small.
        if made.pixels.shape[2] == 3 and len(images) > _COLOUR_ROWS:
            images = images[:: -(-len(images) // _COLOUR_ROWS)]
        hit = made.hit[images]
        true = made.true_label[images]
        own = true[:, None] == np.arange(len(classes))[None]
        hits[defense] = (int(hit.sum()), int((~own).sum()))

        def say(r: int, c: int, made=made, images=images) -> str:  # type: ignore[no-untyped-def]
            at = images[r]
            if made.true_label[at] == c:
                return f"{classes[c]}, the clean image"
            return (
                f"{classes[made.true_label[at]]} aimed at {classes[c]}: taken for "
                f"{classes[made.label[at, c]]} ({number(float(made.confidence[at, c]))})"
            )

        pictures.append(
            mosaic(
                f"{slug}-{defense}",
                Frame([classes[k] for k in true], classes, "true class", "target"),
                [Mosaic(data.marked(defense), made.pixels[images], say, hit, ~hit & ~own)],
                f"{title} for {data.marked(defense)}: {hits[defense][0]} of {hits[defense][1]} "
                "targets reached.",
                size=34 if len(classes) > 4 else 72,
            )
        )
        rows += [
            (data.label, grid, defense, classes[true[r]], classes[c], classes[made.label[i, c]],
             float(made.confidence[i, c]), float(made.linf[i, c]), float(made.l2[i, c]),
             int(made.l0[i, c]), bool(made.hit[i, c]), data.reasons(defense))
            for r, i in enumerate(images)
            for c in range(len(classes))
        ]  # fmt: skip
    best = max(hits, key=lambda d: hits[d][0])
    worst = min(hits, key=lambda d: hits[d][0])
    columns = ("dataset", "grid", "defense", "true", "target", "taken_for", "confidence",
               "linf", "l2", "l0", "hit", "doubt")  # fmt: skip
    reached, of = hits[best]
    if hits[worst][0] == reached:
        sentence = f"Of the {of} targets in the pictures {reached} are reached on every model."
    else:
        sentence = (
            f"Of the {of} targets in the pictures {reached} are reached on {data.called(best)}, "
            f"the most, and {hits[worst][0]} on {data.called(worst)}, the fewest."
        )
    return Figure(
        slug,
        f"{data.title}: {title}",
        sentence,
        tuple(pictures),
        table(slug, columns, rows),
        {
            f"grid:{grid}:{d}, seed {data.seeds[0]}": data.artifact(Role("grid", grid, d))
            for d in data.defenses
        },
        (f"Seed {data.seeds[0]}, the first image of each class shown.", *data.doubt_notes()),
    )


def _shares(data: Dataset, grid: str, title: str) -> Figure:
    slug = f"target-shares-{grid}-{data.label}"
    classes = data.first.class_names
    count = len(classes)
    pictures, rows, overall = [], [], {}
    for defense in data.defenses:
        made = [run.grid(defense, grid) for run in data.runs]
        hit = np.stack([each.hit for each in made]).astype(np.float64)
        true = made[0].true_label
        found = {
            (k, t): interval([hit[:, true == k, t]])
            for k in range(count)
            for t in range(count)
            if k != t and (true == k).any()
        }
        shares = np.full((count, count), np.nan)
        for (k, t), each in found.items():
            shares[k, t] = np.nan if each.value is None else each.value
        own = true[None, :, None] == np.arange(count)
        overall[defense] = interval([np.nanmean(np.where(own, np.nan, hit), axis=2)])

        def say(r: int, c: int, found=found) -> str:  # type: ignore[no-untyped-def]
            if (r, c) not in found:
                return f"{classes[r]}: no target"
            return f"{classes[r]} to {classes[c]}: {words(found[r, c])}"

        pictures.append(
            heat(
                f"{slug}-{defense}",
                Frame(classes, classes, "true class", "target"),
                [Heat(data.marked(defense), shares, say)],
                f"Shares of images that became their target, {data.marked(defense)}: "
                f"{words(overall[defense])} over all.",
                cell=(33, 28) if count > 4 else (60, 40),
            )
        )
        rows += [
            (data.label, grid, defense, classes[k], classes[t], *cells(each), data.reasons(defense))
            for (k, t), each in found.items()
        ]
        rows.append((data.label, grid, defense, "all", "all", *cells(overall[defense]),
                     data.reasons(defense)))  # fmt: skip
    best = max(overall, key=lambda d: float(overall[d].value or 0))
    worst = min(overall, key=lambda d: float(overall[d].value or 0))
    if overall[best].value == overall[worst].value:
        sentence = f"A share of {words(overall[best])} becomes its target, with every model."
    else:
        sentence = (
            f"A share of {words(overall[best])} becomes its target with {data.called(best)}, the "
            f"most, and of {words(overall[worst])} with {data.called(worst)}, the fewest."
        )
    return Figure(
        slug,
        f"{data.title}: confusion under {title}",
        sentence,
        tuple(pictures),
        table(slug, _COLUMNS, rows),
        data.artifacts(*(Role("grid", grid, d) for d in data.defenses)),
        data.doubt_notes(),
    )
