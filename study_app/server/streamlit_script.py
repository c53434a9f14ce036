"""The Streamlit pages. Run by the server for every visit; it only finds the page."""

from __future__ import annotations

import streamlit as st

from study_app.server.pages import PAGES

# Streamlit's own menu would show participants the way to everything else.
st.navigation(
    [
        # Streamlit names a page by its function unless told; the front page's address is empty.
        st.Page(page.show, title=page.title, url_path=page.path[1:], default=page.path == "/")
        for page in PAGES
    ],
    position="hidden",
).run()
