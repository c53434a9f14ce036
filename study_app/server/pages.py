"""The Streamlit pages. Run by the server for every visit; it only finds the page."""

from __future__ import annotations

import streamlit as st

from study_app.gallery.page import gallery_page, map_page
from study_app.participation.load import load_texts
from study_app.participation.player_page import participant_page
from study_app.researcher.studies_page import researcher_page
from study_app.server.home import home_page


def take() -> None:
    """The participant's page."""
    participant_page(load_texts)


# Streamlit's own menu would show participants the way to everything else.
st.navigation(
    [
        st.Page(home_page, title="Plausibly", url_path="home", default=True),
        st.Page(take, title="Study", url_path="take"),
        st.Page(gallery_page, title="Saliency gallery", url_path="gallery"),
        st.Page(map_page, title="One map", url_path="map"),
        st.Page(researcher_page, title="Researchers", url_path="researcher"),
    ],
    position="hidden",
).run()
