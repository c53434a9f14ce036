"""The pieces that both pages are built of: a picture, a map, the colour bar. All return HTML."""

from __future__ import annotations

from html import escape

import numpy as np

from engine.rendering import PALETTE
from study_app.gallery.exhibit import SCALE_MODES, Exhibit, ScaleMode
from study_app.gallery.phrases import number, strength
from study_app.gallery.view import MapView

_STOPS = 11


def picture(exhibit: Exhibit, view: MapView, factor: int, caption: str = "") -> str:
    """Return the exact picture, `factor` times as large, linked to its page."""
    place = view.place
    kind = exhibit.image_kinds[place.image]
    alt = f"{kind}: {_what(exhibit, view)}"
    return _tile(place.picture(), alt, view, _width(exhibit, factor), caption)


def attribution_map(exhibit: Exhibit, view: MapView, factor: int) -> str:
    """Return the coloured map, `factor` times as large, linked to its page, with its strength."""
    place = view.place
    where = (place.defense, place.image, place.index, view.method)
    largest = exhibit.largest(*where)
    scale = exhibit.scale(view.scale, *where)
    caption = strength(largest, scale)
    if view.scale == "image" and largest:
        caption = f"colour ±{number(scale)}"
    alt = (
        f"{exhibit.methods[view.method]}, {exhibit.defenses[place.defense]}, "
        f"{exhibit.image_kinds[place.image]}: {_what(exhibit, view)}; {caption}"
    )
    source = place.map(view.method, view.scale)
    return _tile(source, alt, view, _width(exhibit, factor), caption)


def factor_for(exhibit: Exhibit, pixels: int) -> int:
    """Return the largest whole enlargement with which a picture is at most `pixels` wide."""
    return max(1, pixels // exhibit.image_width)


def colour_bar(low: str, high: str) -> str:
    """Return the bar from full blue over neutral zero to full red, with its numbers."""
    levels = np.linspace(0, len(PALETTE) - 1, _STOPS).round().astype(int)
    stops = ", ".join("rgb({}, {}, {})".format(*PALETTE[level]) for level in levels)
    return (
        '<div class="pg-bar">'
        f'<div class="pg-ramp" style="background:linear-gradient(90deg, {stops})"></div>'
        f"<div class='pg-ticks'><span>{escape(low)}</span><span>0</span>"
        f"<span>{escape(high)}</span></div></div>"
    )


def legend(quantity: str, mode: ScaleMode, ticks: tuple[str, str], where: str) -> str:
    """Return colour bar, the badge naming the scale mode, and what the colours mean.

    Args:
        quantity: what the maps are.
        mode: the scale mode.
        ticks: what stands at the bar's two ends.
        where: where the reader finds the number that full colour stands for.
    """
    title, definition = SCALE_MODES[mode]
    return (
        '<div class="pg-legend">'
        f"{colour_bar(*ticks)}"
        f'<p><span class="pg-badge">{escape(title)}</span> Full colour '
        f"({escape(where)}) is the {escape(definition)}.</p>"
        f"<p>Red is positive, blue negative. Drawn is the {escape(quantity)}.</p>"
        "</div>"
    )


def _tile(source: str, alt: str, view: MapView, width: int, caption: str) -> str:
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure class="pg-tile" style="width:{width}px"><a href="{escape(view.href)}">'
        f'<img src="{escape(source)}" alt="{escape(alt)}" '
        f'style="width:{width}px"></a>{words}</figure>'
    )


def _width(exhibit: Exhibit, factor: int) -> int:
    return exhibit.image_width * factor


def _what(exhibit: Exhibit, view: MapView) -> str:
    index = view.place.index
    name = exhibit.results.class_names[int(exhibit.labels[index])]
    return f"test image {index}, a {name}"
