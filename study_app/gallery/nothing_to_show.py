"""What a page says when there is nothing to show: one sentence and the way on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from db.errors import DatabaseError
from engine.errors import PlausiblyError
from study_app.gallery.exhibit import NotShownError
from study_app.templates import part

_log = logging.getLogger(__name__)


@contextmanager
def calm() -> Iterator[None]:
    """Say a sentence instead of failing."""
    try:
        yield
    except NotShownError:
        say("There is no such picture in the gallery.")
    except DatabaseError:
        say("The gallery cannot be reached just now. Please try again in a moment.")
    except PlausiblyError as error:
        # The sentence names folders of this machine: it is for the log.
        _log.error("%s", error)
        say("This part of the gallery cannot be read just now. It is stored but damaged.")


def say(sentence: str) -> None:
    """Show `sentence` and a link to the whole gallery."""
    st.html(part("gallery/page.html", "nothing", sentence=sentence))
