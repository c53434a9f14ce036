"""The strip of pictures on the front page. Returns HTML."""

from __future__ import annotations

from html import escape

from study_app.front.choice import Choice
from study_app.gallery import meaning
from study_app.gallery.exhibit import CLEAN, Exhibit, ScaleMode
from study_app.gallery.phrases import percent
from study_app.gallery.tiles import factor_for
from study_app.gallery.view import GalleryView, MapView

_WIDE_PX, _NARROW_PX = 112, 84
"""How wide a picture may be, on a desk and on a phone."""

_SCALE: ScaleMode = "image"
"""Each map in full colour: the strip shows structure; the gallery compares strengths."""


def strip(exhibit: Exhibit, choices: list[Choice]) -> str:
    """Return for each choice the source image, and every network's attacked picture and map."""
    sizes = (
        f"--w:{exhibit.image_width};--k:{factor_for(exhibit, _WIDE_PX)};"
        f"--s:{factor_for(exhibit, _NARROW_PX)}"
    )
    rows = "".join(_row(exhibit, choice) for choice in choices)
    attack = exhibit.attacks[choices[0].attack]
    return (
        f'<section class="fp-strip" style="{sizes}" aria-labelledby="fp-title">'
        '<h2 id="fp-title">From the gallery</h2>'
        "<p>Each network was trained with a different defense and attacked on its own. Here is "
        "what the attack made of the image, what the network then says, and the map of the pixels "
        "that move its answer: red is positive, blue negative, each map on a scale of its own.</p>"
        f'<p class="fp-quiet">{escape(exhibit.title)}. {escape(attack)}.</p>'
        f"{rows}</section>"
    )


def _row(exhibit: Exhibit, choice: Choice) -> str:
    name = exhibit.results.class_names[int(exhibit.labels[choice.index])]
    default = GalleryView.default(exhibit)
    networks = exhibit.showing((choice.attack,), choice.method)
    first = default.map(next(iter(networks)), CLEAN, choice.index).scaled(_SCALE)
    source = _tile(first, first.place.picture(), f"Test image {choice.index}, a {name}")
    cells = "".join(_cell(exhibit, choice, defense) for defense in networks)
    return (
        f'<ul class="fp-row"><li class="fp-source"><div class="fp-tiles">{source}</div>'
        f'<p><b>{escape(name)}</b><span class="fp-fact">the source image</span></p></li>'
        f"{cells}</ul>"
    )


def _cell(exhibit: Exhibit, choice: Choice, defense: str) -> str:
    view = GalleryView.default(exhibit).map(defense, choice.attack, choice.index).scaled(_SCALE)
    title = exhibit.defenses[defense]
    label, confidence = exhibit.prediction(defense, choice.attack, choice.index)
    said = f"says {exhibit.results.class_names[label]}, {percent(confidence)}"
    attack = exhibit.attacks[choice.attack]
    shown = _tile(view, view.place.picture(), f"{title}: after {attack} the network {said}")
    where = (defense, choice.attack, choice.index, view.method)
    why_not = meaning.absent(exhibit, *where)
    if why_not:
        shown += f'<a href="{escape(view.href)}">{escape(why_not)}</a>'
    else:
        shown += _tile(
            view,
            view.place.map(view.method, view.scale),
            f"{title}: {exhibit.methods[view.method]} of the attacked picture",
        )
        said += "; its map is zero everywhere" * (exhibit.largest(*where) == 0)
        said += f"; {meaning.MARK} its map is marked" * meaning.is_marked(exhibit, *where)
    return (
        f'<li><div class="fp-tiles">{shown}</div>'
        f'<p><b>{escape(title)}</b><span class="fp-fact">{escape(said)}</span></p></li>'
    )


def _tile(view: MapView, source: str, alt: str) -> str:
    return f'<a href="{escape(view.href)}"><img src="{escape(source)}" alt="{escape(alt)}"></a>'
