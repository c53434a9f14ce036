"""Saliency maps as pictures: the paper's grid, and the same on a fair signed scale."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from engine import rendering
from engine.artifacts import Role
from engine.report.figure import Cell, Figure, Picture, listed, number, short, table
from engine.report.figures import _map_metrics
from engine.report.grids import Frame, Mosaic, mosaic
from engine.report.runs import Dataset
from engine.results import CLEAN, Maps
from engine.statistics import interval

TITLE = "Saliency maps"
READING = (
    "One column a class, one row a model, on the same clean test images. Grey, the papers' look: "
    "each map is stretched from its own minimum to its own maximum, so that structure shows and "
    "magnitude is lost. Coloured: signed, zero neutral, blue negative, red positive, each image "
    "on one scale for all models, that of the median model: pale is a small gradient, and full "
    "colour may be far beyond the scale. At the end of a row stands the largest value, median "
    "over the images. 0 on a picture: the map is exactly zero in every pixel."
)
_COLUMNS = ("dataset", "seed", "defense", "title", "class", "image", "largest", "scale", "all_zero")


@dataclass(frozen=True)
class _Images:
    """The test images whose gradients are shown: one a class.

    Attributes:
        places: which test images, (I,).
        classes: their classes' names.
        clean: their pixels, (I, C, H, W).
        all_right: whether every model classifies all of them correctly.
    """

    places: NDArray[np.int64]
    classes: list[str]
    clean: NDArray[np.uint8]
    all_right: bool


@dataclass(frozen=True)
class _Maps:
    """One saliency method's maps of the shown images.

    Attributes:
        method, title: its label and its title.
        quantity: what the maps are.
        defenses: the models' labels.
        signed: channels summed, (models, I, H, W).
        gradients: whether they are input gradients.
    """

    method: str
    title: str
    quantity: str
    defenses: list[str]
    signed: NDArray[np.float32]
    gradients: bool

    @cached_property
    def largest(self) -> NDArray[np.float32]:
        """(models, I) the largest absolute value of each map."""
        largest: NDArray[np.float32] = np.abs(self.signed).max((2, 3))
        return largest

    @cached_property
    def scales(self) -> list[float]:
        """What full colour stands for, one scale an image for all models.

        That of the median model: the largest gradients, a distilled model's, would leave all
        others blank.
        """
        return [
            float(np.median([rendering.scale_of(each) for each in self.signed[:, i]]))
            for i in range(self.signed.shape[1])
        ]

    @property
    def sizes(self) -> dict[str, float]:
        """The largest value of a model's median image."""
        return {d: float(np.median(self.largest[i])) for i, d in enumerate(self.defenses)}


def draw(data: Dataset) -> list[Figure]:
    """Return a figure a saliency method, from the first seed, and what was measured of its maps."""
    found: list[tuple[Figure, str, str]] = []
    nowhere: list[str] = []
    for method, title in data.has("saliency").items():
        there = data.having(partial(_role, method))
        undrawn = _undrawn(there, method)
        drawn = _without(there, undrawn)
        if not drawn.defenses:
            nowhere += [f"“{title}” is not drawn: {said}" for said in undrawn.values()]
            continue
        images = _images(drawn, method)
        if not len(images.places):
            nowhere.append(f"“{title}” is not drawn: its maps are of no image in common.")
            continue
        figure = _figure(drawn, method, title, images)
        found.append((replace(figure, notes=(*figure.notes, *undrawn.values())), method, title))
    if found and nowhere:
        figure, method, title = found[-1]
        found[-1] = replace(figure, notes=(*figure.notes, *nowhere)), method, title
    return [
        each
        for figure, method, title in found
        for each in (figure, *_map_metrics.draw(data, method, title))
    ]


