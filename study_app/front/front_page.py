"""The front page: what this is, a look into the gallery, and everybody's way on."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from db import repository
from db.errors import DatabaseError
from engine.errors import PlausiblyError
from study_app.front.choice import choose
from study_app.front.strip import strip
from study_app.gallery.catalog import Catalog, catalog
from study_app.gallery.exhibit import NotShownError
from study_app.installation import app_state

SHOWN = 2
"""Source images in the strip."""

_STYLE = Path(__file__).parent / "front.css"
_WELCOME = """
<h1>Plausibly</h1>
<p class="fp-lede">When a network errs, can people understand the mistake?</p>
<p>Plausibly trains classifiers with different defenses, attacks and explains them, and asks people
what they see in the pictures.</p>
<p class="fp-ways"><a class="fp-button" href="/gallery">Browse the saliency gallery</a>
<a href="/researcher">Researchers’ login</a></p>
<p class="fp-quiet">Taking part in a study? Please use the link you were given.</p>
"""

_log = logging.getLogger(__name__)


def front_page() -> None:
    """Show the page. It is whole without pictures, where there are none to show."""
    st.set_page_config(layout="wide")
    st.html(_STYLE)
    st.html(f'<div class="fp">{_WELCOME}{_pictures()}</div>')


def _pictures() -> str:
    """Return the strip of the newest experiment that has something to show, or nothing."""
    try:
        found = catalog(app_state().store.root)
        with app_state().database.read() as session:
            embargoed = repository.embargoed_image_ids(session, now=datetime.now(UTC))
        drawn = (_drawn(found, key, embargoed) for key in found.titles())
        return next((each for each in drawn if each), "")
    except (DatabaseError, PlausiblyError) as error:
        # The sentence names folders of this machine: it is for the log.
        _log.error("%s", error)
        return ""


def _drawn(found: Catalog, key: str, embargoed: set[str]) -> str:
    try:
        exhibit = found.exhibit(key)
        choices = choose(exhibit, embargoed, SHOWN)
        return strip(exhibit, choices) if choices else ""
    except NotShownError:
        return ""  # deleted just now
    except PlausiblyError as error:
        _log.error("%s", error)
        return ""
