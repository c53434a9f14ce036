"""The page of one map: the map large, the same image across defenses, the passport. HTML."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from html import escape
from typing import Any

from study_app.gallery import tiles
from study_app.gallery.exhibit import CLEAN, Exhibit
from study_app.gallery.phrases import answer, number, outcome, percent, strength
from study_app.gallery.view import MapView

_LARGE_PX, _SMALL_PX = 392, 308
"""How wide the large pictures may be, on a desk and on a phone."""

_STRIP_PX = 112


def figures(exhibit: Exhibit, view: MapView) -> str:
    """Return the picture and its map, large, with the pinned map if there is one."""
    place = view.place
    kind = exhibit.image_kinds[place.image]
    words = answer(exhibit, place.defense, place.image, place.index)
    if place.image != CLEAN:
        words += f": {outcome(exhibit, place.defense, place.image, place.index)}"
    shown = [
        _large(exhibit, place.picture(), f"The picture: {kind}", words),
        _large(exhibit, place.map(view.method, view.scale), *_map_words(exhibit, view)),
    ]
    if view.pin:
        pinned = view.at(defense=view.pin[0], image=view.pin[1])
        title, text = _map_words(exhibit, pinned)
        source = pinned.place.map(view.method, view.scale)
        shown.append(_large(exhibit, source, f"Pinned: {title}", text))
        pin = f'<a href="{escape(view.unpinned().href)}">Remove the pinned map</a>'
    else:
        pin = f'<a href="{escape(view.pinned().href)}">Pin this map to compare with others</a>'
    return f'<div class="pg"><div class="pg-large">{"".join(shown)}</div><p>{pin}</p></div>'


def legend(facts: Mapping[str, Any]) -> str:
    """Return the colour bar with this map's numbers."""
    scale = facts["scale"]
    full = number(scale["value"])
    block = tiles.legend(facts["quantity"], scale["mode"], (f"−{full}", f"+{full}"), f"±{full}")
    return f'<div class="pg">{block}</div>'


def strip(exhibit: Exhibit, view: MapView) -> str:
    """Return the same image and kind across all defenses, each a link that keeps the pin."""
    factor = tiles.factor_for(exhibit, _STRIP_PX)
    place = view.place
    cells = []
    for defense, title in exhibit.defenses.items():
        there = view.at(defense=defense)
        shown = [tiles.attribution_map(exhibit, there, factor)]
        if place.image != CLEAN:
            shown.insert(0, tiles.picture(exhibit, there, factor))
        current = ' aria-current="true"' if defense == place.defense else ""
        words = answer(exhibit, defense, place.image, place.index)
        cells.append(
            f'<li{current}><span class="pg-name">{escape(title)}</span>'
            f'<div class="pg-tiles">{"".join(shown)}</div>'
            f'<p class="pg-words">{escape(words)}</p></li>'
        )
    return (
        '<div class="pg"><div class="pg-scroll" role="region" tabindex="0" '
        f'aria-label="The same image across defenses"><ul class="pg-strip">{"".join(cells)}'
        "</ul></div></div>"
    )


def passport(exhibit: Exhibit, facts: Mapping[str, Any]) -> str:
    """Return everything that is known of the map and its picture, as a table."""
    rows = "".join(
        f'<tr><th scope="row">{escape(term)}</th><td>{value}</td></tr>'
        for term, value in _passport_rows(exhibit, facts)
    )
    return f'<div class="pg"><table class="pg-passport"><tbody>{rows}</tbody></table></div>'


def citation(exhibit: Exhibit, facts: Mapping[str, Any], address: str, today: date) -> str:
    """Return a line that names map, experiment, hash and address."""
    kind = exhibit.image_kinds[facts["image"]]
    dataset = facts["picture"]["passport"]["source"]["dataset"]
    return (
        f"{facts['method']['title']}, defense: {exhibit.defenses[facts['defense']]}, "
        f"{dataset} test image {facts['index']}, {kind}. In: {exhibit.title}, Plausibly saliency "
        f"gallery, experiment {facts['experiment']['key'][:12]}, "
        f"map SHA-256 {facts['values_sha256'][:12]}. {address} (retrieved {today.isoformat()})."
    )


