"""The document of Streamlit's page of a study, `/take?study=NAME`."""

from __future__ import annotations

from anyio import to_thread
from starlette.requests import Request

from db.errors import StorageError
from study_app.participation.languages import direction
from study_app.participation.load import load_texts
from study_app.participation.player_data import chosen
from study_app.player import ui_strings
from study_app.server.light_page import language_of
from study_app.server.streamlit_document import page_document


async def take_document(request: Request, title: str) -> bytes:
    """Return the document of Streamlit's page for the study that the address names.

    Its first words are the study's, in the language in which the player will begin.

    Args:
        request: for `/take`.
        title: what the browser's tab says where there is no such study.
    """
    language, way_out = language_of(request), None
    words = ui_strings(language)
    try:
        texts = await to_thread.run_sync(load_texts, request.query_params.get("study", ""))
    except StorageError:
        pass  # the page itself says so, or comes up after all
    else:
        if texts is not None:
            accepted = request.headers.get("accept-language")
            language, own = chosen(texts, request.query_params, accepted)
            title, words = own["title"], own["ui"]
            way_out = words["way_out_text"], words["way_out_link"]
    return page_document(
        title,
        language,
        words["loading"],
        words["needs_script"],
        direction=direction(language),
        player=True,
        way_out=way_out,
    )
