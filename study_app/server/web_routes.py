"""The routes of the pages, and of every address where there is nothing."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from study_app.api import EVERY_METHOD, nowhere
from study_app.player import ui_strings
from study_app.server.documents import icon, nothing_document
from study_app.server.light_page import light_page
from study_app.server.pages import PAGES, TAKE, Page
from study_app.server.streamlit_document import page_document
from study_app.server.streamlit_files import file_of_streamlit
from study_app.server.take_page import take_document

_SMALLER = [Middleware(GZipMiddleware, compresslevel=6)]


def web_routes() -> list[BaseRoute]:
    """Return the pages' routes; the last takes whatever no other route has taken."""
    pages = [route for page in PAGES for route in _page_routes(page)]
    light = [
        Route("/p/{study}", light_page, middleware=_SMALLER),
        Route("/p/{study}/", _without_slash),
    ]
    icons = [Route(f"/favicon.{kind}", _icon) for kind in ("svg", "ico")]
    files = Route("/static/{file:path}", _file)
    nothing = Route("/{rest:path}", _nothing, methods=EVERY_METHOD)
    return [*pages, *light, *icons, files, nothing]


def _page_routes(page: Page) -> list[BaseRoute]:
    words = ui_strings("en")
    fixed = page_document(page.title, "en", words["loading"], words["needs_script"])

    async def show(request: Request) -> Response:
        if request.scope["path"] != page.path:  # a route's pattern takes a line feed at the end
            return await _nothing(request)
        document = await take_document(request, page.title) if page is TAKE else fixed
        return Response(document, media_type="text/html", headers={"Cache-Control": "no-cache"})

    shown = Route(page.path, show, middleware=_SMALLER)
    return [shown] if page.path == "/" else [shown, Route(f"{page.path}/", _without_slash)]


async def _without_slash(request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(request.url.path.removesuffix("/") + query, 308)


async def _icon(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(icon(), media_type="image/svg+xml", headers=headers)


async def _file(request: Request) -> Response:
    """Send one of Streamlit's files."""
    return await file_of_streamlit(request) or await _nothing(request)


async def _nothing(request: Request) -> Response:
    """A page for people; programs, who send something, get the sentence as JSON."""
    if request.method not in ("GET", "HEAD"):
        return await nowhere(request)
    return Response(
        nothing_document(), 404, media_type="text/html", headers={"Cache-Control": "no-store"}
    )
