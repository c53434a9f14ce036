"""The app's pages, declared once: Streamlit is given them, and the server knows their addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from study_app.front.front_page import front_page
from study_app.gallery.page import gallery_page, map_page
from study_app.participation.load import load_texts
from study_app.participation.player_page import participant_page
from study_app.researcher.studies_page import researcher_page


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        path: its address; "/" is where people arrive.
        title: what the browser's tab says.
        show: draws it, within a run of Streamlit's.
    """

    path: str
    title: str
    show: Callable[[], None]


def _take() -> None:
    participant_page(load_texts)


TAKE = Page("/take", "Study", _take)
"""Where a study's participants arrive; its document depends on the study."""

PAGES = (
    Page("/", "Plausibly", front_page),
    TAKE,
    Page("/gallery", "Saliency gallery", gallery_page),
    Page("/map", "One map", map_page),
    Page("/researcher", "Researchers", researcher_page),
)
"""Every page. Whatever is not here, nor a route of its own, is a 404."""
