"""The front page: what this is, and the way to the gallery."""

from __future__ import annotations

import streamlit as st


def home_page() -> None:
    """Say what Plausibly is; participants come by their own link."""
    st.title("Plausibly")
    st.markdown(
        "Human studies of adversarial robustness and interpretability: when a network errs, "
        "can people understand the mistake?"
    )
    st.page_link("gallery", label="Browse the saliency gallery", icon=":material/grid_view:")
    st.page_link("researcher", label="Researchers' login", icon=":material/lock:")
    st.caption("Taking part in a study? Please use the link you were given.")
