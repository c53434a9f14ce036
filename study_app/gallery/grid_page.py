"""The gallery's table: source images as rows, defenses as columns. Returns HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.results import Role
from engine.robustness.doubt import hides_gradients
from engine.robustness.doubt import legend as doubt_legend
from study_app.gallery import meaning, tiles
from study_app.gallery.exhibit import CLEAN, SCALE_MODES, Exhibit
from study_app.gallery.phrases import answer, kept_in, number, outcome, percent
from study_app.gallery.tiles import Tile
from study_app.gallery.view import GalleryView
from study_app.templates import part

_TILE_PX = {1: 168, 2: 112, 3: 84}
"""How wide a tile may be, by the number of tiles in a cell: four defenses fit on 1440 pixels."""

_GAP_PX = 6
"""Between tiles; as in the style sheet."""

_CELL_PX = 216
"""How wide a cell is at least."""

_PALE = 10
"""Above this ratio between the strongest and the weakest model a shared scale hides maps."""


@dataclass(frozen=True)
class _Head:
    """The head of a defense's column: its name, what is known of it, and names of its tiles."""

    name: str
    facts: list[str]
    tiles: list[str]


@dataclass(frozen=True)
class _Cell:
    """One source image with one defense; without an attack there is no outcome."""

    tiles: list[Tile]
    answer: str
    outcome: str
    unchanged: bool


@dataclass(frozen=True)
class _Row:
    """One source image: its picture, its class, what is known of it, and a cell a defense."""

    source: Tile
    name: str
    facts: list[str]
    cells: list[_Cell]


@dataclass(frozen=True)
class _Pale:
    """Why most maps are pale: how many times stronger one model's are, and where to see others."""

    strong: str
    weak: str
    ratio: str
    href: str
    instead: str


def grid(exhibit: Exhibit, view: GalleryView, rows: Iterable[int]) -> str:
    """Return the table of the test images `rows`."""
    return part(
        "gallery/grid_page.html",
        "grid",
        heads=[_column_head(exhibit, view, defense) for defense in _shown(exhibit, view)],
        rows=[_row(exhibit, view, index) for index in rows],
        cell_px=_cell_width(exhibit, view),
        tile_px=exhibit.image_width * _factor(exhibit, view),
    )


def legend(exhibit: Exhibit, view: GalleryView) -> str:
    """Return the colour bar's block; where each number stands depends on the scale mode."""
    where = {
        "row": "± at each row",
        "model": "± at each column",
        "image": "± below each map",
    }[view.scale]
    bar = tiles.bar(exhibit.quantity(view.method), view.scale, ("negative", "positive"), where)
    return part(
        "gallery/grid_page.html",
        "legend",
        bar=bar,
        made=meaning.resolution(exhibit, view.method),
        kept=_kept(exhibit, view),
        pale=_pale(exhibit, view),
        lacking=exhibit.lacking(view.shown_kinds, view.method),
    )


def _kept(exhibit: Exhibit, view: GalleryView) -> str:
    """Return the ball that the attacked pictures were kept in, in words; "" for none."""
    shown = next(iter(_shown(exhibit, view)), None)
    if view.image == CLEAN or shown is None:
        return ""
    return kept_in(exhibit, shown, view.image)


def _shown(exhibit: Exhibit, view: GalleryView) -> dict[str, str]:
    """Return the defenses that have a column: titles by label."""
    return exhibit.showing(view.shown_kinds, view.method)


