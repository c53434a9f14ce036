"""The player in pages without Streamlit: they load in a fraction of the time, same code.

The bare page is called as Streamlit calls, with `window.remount()` for its reruns. The light page
is the document that the real server sends.
"""

from __future__ import annotations

from made_up_study import player_data
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from study_app.player.assets import player_css, player_html, player_loader
from study_app.server.documents import light_document, light_policy

# What Streamlit does: HTML and CSS into a shadow root; the component's script is a blob, whose
# default export is called with it. window.remount() does what a rerun does.
BOOT = """
const script = await (await fetch("/bare/loader.js")).blob();
const { default: mount } = await import(URL.createObjectURL(script));
const data = await (await fetch(`/bare/data${location.search}`)).json();
const parentElement = document.getElementById("mount").attachShadow({ mode: "open" });
const content = document.getElementById("content").content;
parentElement.append(content);
let cleanup = mount({ data, parentElement });
window.remount = () => {
  cleanup();
  cleanup = mount({ data: structuredClone(data), parentElement });
};
"""


def routes() -> list[Route]:
    """The bare page, ``/bare?study=NAME``, and the light one, ``/p/NAME``."""
    return [
        Route("/p/{study}", _light),
        Route("/bare", _page),
        Route("/bare/boot.js", _boot),
        Route("/bare/loader.js", _loader),
        Route("/bare/data", _data),
    ]


async def _page(request: Request) -> Response:
    return HTMLResponse(
        "<!doctype html><html><head><meta name=viewport content='width=device-width'>"
        f"</head><body><div id=mount></div><template id=content>{player_html()}"
        f"<style>{player_css()}</style></template>"
        "<script type=module src=/bare/boot.js></script></body></html>"
    )


async def _light(request: Request) -> Response:
    query = request.query_params
    name, language = request.path_params["study"], query.get("lang", "en")
    document = light_document(player_data(name, language, "languages" in query))
    return HTMLResponse(document, headers={"Content-Security-Policy": light_policy()})


async def _boot(request: Request) -> Response:
    return Response(BOOT, media_type="text/javascript")


async def _loader(request: Request) -> Response:
    return Response(player_loader(), media_type="text/javascript")


async def _data(request: Request) -> Response:
    query = request.query_params
    data = player_data(
        query["study"],
        query.get("lang", "en"),
        "languages" in query,
        query.get("person"),
        query.get("refused"),
        "shared" in query,
    )
    return JSONResponse(data)
