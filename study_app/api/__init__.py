"""The HTTP routes beside Streamlit: participants, player, stimuli, login, export, gallery."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from study_app.api import gallery, participant, player_file, researcher
from study_app.api.http import failure
from study_app.installation import AppState


def routes(state: AppState) -> list[BaseRoute]:
    """Return all routes. Unknown paths below their prefixes are real 404s, as JSON."""

    async def nowhere(request: Request) -> Response:
        return failure(404, "not_found", "There is nothing at this address.")

    every_method = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return [
        *participant.routes(state),
        *researcher.routes(state),
        *gallery.routes(state),
        *player_file.routes(),
        *(
            Route(f"/{prefix}/{{rest:path}}", nowhere, methods=every_method)
            for prefix in ("api", "s", "g", "player")
        ),
    ]
