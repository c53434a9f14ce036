"""The light page of a study, `/p/NAME`: the player in one document, without Streamlit."""

from __future__ import annotations

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from db.errors import StorageError
from study_app.participation.languages import accepted, first_offered
from study_app.participation.load import load_texts
from study_app.participation.player_data import player_data
from study_app.player import PlayerData, ui_strings
from study_app.player.strings import languages
from study_app.server.documents import calm_document, light_document, light_policy

_FALLBACK_LANGUAGE = "en"
_AGAIN_S = 10
"""Seconds after which a browser asks again for a page that cannot be made just now."""


async def light_page(request: Request) -> Response:
    """Answer with a study's light page; where there is none, with a calm one that loads nothing."""
    accepted_languages = request.headers.get("accept-language")

    def made() -> PlayerData:
        texts = load_texts(request.path_params["study"])
        return player_data(texts, request.query_params, accepted_languages)

    try:
        data = await to_thread.run_sync(made)  # which looks into the database
    except StorageError:
        language = language_of(request)
        words = ui_strings(language)
        document = calm_document(language, words["waiting_server"], words["server_refused"])
        return _answer(document, 503, {"Refresh": str(_AGAIN_S)})
    if data["status"] == "unknown":
        words = data["ui"]
        document = calm_document(data["language"], words["unknown_title"], words["unknown_text"])
        return _answer(document, 404)
    return _answer(light_document(data), 200, {"Content-Security-Policy": light_policy()})


def language_of(request: Request) -> str:
    """Return which of the player's languages somebody reads."""
    header = request.headers.get("accept-language", "")
    wanted = (request.query_params.get("lang"), *accepted(header))
    return first_offered(languages(), wanted) or _FALLBACK_LANGUAGE


def _answer(document: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(document, status, media_type="text/html", headers=kept)