def _undrawn(data: Dataset, method: str) -> dict[str, str]:
    """Return a sentence for each model without maps of clean images: the method was refused."""
    found = {}
    for defense, title in data.defenses.items():
        maps = data.first.maps(defense, method)
        if CLEAN not in maps.images:
            refused = maps.fit.verdict == "refused"
            reasons = "; ".join(r.says for r in maps.fit.reasons if r.refuses or not refused)
            found[defense] = f"No map of “{title}”: {reasons}."
    return found


def _without(data: Dataset, left_out: Collection[str]) -> Dataset:
    """Return the same with the other models alone."""
    part = copy(data)
    part.defenses = {d: title for d, title in data.defenses.items() if d not in left_out}
    return part


def _role(method: str, defense: str) -> list[Role]:
    return [Role("maps", defense, method)]


def _images(data: Dataset, method: str) -> _Images:
    """Choose an explained image of every class, if possible one that all models are right on."""
    labels, clean = data.first.source.labels, data.first.source.pixels
    answers = [data.first.answers(defense).label for defense in data.defenses]
    right = np.all([each == labels for each in answers], axis=0)
    names = data.first.class_names
    explained = np.ones(len(labels), dtype=np.bool_)
    for defense in data.defenses:
        # Those of a method are the same for every model; those of a file may differ.
        own = data.first.maps(defense, method).indices(CLEAN)
        explained &= np.isin(np.arange(len(labels)), own)
    firsts = [_pick((labels == k) & explained, right) for k in range(len(names))]
    places = np.array([place for place in firsts if place is not None])
    classes = [name for name, place in zip(names, firsts, strict=True) if place is not None]
    return _Images(places, classes, clean[places], bool(right[places].all()))


def _figure(data: Dataset, method: str, title: str, images: _Images) -> Figure:
    stored = {defense: data.first.maps(defense, method) for defense in data.defenses}
    signed = np.stack(
        [np.stack([each.map(CLEAN, i).sum(0) for i in images.places]) for each in stored.values()]
    )
    first = next(iter(stored.values()))
    gradients = first.artifact.recipe.config["saliency"]["name"] == "input_gradient"
    maps = _Maps(method, title, first.quantity, list(stored), signed, gradients)
    of_method = "" if method == "input_gradient" else f"{method}-"
    slug = f"gradients-{of_method}{data.label}"
    sentence = _sentence(data, maps)
    seed = data.seeds[0]
    return Figure(
        slug,
        f"{data.title}: {title}" if of_method else data.title,
        sentence,
        (_picture(data, images, maps, slug, sentence),),
        table(slug, _COLUMNS, _rows(data, images, maps)),
        {f"{Role('maps', d, method)}, seed {seed}": each.artifact for d, each in stored.items()},
        (*_notes(data, images, maps), *_marks(data, stored), *data.absence_notes()),
    )


def _picture(data: Dataset, images: _Images, maps: _Maps, slug: str, sentence: str) -> Picture:
    names = images.classes
    ends = ["largest", *(short(size) for size in maps.sizes.values())]
    frame = Frame(["Image", *data.defenses.values()], names, ends=ends)

    def say(r: int, c: int) -> str:
        if r == 0:
            return f"test image {images.places[c]}, class {names[c]}"
        size = f"largest {maps.largest[r - 1, c]:.3g}, full colour {maps.scales[c]:.3g}"
        return f"{frame.rows[r]}, class {names[c]}: {size}"

    def sign(r: int, c: int) -> str:
        return "0" if r and maps.largest[r - 1, c] == 0 else ""

    return mosaic(
        slug,
        frame,
        [
            Mosaic(heading, pictures, say, sign=sign)
            for heading, pictures in (
                ("Each map on its own scale", _in_grey(images, maps)),
                ("Each image on one scale for all models", _in_colour(images, maps)),
            )
        ],
        f"{maps.title} of {len(data.defenses)} models on {len(names)} images, in grey and in "
        f"colour. {sentence}",
        size=42 if len(names) > 4 else 84,
    )


