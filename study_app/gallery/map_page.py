"""The page of one map: the map large, the same image across defenses, the passport. HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from engine.attacks import amount
from study_app.gallery import meaning, tiles
from study_app.gallery.exhibit import CLEAN, Exhibit
from study_app.gallery.phrases import (
    FAINT,
    answer,
    ball,
    number,
    outcome,
    parameters,
    percent,
)
from study_app.gallery.tiles import Tile
from study_app.gallery.view import MapView
from study_app.templates import part

_LARGE_PX, _SMALL_PX = 392, 308
"""How wide the large pictures may be, on a desk and on a phone."""

_STRIP_PX = 112

_TEMPLATE = "gallery/map_page.html"


@dataclass(frozen=True)
class _Large:
    """A picture or map, large: its image, title, words, and how many times enlarged on which.

    Where there is no map, `absent` says why and stands in its place.
    """

    source: str
    title: str
    words: str
    width: int
    large: int
    small: int
    absent: str = ""


@dataclass(frozen=True)
class _OfDefense:
    """The same image with one defense; `current` is the one that the page is of."""

    name: str
    tiles: list[Tile]
    answer: str
    current: bool


@dataclass(frozen=True)
class _Row:
    """One line of the passport: what is known, in words and as a hash or key."""

    term: str
    text: str = ""
    code: str = ""


def figures(exhibit: Exhibit, view: MapView) -> str:
    """Return the picture and its map, large, with the pinned map if there is one."""
    place = view.place
    kind = exhibit.image_kinds[place.image]
    words = answer(exhibit, place.defense, place.image, place.index)
    if place.image != CLEAN:
        words += f": {outcome(exhibit, place.defense, place.image, place.index)}"
    shown = [
        _large(exhibit, place.picture(), f"The picture: {kind}", words),
        _of_map(exhibit, view),
    ]
    where = (place.defense, place.image, place.index, view.method)
    absent = meaning.absent(exhibit, *where)
    known = None if absent else meaning.meaning(exhibit, *where)
    if view.pin:
        pinned = view.at(defense=view.pin[0], image=view.pin[1])
        title, text = _map_words(exhibit, pinned)
        source = pinned.place.map(view.method, view.scale)
        shown.append(_large(exhibit, source, f"Pinned: {title}", text))
    return part(
        _TEMPLATE,
        "figures",
        pictures=shown,
        pin_href=(view.unpinned() if view.pin else view.pinned()).href,
        pinned=view.pin is not None,
        absent=bool(absent),
        mark=meaning.MARK,
        marks=known.marks if known else (),
        imported=bool(known and known.imported),
        sentences=list(known.sentences.values()) if known else (),
    )


def legend(facts: Mapping[str, Any], view: MapView) -> str:
    """Return the colour bar with this map's numbers, and for a faint map where to see more."""
    scale = facts["scale"]
    faint = 0 < facts["max_abs"] < FAINT * scale["value"]
    full = number(scale["value"])
    bar = tiles.bar(facts["quantity"], scale["mode"], (f"−{full}", f"+{full}"), f"±{full}")
    stronger = replace(view, scale="image").href if faint else ""
    return part(_TEMPLATE, "legend", bar=bar, stronger=stronger)


def strip(exhibit: Exhibit, view: MapView) -> str:
    """Return the same image and kind across all defenses, each a link that keeps the pin."""
    factor = tiles.factor_for(exhibit, _STRIP_PX)
    place = view.place
    cells = []
    for defense, title in exhibit.showing((place.image,), view.method).items():
        there = view.at(defense=defense)
        shown = [tiles.attribution_map(exhibit, there, factor)]
        if place.image != CLEAN:
            shown.insert(0, tiles.picture(exhibit, there, factor))
        words = answer(exhibit, defense, place.image, place.index)
        cells.append(_OfDefense(title, shown, words, defense == place.defense))
    lacking = exhibit.lacking((place.image,), view.method)
    return part(_TEMPLATE, "strip", cells=cells, lacking=lacking)


def passport(exhibit: Exhibit, facts: Mapping[str, Any]) -> str:
    """Return everything that is known of the map and its picture, as a table."""
    rows = [
        *_picture_rows(exhibit, facts),
        *_map_rows(exhibit, facts),
        *_image_rows(facts),
        *_origin_rows(facts),
    ]
    return part(_TEMPLATE, "passport", rows=rows)


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


def _large(exhibit: Exhibit, source: str, title: str, words: str) -> _Large:
    large, small = (tiles.factor_for(exhibit, pixels) for pixels in (_LARGE_PX, _SMALL_PX))
    return _Large(source, title, words, exhibit.image_width, large, small)


