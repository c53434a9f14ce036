"""The routes of the pages, and of every address where there is nothing."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from study_app.api import EVERY_METHOD, nowhere
from study_app.server.documents import icon, nothing_document, page_document
from study_app.server.pages import PAGES, Page

_MOMENT = "One moment…"


def web_routes() -> list[BaseRoute]:
    """Return the pages' routes; the last takes whatever no other route has taken."""
    pages = [route for page in PAGES for route in _page_routes(page)]
    icons = [Route(f"/favicon.{kind}", _icon) for kind in ("svg", "ico")]
    return [*pages, *icons, Route("/{rest:path}", _nothing, methods=EVERY_METHOD)]


def _page_routes(page: Page) -> list[BaseRoute]:
    document = page_document(page.title, "en", _MOMENT)

    async def show(request: Request) -> Response:
        if request.scope["path"] != page.path:  # a route's pattern takes a line feed at the end
            return await _nothing(request)
        return Response(document, media_type="text/html", headers={"Cache-Control": "no-cache"})

    async def without_slash(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(page.path + query, 308)

    shown = Route(page.path, show, middleware=[Middleware(GZipMiddleware)])
    return [shown] if page.path == "/" else [shown, Route(f"{page.path}/", without_slash)]


async def _icon(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(icon(), media_type="image/svg+xml", headers=headers)


async def _nothing(request: Request) -> Response:
    """A page for people; programs, who send something, get the sentence as JSON."""
    if request.method not in ("GET", "HEAD"):
        return await nowhere(request)
    return Response(
        nothing_document(), 404, media_type="text/html", headers={"Cache-Control": "no-store"}
    )
