"""The HTTP routes beside Streamlit: participants, stimuli, login, export, gallery images.

`routes` lists them all. A handler is a function of a module, and takes what it uses from
`context(request)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from study_app.api import admission, answers, consent, form_answers, gallery, researcher, trials
from study_app.api.context import Context
from study_app.api.http import failure, json_response, route

__all__ = ["Context", "create_api", "routes"]

_PICTURE = "/g/{key}/{defense}/{image}/{index:int}"


def create_api(context: Context, middleware: Sequence[Middleware] = ()) -> Starlette:
    """Return an application of the routes over `context`."""
    app = Starlette(routes=routes(), middleware=middleware)
    app.state.context = context
    return app


def routes() -> list[BaseRoute]:
    """Return all routes. Unknown paths below their prefixes are real 404s, as JSON."""
    every_method = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return [
        Route("/api/health", health),
        Route("/api/consent", consent.consent, methods=["POST"]),
        Route("/api/form", form_answers.form, methods=["POST"]),
        Route("/api/admit", admission.admit, methods=["POST"]),
        Route("/api/trials", trials.trials),
        Route("/api/response", answers.respond, methods=["POST"]),
        Route("/api/withdraw", consent.withdraw, methods=["POST"]),
        Route("/s/{opaque_id}.png", trials.stimulus),
        Route("/api/login", researcher.log_in, methods=["POST"]),
        Route("/api/logout", researcher.log_out, methods=["POST"]),
        Route("/api/export/{study}.zip", researcher.download),
        Route(f"{_PICTURE}.png", gallery.picture),
        Route(f"{_PICTURE}.json", gallery.facts_of_picture),
        Route(f"{_PICTURE}/{{method}}.png", gallery.attribution_map),
        Route(f"{_PICTURE}/{{method}}.json", gallery.facts_of_map),
        *(
            Route(f"/{prefix}/{{rest:path}}", nowhere, methods=every_method)
            for prefix in ("api", "s", "g")
        ),
    ]


@route
async def health(request: Request) -> Response:
    """Say that the server runs."""
    return json_response({"status": "ok"})


async def nowhere(request: Request) -> Response:
    """Answer for every address that is none."""
    return failure(404, "not_found", "There is nothing at this address.")
