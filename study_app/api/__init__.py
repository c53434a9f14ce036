"""The HTTP routes beside Streamlit: participants, player, stimuli, login, results, gallery images.

`routes` lists them all. A handler is a function of a module, and takes what it uses from
`context(request)`.
"""

from __future__ import annotations

from collections.abc import Sequence

from anyio import to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from study_app.api import (
    admission,
    analysis_page,
    answers,
    consent,
    form_answers,
    gallery,
    player_file,
    researcher,
    trials,
)
from study_app.api.context import Context, context
from study_app.api.http import failure, json_response, route
from study_app.api.player_file import takes_gzip

__all__ = ["EVERY_METHOD", "PREFIXES", "Context", "create_api", "nowhere", "routes", "takes_gzip"]

_SMALLER = [Middleware(GZipMiddleware, compresslevel=6)]
_PICTURE = "/g/{key}/{defense}/{image}/{index}"

EVERY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

PREFIXES = ("/api", "/s", "/g", "/player")
"""Addresses for programs: what is unknown at or below them is a 404 as JSON."""


def create_api(
    held: Context, middleware: Sequence[Middleware] = (), further: Sequence[BaseRoute] = ()
) -> Starlette:
    """Return an application of the routes over `held`, and of `further` ones after them."""
    app = Starlette(routes=[*routes(), *further], middleware=middleware)
    app.state.context = held
    return app


def routes() -> list[BaseRoute]:
    """Return all routes. Unknown paths below their prefixes are real 404s, as JSON."""
    unknown = (end for prefix in PREFIXES for end in (prefix, f"{prefix}/{{rest:path}}"))
    return [
        Route("/api/health", health),
        Route("/api/consent", consent.consent, methods=["POST"]),
        Route("/api/form", form_answers.form, methods=["POST"]),
        Route("/api/admit", admission.admit, methods=["POST"]),
        Route("/api/trials", trials.trials),
        Route("/api/response", answers.respond, methods=["POST"]),
        Route("/api/withdraw", consent.withdraw, methods=["POST"]),
        Route("/s/{opaque_id}.png", trials.stimulus),
        Route("/player/{sha256}.js", player_file.script),
        Route("/api/login", researcher.log_in, methods=["POST"]),
        Route("/api/logout", researcher.log_out, methods=["POST"]),
        Route("/api/export/{study}.zip", researcher.download),
        Route("/api/analysis/{study}.html", analysis_page.show, middleware=_SMALLER),
        Route(f"{_PICTURE}.png", gallery.picture),
        Route(f"{_PICTURE}.json", gallery.facts_of_picture),
        Route(f"{_PICTURE}/{{method}}.png", gallery.attribution_map),
        Route(f"{_PICTURE}/{{method}}.json", gallery.facts_of_map),
        *(Route(path, nowhere, methods=EVERY_METHOD) for path in unknown),
    ]


@route
async def health(request: Request) -> Response:
    """Say that the server runs and that its database can be read where answers go; else 503."""
    await to_thread.run_sync(context(request).database.require_alive)
    return json_response({"status": "ok"})


async def nowhere(request: Request) -> Response:
    """Answer for every address that is none."""
    return failure(404, "not_found", "There is nothing at this address.")