def _column_head(exhibit: Exhibit, view: GalleryView, defense: str) -> _Head:
    facts = exhibit.evaluation["models"][defense]
    lines = [f"accuracy {percent(facts['clean_accuracy'], 1)} clean"]
    if view.image != CLEAN:
        tested = exhibit.evaluation["examples"][view.image][defense]["tested"][defense]
        some = exhibit.evaluation["examples"][view.image][defense].get("images")
        of = f" of {some}" if some else ""
        lines[0] += f", {percent(tested['accuracy'], 1)}{of} attacked"
        if "accuracy_float" in tested:
            lines[0] += f" ({percent(tested['accuracy_float'], 1)} before rounding)"
    if {Role("measures", defense), Role("ladder", defense)} & exhibit.results.missing.keys():
        lines.append("not checked for masked gradients: a check failed to run")
    elif hides_gradients(facts["zero_gradient_share"]):
        share = percent(facts["zero_gradient_share"])
        lines.append(f"loss gradients exactly zero on {share} of images")
    if view.image != CLEAN and (said := doubt_legend(exhibit.results.doubts(defense)["reasons"])):
        lines.append(said)
    lines += [
        f"{meaning.MARK} {said}" for said in meaning.of_network(exhibit, defense, view.method)
    ]
    # Their first words; the report has them whole.
    lines += [note.partition(":")[0] for note in exhibit.results.notes(defense)]
    if view.scale == "model":
        lines += [
            f"{'clean' if kind == CLEAN else 'attacked'} "
            f"±{number(exhibit.model_scale(defense, view.method, kind))}"
            for kind in view.shown_kinds
            if kind in exhibit.results.maps(defense, view.method).images
        ]
    return _Head(exhibit.defenses[defense], lines, _tile_names(view))


def _tile_names(view: GalleryView) -> list[str]:
    if view.image == CLEAN:
        return []
    return [*(["clean map"] if view.compare else []), "attacked", "its map"]


def _row(exhibit: Exhibit, view: GalleryView, index: int) -> _Row:
    first = next(iter(_shown(exhibit, view)))
    facts = [f"image {index}"]
    if view.scale == "row":
        for kind in view.shown_kinds:
            if not exhibit.explained((kind,), view.method, index):
                continue
            scale = exhibit.scale("row", first, kind, index, view.method)
            which = "clean" if kind == CLEAN else "attacked"
            facts.append(f"{which} ±{number(scale)}")
    return _Row(
        tiles.picture(
            exhibit, view.map(first, CLEAN, index), tiles.factor_for(exhibit, _TILE_PX[3])
        ),
        exhibit.results.class_names[int(exhibit.labels[index])],
        facts,
        [_cell(exhibit, view, each, index) for each in _shown(exhibit, view)],
    )


def _cell(exhibit: Exhibit, view: GalleryView, defense: str, index: int) -> _Cell:
    factor = _factor(exhibit, view)
    shown = []
    if CLEAN in view.shown_kinds:
        shown.append(tiles.attribution_map(exhibit, view.map(defense, CLEAN, index), factor))
    words = answer(exhibit, defense, view.image, index)
    if view.image == CLEAN:
        return _Cell(shown, words, "", unchanged=False)
    attacked = view.map(defense, view.image, index)
    shown += [
        tiles.picture(exhibit, attacked, factor),
        tiles.attribution_map(exhibit, attacked, factor),
    ]
    return _Cell(
        shown,
        words,
        outcome(exhibit, defense, view.image, index),
        exhibit.unchanged(defense, view.image, index),
    )


def _factor(exhibit: Exhibit, view: GalleryView) -> int:
    return tiles.factor_for(exhibit, _TILE_PX[_tile_count(view)])


def _tile_count(view: GalleryView) -> int:
    return len(view.shown_kinds) + (view.image != CLEAN)


def _cell_width(exhibit: Exhibit, view: GalleryView) -> int:
    """Return pixels; a cell has room for words even where its tiles are few."""
    tile = exhibit.image_width * _factor(exhibit, view)
    return max(_CELL_PX, _tile_count(view) * (tile + _GAP_PX) - _GAP_PX)


def _pale(exhibit: Exhibit, view: GalleryView) -> _Pale | None:
    """Say why most maps are pale on a shared scale, where one model's are far stronger."""
    explained = exhibit.explained((CLEAN,), view.method)
    scales = {each: exhibit.model_scale(each, view.method) for each in explained}
    if view.scale != "row" or not scales:
        return None
    weak, strong = min(scales, key=scales.__getitem__), max(scales, key=scales.__getitem__)
    if not scales[weak] or scales[strong] / scales[weak] < _PALE:
        return None
    return _Pale(
        exhibit.defenses[strong],
        exhibit.defenses[weak],
        number(round(scales[strong] / scales[weak])),
        view.scaled("model").href,
        SCALE_MODES["model"][0].lower(),
    )
