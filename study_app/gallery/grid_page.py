"""The gallery's table: source images as rows, defenses as columns. Returns HTML."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from engine.robustness.doubt import legend as doubt_legend
from study_app.gallery import tiles
from study_app.gallery.exhibit import CLEAN, SCALE_MODES, Exhibit
from study_app.gallery.phrases import answer, number, outcome, percent
from study_app.gallery.view import GalleryView

_TILE_PX = {1: 168, 2: 112, 3: 84}
"""How wide a tile may be, by the number of tiles in a cell: four defenses fit on 1440 pixels."""

_GAP_PX = 6
"""Between tiles; as in the style sheet."""

_CELL_PX = 216
"""How wide a cell is at least."""

_MASKED = 0.5
"""Above this share of exactly zero gradients the column says so."""

_PALE = 10
"""Above this ratio between the strongest and the weakest model a shared scale hides maps."""


def grid(exhibit: Exhibit, view: GalleryView, rows: Iterable[int]) -> str:
    """Return the table of the test images `rows`."""
    heads = "".join(_column_head(exhibit, view, defense) for defense in exhibit.defenses)
    body = "".join(_row(exhibit, view, index) for index in rows)
    return (
        '<div class="pg"><div class="pg-scroll" role="region" tabindex="0" '
        'aria-label="Source images by defense">'
        '<table class="pg-grid"><thead><tr>'
        f'<th scope="col" class="pg-source">Source image</th>{heads}'
        f"</tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def legend(exhibit: Exhibit, view: GalleryView) -> str:
    """Return the colour bar's block; where each number stands depends on the scale mode."""
    where = {
        "row": "± at each row",
        "model": "± at each column",
        "image": "± below each map",
    }[view.scale]
    quantity = exhibit.quantity(view.method)
    block = tiles.legend(quantity, view.scale, ("negative", "positive"), where)
    return f'<div class="pg">{block}{_pale_note(exhibit, view)}</div>'


def _column_head(exhibit: Exhibit, view: GalleryView, defense: str) -> str:
    facts = exhibit.evaluation["models"][defense]
    lines = [f"accuracy {percent(facts['clean_accuracy'], 1)} clean"]
    if view.image != CLEAN:
        tested = exhibit.evaluation["examples"][view.image][defense]["tested"][defense]
        lines[0] += f", {percent(tested['accuracy'], 1)} attacked"
    if facts["zero_gradient_share"] > _MASKED:
        share = percent(facts["zero_gradient_share"])
        lines.append(f"loss gradients exactly zero on {share} of images")
    if view.image != CLEAN and (said := doubt_legend(exhibit.results.doubts(defense)["reasons"])):
        lines.append(said)
    if view.scale == "model":
        lines += [
            f"{'clean' if kind == CLEAN else 'attacked'} "
            f"±{number(exhibit.model_scale(defense, view.method, kind))}"
            for kind in view.shown_kinds
        ]
    return (
        f'<th scope="col"><div style="width:{_cell_width(exhibit, view)}px">'
        f'<span class="pg-name">{escape(exhibit.defenses[defense])}</span>'
        + "".join(f'<span class="pg-fact">{escape(line)}</span>' for line in lines)
        + f'<span class="pg-tiles pg-fact" aria-hidden="true">{_tile_heads(exhibit, view)}</span>'
        "</div></th>"
    )


def _tile_heads(exhibit: Exhibit, view: GalleryView) -> str:
    if view.image == CLEAN:
        return ""
    names = ["clean map"] if view.compare else []
    names += ["attacked", "its map"]
    width = exhibit.image_width * _factor(exhibit, view)
    return "".join(f'<span style="width:{width}px">{name}</span>' for name in names)


def _row(exhibit: Exhibit, view: GalleryView, index: int) -> str:
    first = next(iter(exhibit.defenses))
    name = exhibit.results.class_names[int(exhibit.labels[index])]
    source = tiles.picture(
        exhibit, view.map(first, CLEAN, index), tiles.factor_for(exhibit, _TILE_PX[3])
    )
    facts = [f"image {index}"]
    if view.scale == "row":
        for kind in view.shown_kinds:
            scale = exhibit.scale("row", first, kind, index, view.method)
            which = "clean" if kind == CLEAN else "attacked"
            facts.append(f"{which} ±{number(scale)}")
    cells = "".join(f"<td>{_cell(exhibit, view, each, index)}</td>" for each in exhibit.defenses)
    return (
        f'<tr><th scope="row" class="pg-source">{source}'
        f'<span class="pg-name">{escape(name)}</span>'
        + "".join(f'<span class="pg-fact">{escape(fact)}</span>' for fact in facts)
        + f"</th>{cells}</tr>"
    )


def _cell(exhibit: Exhibit, view: GalleryView, defense: str, index: int) -> str:
    factor = _factor(exhibit, view)
    shown = []
    if CLEAN in view.shown_kinds:
        shown.append(tiles.attribution_map(exhibit, view.map(defense, CLEAN, index), factor))
    if view.image != CLEAN:
        attacked = view.map(defense, view.image, index)
        shown += [
            tiles.picture(exhibit, attacked, factor),
            tiles.attribution_map(exhibit, attacked, factor),
        ]
    words = f'<span class="pg-answer">{escape(answer(exhibit, defense, view.image, index))}</span>'
    if view.image != CLEAN:
        happened = outcome(exhibit, defense, view.image, index)
        mark = " pg-unchanged" if exhibit.unchanged(defense, view.image, index) else ""
        words += f' <span class="pg-outcome{mark}">{escape(happened)}</span>'
    return (
        f'<div style="width:{_cell_width(exhibit, view)}px">'
        f'<div class="pg-tiles">{"".join(shown)}</div><p class="pg-words">{words}</p></div>'
    )


def _factor(exhibit: Exhibit, view: GalleryView) -> int:
    return tiles.factor_for(exhibit, _TILE_PX[_tile_count(view)])


def _tile_count(view: GalleryView) -> int:
    return len(view.shown_kinds) + (view.image != CLEAN)


def _cell_width(exhibit: Exhibit, view: GalleryView) -> int:
    """Return pixels; a cell has room for words even where its tiles are few."""
    tile = exhibit.image_width * _factor(exhibit, view)
    return max(_CELL_PX, _tile_count(view) * (tile + _GAP_PX) - _GAP_PX)


def _pale_note(exhibit: Exhibit, view: GalleryView) -> str:
    """Say why most maps are pale on a shared scale, where one model's are far stronger."""
    scales = {each: exhibit.model_scale(each, view.method) for each in exhibit.defenses}
    weak, strong = min(scales, key=scales.__getitem__), max(scales, key=scales.__getitem__)
    if view.scale != "row" or not scales[weak] or scales[strong] / scales[weak] < _PALE:
        return ""
    ratio = number(round(scales[strong] / scales[weak]))
    titles = exhibit.defenses
    return (
        f'<p class="pg-note">Pale maps are a finding: over all clean images the values of '
        f"<b>{escape(titles[strong])}</b> are {ratio} times those of "
        f"<b>{escape(titles[weak])}</b>. To see structure instead of strength: "
        f'<a href="{escape(view.scaled("model").href)}">'
        f"{escape(SCALE_MODES['model'][0].lower())}</a>.</p>"
    )
