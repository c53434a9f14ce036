"""Input gradients as pictures: the paper's grid, and the same on a fair signed scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine import rendering
from engine.artifacts import Role
from engine.report.figure import Figure, listed, number, short, table
from engine.report.grids import Frame, Mosaic, mosaic
from engine.report.runs import Dataset
from engine.results import CLEAN
from engine.statistics import interval

TITLE = "Input gradients"
READING = (
    "One column a class, one row a model, on the same clean test images. Grey, the papers' look: "
    "each map is stretched from its own minimum to its own maximum, so that structure shows and "
    "magnitude is lost. Coloured: signed, zero neutral, blue negative, red positive, each image "
    "on one scale for all models, that of the median model: pale is a small gradient, and full "
    "colour may be far beyond the scale. At the end of a row stands the largest value, median "
    "over the images. 0 on a picture: the map is exactly zero in every pixel."
)
_COLUMNS = ("dataset", "seed", "defense", "title", "class", "image", "largest", "scale", "all_zero")


def draw(data: Dataset) -> list[Figure]:
    """Return a figure a saliency method, from the first seed."""
    labels, clean = data.first.source.labels, data.first.source.pixels
    answers = [data.first.answers(defense).label for defense in data.defenses]
    right = np.all([each == labels for each in answers], axis=0)
    chosen = [_pick(labels == k, right) for k in range(len(data.first.class_names))]
    classes = [k for k, index in enumerate(chosen) if index is not None]
    images = np.array([index for index in chosen if index is not None])
    return [
        _figure(data, method, title, clean[images], images, classes, bool(right[images].all()))
        for method, title in data.has("saliency").items()
    ]


def _figure(
    data: Dataset,
    method: str,
    title: str,
    clean: NDArray[np.uint8],
    images: NDArray[np.int64],
    classes: list[int],
    right: bool,
) -> Figure:
    stored = {defense: data.first.maps(defense, method) for defense in data.defenses}
    maps = np.stack(
        [np.stack([each.map(CLEAN, i).sum(0) for i in images]) for each in stored.values()]
    )
    # One scale an image for all models. That of the median model: the largest gradients, a
    # distilled model's, would leave all others blank.
    scales = [
        float(np.median([rendering.scale_of(each) for each in maps[:, c]]))
        for c in range(len(classes))
    ]
    largest = np.abs(maps).max((2, 3))
    names = [data.first.class_names[k] for k in classes]
    sizes = {d: float(np.median(largest[i])) for i, d in enumerate(data.defenses)}
    seed = data.seeds[0]
    slug = (
        f"gradients-{method}-{data.label}"
        if method != "input_gradient"
        else (f"gradients-{data.label}")
    )
    sentence = _sentence(data, sizes)
    rows = [
        (data.label, seed, d, t, names[c], int(images[c]), float(largest[i, c]), scales[c],
         bool(largest[i, c] == 0))
        for i, (d, t) in enumerate(data.defenses.items())
        for c in range(len(classes))
    ]  # fmt: skip

    def say(r: int, c: int) -> str:
        if r == 0:
            return f"test image {images[c]}, class {names[c]}"
        size = f"largest {largest[r - 1, c]:.3g}, full colour {scales[c]:.3g}"
        return f"{frame.rows[r]}, class {names[c]}: {size}"

    def sign(r: int, c: int) -> str:
        return "0" if r and largest[r - 1, c] == 0 else ""

    ends = ["largest", *(short(size) for size in sizes.values())]
    frame = Frame(["Image", *data.defenses.values()], names, ends=ends)
    picture = mosaic(
        slug,
        frame,
        [Mosaic(heading, cells, say, sign=sign) for heading, cells in _views(maps, scales, clean)],
        f"{title} of {len(data.defenses)} models on {len(classes)} images, in grey and in colour. "
        + sentence,
        size=42 if len(classes) > 4 else 84,
    )
    quantity = next(iter(stored.values())).quantity
    return Figure(
        slug,
        data.title if method == "input_gradient" else f"{data.title}: {title}",
        sentence,
        (picture,),
        table(slug, _COLUMNS, rows),
        {f"{Role('maps', d, method)}, seed {seed}": each.artifact for d, each in stored.items()},
        tuple(_notes(data, largest, quantity, right=right)),
    )


def _sentence(data: Dataset, sizes: Mapping[str, float]) -> str:
    """Say whose gradients are the largest and the smallest, and whose the smoothest."""
    strongest, weakest = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
    sentence = (
        f"The gradients of “{data.defenses[strongest]}” are the largest (the largest pixel of the "
        f"median image is {short(sizes[strongest])}), those of “{data.defenses[weakest]}” the "
        f"smallest ({short(sizes[weakest])})."
    )
    measured = set.intersection(*(set(data.first.measures(d)) for d in data.defenses))
    if "smoothness" not in measured:
        return sentence
    smooth = {d: interval([data.measure(d, "smoothness")]).value for d in data.defenses}
    known = {d: value for d, value in smooth.items() if value is not None}
    if known:
        best, first_known = max(known, key=known.__getitem__), next(iter(known))
        sentence += (
            f" The smoothest over all test images are those of “{data.defenses[best]}” "
            f"(Moran’s I {number(known[best])}; “{data.defenses[first_known]}” "
            f"{number(known[first_known])})."
        )
    return sentence


def _notes(
    data: Dataset, largest: NDArray[np.float32], quantity: str, *, right: bool
) -> Iterator[str]:
    which = "that every model classifies correctly" if right else "that most are right on"
    yield (
        f"The first test image of each class {which}; seed {data.seeds[0]}. Drawn is the "
        f"{quantity}; channels are summed."
    )
    zero = [t for i, t in enumerate(data.defenses.values()) if (largest[i] == 0).all()]
    if zero:
        yield f"All maps of {listed(zero)} are exactly zero and drawn neutral."


def _views(
    maps: NDArray[np.float32], scales: Sequence[float], clean: NDArray[np.uint8]
) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return heading and cells of both views, the images on top: in grey, and on a shared scale."""
    grey = np.stack([[_stretched(each) for each in row] for row in maps])
    signed = [
        [rendering.draw_map(each[None], scale) for each, scale in zip(row, scales, strict=True)]
        for row in maps
    ]
    rgb = clean.shape[1] == 3
    views = (
        ("Each map on its own scale", np.repeat(grey, 3, axis=2) if rgb else grey, clean),
        (
            "Each image on one scale for all models",
            np.stack([np.stack(row) for row in signed]),
            clean if rgb else np.repeat(clean, 3, axis=1),
        ),
    )
    return [(heading, np.concatenate([top[None], drawn])) for heading, drawn, top in views]


def _pick(of_class: NDArray[np.bool_], right: NDArray[np.bool_]) -> int | None:
    """Return the first image of a class that all are right on, else its first, if it has one."""
    for candidates in (of_class & right, of_class):
        if candidates.any():
            return int(candidates.argmax())
    return None


def _stretched(signed: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw one map (H, W) in grey from its minimum to its maximum, (1, H, W)."""
    low, high = float(signed.min()), float(signed.max())
    if high == low:
        return np.full((1, *signed.shape), 127, np.uint8)
    grey: NDArray[np.uint8] = np.rint((signed[None] - low) / (high - low) * 255).astype(np.uint8)
    return grey