def _of_map(exhibit: Exhibit, view: MapView) -> _Large:
    """Return the map, or why there is none."""
    place = view.place
    why_not = meaning.absent(exhibit, place.defense, place.image, place.index, view.method)
    if not why_not:
        source = place.map(view.method, view.scale)
        return _large(exhibit, source, *_map_words(exhibit, view))
    title = f"{exhibit.defenses[place.defense]}, {exhibit.image_kinds[place.image]}"
    return replace(_large(exhibit, "", title, ""), absent=why_not)


def _map_words(exhibit: Exhibit, view: MapView) -> tuple[str, str]:
    place = view.place
    where = (place.defense, place.image, place.index, view.method)
    scale = exhibit.scale(view.scale, *where)
    title = f"{exhibit.defenses[place.defense]}, {exhibit.image_kinds[place.image]}"
    words = f"{meaning.drawn_words(exhibit, *where, scale)}; full colour ±{number(scale)}"
    return title, f"{meaning.MARK} {words}" if meaning.is_marked(exhibit, *where) else words


def _picture_rows(exhibit: Exhibit, facts: Mapping[str, Any]) -> list[_Row]:
    """What the picture is: its source, the attack on it, and what the model says."""
    names = exhibit.results.class_names
    picture = facts["picture"]
    known = picture["passport"]
    source, norms = known["source"], known["norms"]
    label, sure = picture["prediction"]["label"], picture["prediction"]["confidence"]
    rows = [
        _Row("Source image", f"{source['dataset']}, {source['split']}, {source['index']}"),
        _Row("True label", names[known["true_label"]]),
        _Row("Defense", exhibit.defenses[facts["defense"]]),
        *(_Row("Network", note) for note in facts["model"]["notes"]),
    ]
    if attack := known["attack"]:
        params = parameters(attack["params"])
        kind = exhibit.image_kinds[facts["image"]]
        before = known["before"]
        said = f"{names[before['label']]}, {percent(before['confidence'], 2)}"
        rows += [
            _Row("Attack", f"{kind}: {attack['name']}, {params}"),
            *([_Row("Ball", ball(attack["ball"]))] if attack.get("ball") else []),
            _Row("Target", names[known["target"]]),
            _Row("Prediction before", said),
        ]
    rows.append(_Row("Prediction", f"{names[label]}, {percent(sure, 2)}"))
    if norms:
        linf, l2 = amount(norms["linf"]), number(norms["l2"])
        rows.append(_Row("Change", f"L∞ {linf}, L2 {l2}, L0 {norms['l0']} pixels"))
    return rows


def _map_rows(exhibit: Exhibit, facts: Mapping[str, Any]) -> list[_Row]:
    """What the map shows, what it means, and where it is stored."""
    rows = [_Row("Map", facts["method"]["title"]), _Row("Quantity", facts["quantity"])]
    if facts["absent"] is not None:
        rows.append(_Row("Not drawn", facts["absent"]))
    else:
        scale = facts["scale"]
        where = (facts["defense"], facts["image"], facts["index"], facts["method"]["label"])
        known = meaning.meaning(exhibit, *where)
        rows += [
            *(_Row(about, said) for about, said in known.sentences.items()),
            *(_Row("Imported" if known.imported else "Marked", said) for said in known.marks),
            _Row("Scale", f"full colour ±{number(scale['value'])}: {scale['definition']}"),
            _Row("Largest |value|", number(facts["max_abs"])),
            _Row("Exactly zero", f"{percent(facts['zero_share'], 1)} of pixels"),
            _Row("Map values, SHA-256", code=facts["values_sha256"]),
        ]
    return [
        *rows,
        _Row("Map artifact", code=facts["artifact"]["key"]),
        _Row("Map artifact, content", code=facts["artifact"]["content_sha256"]),
    ]


def _image_rows(facts: Mapping[str, Any]) -> list[_Row]:
    """Where the picture is stored, and the attack's result that it is of."""
    picture = facts["picture"]
    known = picture["passport"]
    rows = [
        _Row("Picture, SHA-256", code=known["pixels"]["sha256"]),
        _Row("Source image, SHA-256", code=known["source"]["image_id"]),
        _Row("Stimulus", code=picture["stimulus_id"]),
    ]
    if attack := known["attack"]:
        rows += [
            _Row("Attack artifact", code=attack["artifact"]),
            _Row("Attack artifact, content", code=attack["content_sha256"]),
        ]
    return rows


def _origin_rows(facts: Mapping[str, Any]) -> list[_Row]:
    """What both come from: model, dataset and experiment."""
    model, experiment = facts["model"], facts["experiment"]
    code = model["code_sha256"]
    return [
        _Row("Model", code=model["id"]),
        _Row("Weights, SHA-256", code=model["weights_sha256"]),
        *([_Row("Code, SHA-256", code=code)] if code else []),
        _Row("Dataset, SHA-256", code=facts["picture"]["passport"]["source"]["data_sha256"]),
        _Row("Experiment", experiment["title"], experiment["key"]),
        _Row("Made", experiment["created"]),
    ]