def _large(exhibit: Exhibit, source: str, title: str, words: str) -> str:
    width = exhibit.image_width
    sizes = (
        f"--w:{width};--k:{tiles.factor_for(exhibit, _LARGE_PX)};"
        f"--s:{tiles.factor_for(exhibit, _SMALL_PX)}"
    )
    return (
        f'<figure style="{sizes}"><a href="{escape(source)}">'
        f'<img src="{escape(source)}" alt="{escape(f"{title}; {words}")}"></a>'
        f"<figcaption><b>{escape(title)}</b><br>{escape(words)}</figcaption></figure>"
    )


def _map_words(exhibit: Exhibit, view: MapView) -> tuple[str, str]:
    place = view.place
    where = (place.defense, place.image, place.index, view.method)
    scale = exhibit.scale(view.scale, *where)
    title = f"{exhibit.defenses[place.defense]}, {exhibit.image_kinds[place.image]}"
    return title, f"{strength(exhibit.largest(*where), scale)}; full colour ±{number(scale)}"


def _passport_rows(exhibit: Exhibit, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = exhibit.results.class_names
    picture = facts["picture"]
    known = picture["passport"]
    source, attack, norms = known["source"], known["attack"], known["norms"]
    label, sure = picture["prediction"]["label"], picture["prediction"]["confidence"]
    rows = [
        ("Source image", f"{escape(source['dataset'])}, {source['split']}, {source['index']}"),
        ("True label", escape(names[known["true_label"]])),
        ("Defense", escape(exhibit.defenses[facts["defense"]])),
    ]
    if attack:
        params = ", ".join(
            f"{name} {_shown(value)}" for name, value in sorted(attack["params"].items())
        )
        before = known["before"]
        rows += [
            (
                "Attack",
                escape(f"{exhibit.image_kinds[facts['image']]}: {attack['name']}, {params}"),
            ),
            ("Target", escape(names[known["target"]])),
            (
                "Prediction before",
                escape(f"{names[before['label']]}, {percent(before['confidence'], 2)}"),
            ),
        ]
    rows.append(("Prediction", escape(f"{names[label]}, {percent(sure, 2)}")))
    if norms:
        changed = f"{norms['l0']} pixels"
        rows.append(
            ("Change", f"L∞ {number(norms['linf'])}, L2 {number(norms['l2'])}, L0 {changed}")
        )
    scale = facts["scale"]
    rows += [
        ("Map", escape(facts["method"]["title"])),
        ("Quantity", escape(facts["quantity"])),
        ("Scale", f"full colour ±{number(scale['value'])}: {escape(scale['definition'])}"),
        ("Largest |value|", number(facts["max_abs"])),
        ("Exactly zero", f"{percent(facts['zero_share'], 1)} of pixels"),
        ("Map values, SHA-256", _code(facts["values_sha256"])),
        ("Map artifact", _code(facts["artifact"]["key"])),
        ("Map artifact, content", _code(facts["artifact"]["content_sha256"])),
        ("Picture, SHA-256", _code(known["pixels"]["sha256"])),
        ("Source image, SHA-256", _code(source["image_id"])),
        ("Stimulus", _code(picture["stimulus_id"])),
    ]
    if attack:
        rows += [
            ("Attack artifact", _code(attack["artifact"])),
            ("Attack artifact, content", _code(attack["content_sha256"])),
        ]
    rows += [
        ("Model", _code(facts["model"]["id"])),
        ("Weights, SHA-256", _code(facts["model"]["weights_sha256"])),
        ("Dataset, SHA-256", _code(source["data_sha256"])),
        (
            "Experiment",
            f"{escape(facts['experiment']['title'])} {_code(facts['experiment']['key'])}",
        ),
        ("Made", escape(facts["experiment"]["created"])),
    ]
    return rows


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"
