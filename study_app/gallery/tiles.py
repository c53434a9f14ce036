"""What both pages are built of, for their templates: a picture, a map, the colour bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.rendering import PALETTE
from study_app.gallery import meaning
from study_app.gallery.exhibit import SCALE_MODES, Exhibit, ScaleMode
from study_app.gallery.phrases import number
from study_app.gallery.view import MapView

_STOPS = 11


@dataclass(frozen=True)
class Tile:
    """A picture or a map that is a link to its page.

    Attributes:
        source, alt: of the image.
        href: the page.
        width: pixels.
        caption: below it, "" for none.
        absent: why there is no map, which then stands in its place.
    """

    source: str
    alt: str
    href: str
    width: int
    caption: str
    absent: str = ""


@dataclass(frozen=True)
class Bar:
    """The colour bar, the badge naming the scale mode, and what the colours mean.

    Attributes:
        stops: its colours from left to right, as CSS.
        low, high: what stands at its ends.
        title, definition: of the scale mode.
        where: where the reader finds the number that full colour stands for.
        quantity: what the maps are.
    """

    stops: list[str]
    low: str
    high: str
    title: str
    definition: str
    where: str
    quantity: str


def picture(exhibit: Exhibit, view: MapView, factor: int) -> Tile:
    """Return the exact picture, `factor` times as large, linked to its page."""
    place = view.place
    kind = exhibit.image_kinds[place.image]
    alt = f"{kind}: {_what(exhibit, view)}"
    return Tile(place.picture(), alt, view.href, _width(exhibit, factor), "")


def attribution_map(exhibit: Exhibit, view: MapView, factor: int) -> Tile:
    """Return the coloured map, `factor` times as large, linked to its page, with its strength.

    Where there is none it is the reason.
    """
    place = view.place
    where = (place.defense, place.image, place.index, view.method)
    named = (
        f"{exhibit.methods[view.method]}, {exhibit.defenses[place.defense]}, "
        f"{exhibit.image_kinds[place.image]}: {_what(exhibit, view)}"
    )
    why_not = meaning.absent(exhibit, *where)
    if why_not:
        return Tile("", named, view.href, _width(exhibit, factor), "", why_not)
    scale = exhibit.scale(view.scale, *where)
    caption = meaning.drawn_words(exhibit, *where, scale)
    if view.scale == "image" and exhibit.largest(*where):
        caption = f"colour ±{number(scale)}{meaning.one_sign(exhibit, *where)}"
    alt = f"{named}; {caption}"
    if meaning.is_marked(exhibit, *where):
        caption, alt = f"{meaning.MARK} {caption}", f"{alt}; marked"
    source = place.map(view.method, view.scale)
    return Tile(source, alt, view.href, _width(exhibit, factor), caption)


def factor_for(exhibit: Exhibit, pixels: int) -> int:
    """Return the largest whole enlargement with which a picture is at most `pixels` wide."""
    return max(1, pixels // exhibit.image_width)


def bar(quantity: str, mode: ScaleMode, ticks: tuple[str, str], where: str) -> Bar:
    """Return the colour bar, full blue over neutral zero to full red, and what it means.

    Args:
        quantity: what the maps are.
        mode: the scale mode.
        ticks: what stands at the bar's two ends.
        where: where the reader finds the number that full colour stands for.
    """
    levels = np.linspace(0, len(PALETTE) - 1, _STOPS).round().astype(int)
    stops = ["rgb({}, {}, {})".format(*PALETTE[level]) for level in levels]
    return Bar(stops, *ticks, *SCALE_MODES[mode], where, quantity)


def _width(exhibit: Exhibit, factor: int) -> int:
    return exhibit.image_width * factor


def _what(exhibit: Exhibit, view: MapView) -> str:
    index = view.place.index
    name = exhibit.results.class_names[int(exhibit.labels[index])]
    return f"test image {index}, a {name}"
