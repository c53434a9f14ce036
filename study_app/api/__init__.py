"""The HTTP routes beside Streamlit: participants, stimuli, login, export, gallery images."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from study_app.api import gallery, participant, researcher
from study_app.api.http import failure
from study_app.installation import AppState

EVERY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

PREFIXES = ("/api", "/s", "/g")
"""Addresses for programs: what is unknown at or below them is a 404 as JSON."""


def routes(state: AppState) -> list[BaseRoute]:
    """Return all routes. Unknown paths below their prefixes are real 404s, as JSON."""
    unknown = (end for prefix in PREFIXES for end in (prefix, f"{prefix}/{{rest:path}}"))
    return [
        *participant.routes(state),
        *researcher.routes(state),
        *gallery.routes(state),
        *(Route(path, nowhere, methods=EVERY_METHOD) for path in unknown),
    ]


async def nowhere(request: Request) -> Response:
    """Answer that there is nothing here."""
    return failure(404, "not_found", "There is nothing at this address.")