def _in_grey(images: _Images, maps: _Maps) -> NDArray[np.uint8]:
    """Return the images above their maps, each map from its own minimum to its own maximum."""
    grey = np.stack([[_stretched(each) for each in row] for row in maps.signed])
    if images.clean.shape[1] == 3:
        grey = np.repeat(grey, 3, axis=2)
    return np.concatenate([images.clean[None], grey])


def _in_colour(images: _Images, maps: _Maps) -> NDArray[np.uint8]:
    """Return the images above their maps, signed and on the images' scales."""
    drawn = np.stack(
        [
            [
                rendering.draw_map(each[None], scale)
                for each, scale in zip(row, maps.scales, strict=True)
            ]
            for row in maps.signed
        ]
    )
    clean = images.clean
    if clean.shape[1] == 1:
        clean = np.repeat(clean, 3, axis=1)
    return np.concatenate([clean[None], drawn])


def _sentence(data: Dataset, maps: _Maps) -> str:
    """Say whose gradients are the largest and the smallest, and whose the smoothest if known."""
    sizes = maps.sizes
    strongest, weakest = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
    what = "gradients" if maps.gradients else "maps"
    sentence = (
        f"The {what} of “{data.defenses[strongest]}” are the largest (the largest pixel of the "
        f"median image is {short(sizes[strongest])}), those of “{data.defenses[weakest]}” the "
        f"smallest ({short(sizes[weakest])})."
    )
    # What was measured of all images are input gradients.
    return " ".join(filter(None, (sentence, _smoothest(data) if maps.gradients else "")))


def _smoothest(data: Dataset) -> str:
    """Say whose gradients are the smoothest over test images; "" where not measured."""
    data = data.measured()
    if any("smoothness" not in data.first.measures(defense) for defense in data.defenses):
        return ""
    smooth = {d: interval([data.measure(d, "smoothness")]) for d in data.defenses}
    known = {d: found.value for d, found in smooth.items() if found.value is not None}
    if not known:
        return ""
    best, first = max(known, key=known.__getitem__), next(iter(known))
    return (
        f"The smoothest over {smooth[best].images} test images are those of "
        f"“{data.defenses[best]}” (Moran’s I {number(known[best])}; “{data.defenses[first]}” "
        f"{number(known[first])})."
    )


def _notes(data: Dataset, images: _Images, maps: _Maps) -> list[str]:
    """Say which images these are and what is drawn, and whose maps are zero throughout."""
    which = (
        "that every model classifies correctly" if images.all_right else "that most are right on"
    )
    explained = len(data.first.maps(maps.defenses[0], maps.method).indices(CLEAN))
    some = "" if explained == len(data.first.source) else f", of the {explained} explained ones,"
    notes = [
        f"The first test image of each class{some} {which}; seed {data.seeds[0]}. Drawn is the "
        f"{maps.quantity}; channels are summed."
    ]
    zero = [t for i, t in enumerate(data.defenses.values()) if (maps.largest[i] == 0).all()]
    if zero:
        notes.append(f"All maps of {listed(zero)} are exactly zero and drawn neutral.")
    return notes


def _marks(data: Dataset, stored: Mapping[str, Maps]) -> list[str]:
    """Say whose maps are drawn and marked, and why; that all are zero is said of those shown."""
    found = {
        defense: "; ".join(each.says for each in maps.fit.reasons if each.code != "blank")
        for defense, maps in stored.items()
    }
    return [
        f"‡ The maps of “{data.defenses[defense]}” are marked: {reasons}."
        for defense, reasons in found.items()
        if reasons
    ]


def _rows(data: Dataset, images: _Images, maps: _Maps) -> list[tuple[Cell, ...]]:
    return [
        (data.label, data.seeds[0], defense, title, name, int(images.places[c]),
         float(maps.largest[i, c]), maps.scales[c], bool(maps.largest[i, c] == 0))
        for i, (defense, title) in enumerate(data.defenses.items())
        for c, name in enumerate(images.classes)
    ]  # fmt: skip


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
