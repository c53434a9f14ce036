"""The gallery's two pages: the grid at /gallery and one map at /map."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from db import repository
from study_app.gallery import grid_page, meaning, measured
from study_app.gallery import map_page as sheet
from study_app.gallery.catalog import Catalog, catalog
from study_app.gallery.exhibit import CLEAN, SCALE_MODES, Exhibit, NotShownError
from study_app.gallery.facts import map_facts
from study_app.gallery.nothing_to_show import calm, say
from study_app.gallery.view import EVERY, GalleryView, MapView
from study_app.gallery.widgets import choose, switch, turn
from study_app.installation import app_state
from study_app.markdown import literal
from study_app.templates import part

ROWS = 8
"""Source images on one page."""

_TEMPLATE = "gallery/page.html"
_STYLE = Path(__file__).parent / "gallery.css"


def gallery_page() -> None:
    """Show source images as rows and defenses as columns, with their maps."""
    _begin()
    st.title("Saliency gallery", anchor=False)
    with calm():
        found = catalog(app_state().store.root)
        titles = found.titles()
        asked = st.query_params.get("experiment") or next(iter(titles), None)
        if asked is None:
            say("There is no finished experiment yet. `plausibly demo` makes the first one.")
            return
        exhibit = found.exhibit(asked)
        if not exhibit.methods:
            say("This experiment was run without saliency maps.")
            return
        earlier = found.complete_before(exhibit)
        _gallery(exhibit, titles, found.exhibit(earlier) if earlier else None)


def map_page() -> None:
    """Show one map large, with its passport."""
    _begin()
    with calm():
        exhibit = _asked(catalog(app_state().store.root))
        view = MapView.parse(st.query_params.to_dict(), exhibit)
        embargoed = _embargoed()
        place = view.place
        for (defense, image), drawn in {
            (place.defense, place.image): False,
            **({view.pin: True} if view.pin else {}),
        }.items():
            exhibit.require(
                embargoed,
                defense=defense,
                image=image,
                index=place.index,
                method=view.method,
                drawn=drawn,
            )
        kinds = {place.image, *([view.pin[1]] if view.pin else [])}
        _map(exhibit, view, exhibit.visible(embargoed, method=view.method, kinds=kinds))


def _begin() -> None:
    st.set_page_config(layout="wide")
    st.html(_STYLE)


def _asked(found: Catalog) -> Exhibit:
    key = st.query_params.get("experiment")
    if key is None:
        raise NotShownError
    return found.exhibit(key)


def _embargoed() -> set[str]:
    with app_state().database.read() as session:
        return repository.embargoed_image_ids(session, now=datetime.now(UTC))


def _gallery(exhibit: Exhibit, titles: dict[str, str], complete: Exhibit | None) -> None:
    """Show a view of an experiment; `complete` is an earlier run of it in which nothing failed."""
    view = GalleryView.parse(st.query_params.to_dict(), exhibit)
    embargoed = _embargoed()
    rows = exhibit.visible(embargoed, view.wanted_label, method=view.method, kinds=view.shown_kinds)
    pages = max(1, -(-len(rows) // ROWS))
    view = view.on_page(min(view.page, pages))
    shows = meaning.shows(exhibit, view.method)
    st.html(part(_TEMPLATE, "gallery_intro", attacked=bool(exhibit.attacks), shows=shows))
    _gallery_controls(exhibit, view, titles, embargoed)
    if complete is not None:
        st.html(part(_TEMPLATE, "earlier", href=GalleryView.default(complete).href))
    if not exhibit.showing(view.shown_kinds, view.method):
        say(" ".join(exhibit.lacking(view.shown_kinds, view.method)))
        return
    st.html(grid_page.legend(exhibit, view))
    first = (view.page - 1) * ROWS
    shown = rows[first : first + ROWS]
    if not shown:
        say("No image of this kind can be shown.")
        return
    st.html(grid_page.grid(exhibit, view, shown))
    with st.container(horizontal=True, vertical_alignment="center", key="gallery_pages"):
        last = first + len(shown)
        mapped = exhibit.visible((), method=view.method, kinds=view.shown_kinds)
        counts = {"count": len(rows), "mapped": len(mapped), "images": len(exhibit.labels)}
        st.html(part(_TEMPLATE, "range", first=first + 1, last=last, **counts), width="content")
        if pages > 1:
            turn(pages, view.page, view.query())
    _link("Link to this view", view.href)


def _gallery_controls(
    exhibit: Exhibit, view: GalleryView, titles: dict[str, str], embargoed: set[str]
) -> None:
    query = view.query()
    names = exhibit.results.class_names
    labels = sorted({int(exhibit.labels[index]) for index in exhibit.visible(embargoed)})
    with st.container(horizontal=True, vertical_alignment="bottom", key="gallery_controls"):
        experiments = {**titles}
        experiments.setdefault(exhibit.key, f"{exhibit.title} (an earlier run)")
        if len(experiments) > 1:
            choose("Experiment", "experiment", experiments, exhibit.key, query)
        choose("Pictures", "image", exhibit.image_kinds, view.image, query)
        if len(exhibit.methods) > 1:
            choose("Map", "method", exhibit.methods, view.method, query)
        scales = {str(mode): title for mode, (title, _) in SCALE_MODES.items()}
        choose("Colour scale", "scale", scales, view.scale, query)
        options = {EVERY: "All", **{str(label): names[label] for label in labels}}
        if view.wanted_label is not None:
            options.setdefault(view.label, names[view.wanted_label])
        choose("True label", "label", options, view.label, query)
        switch("Compare with clean", "compare", view.compare, query, disabled=view.image == CLEAN)


def _map(exhibit: Exhibit, view: MapView, visible: list[int]) -> None:
    place = view.place
    facts = map_facts(exhibit, place, view.method, view.scale)
    name = exhibit.results.class_names[int(exhibit.labels[place.index])]
    gallery = GalleryView.default(exhibit).matching(view)
    before = [index for index in visible if index < place.index]
    after = [index for index in visible if index > place.index]
    ways = [(gallery.href, "Gallery")]
    if before:
        ways.append((view.at(index=before[-1]).href, "Previous image"))
    if after:
        ways.append((view.at(index=after[0]).href, "Next image"))
    ways += [
        (place.map(view.method, view.scale, "json"), "Map as JSON"),
        (place.picture("json"), "Picture as JSON"),
    ]
    st.html(part(_TEMPLATE, "ways", links=ways))
    title = f"{exhibit.methods[view.method]} · {exhibit.defenses[place.defense]}"
    st.title(literal(title), anchor=False)
    kind = exhibit.image_kinds[place.image]
    drawn = facts["absent"] is None
    shows = meaning.shows(exhibit, view.method) if drawn else ""
    st.html(part(_TEMPLATE, "map_intro", index=place.index, name=name, kind=kind, shows=shows))
    query = view.query()
    with st.container(horizontal=True, vertical_alignment="bottom", key="gallery_controls"):
        there = exhibit.showing((place.image,), view.method)
        choose("Defense", "defense", there, place.defense, query)
        kinds = exhibit.mapped(place.defense, view.method, place.index)
        choose("Picture", "image", kinds, place.image, query)
        methods = exhibit.mapping(place.defense, place.image, place.index)
        if len(methods) > 1:
            choose("Map", "method", methods, view.method, query)
        scales = {str(mode): title for mode, (title, _) in SCALE_MODES.items()}
        choose("Colour scale", "scale", scales, view.scale, query)
    st.html(sheet.figures(exhibit, view))
    if drawn:
        st.html(sheet.legend(facts, view))
        where = (place.defense, place.image, place.index, view.method)
        if numbers := measured.table(exhibit, *where):
            st.subheader("What can be measured of this map", anchor=False)
            st.html(numbers)
    st.subheader("The same image across defenses", anchor=False)
    st.html(sheet.strip(exhibit, view))
    st.subheader("Passport", anchor=False)
    st.html(sheet.passport(exhibit, facts))
    address = _link("Permanent link", view.href)
    if drawn:
        st.caption("Suggested citation")
        today = datetime.now(UTC).date()
        st.code(sheet.citation(exhibit, facts, address, today), language=None, wrap_lines=True)


def _link(caption: str, href: str) -> str:
    """Show the address of `href` with a button that copies it; return the address."""
    here = urlsplit(st.context.url or "")
    address = f"{here.scheme}://{here.netloc}{href}" if here.netloc else href
    st.caption(caption)
    st.code(address, language=None, wrap_lines=True)
    return address
