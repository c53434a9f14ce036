"""A bound on open pages: who comes beyond it is told so; what participants send goes on."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from study_app.api.http import failure
from study_app.participation.doors import light_door
from study_app.server.documents import full_document
from study_app.server.log_bounds import OncePerMinute
from study_app.server.security import SecurityMiddleware

RETRY_S = 60

COMING_S = 5.0
"""For so long a page that was sent counts as one whose WebSocket will come."""
COMING_SHARE = 0.25
"""Of all pages, which may be counted so at most."""

VISITORS_SHARE = 0.8
"""Of all pages, for those that no participant needs; the rest is for those that one does."""

PARTICIPANTS_PAGES = ("/take", "/researcher")
VISITORS_PAGES = ("/", "/gallery", "/map")

_log = logging.getLogger(__name__)
_log.addFilter(OncePerMinute())

_MESSAGE = "Many people are here just now. Please try again in a minute."


class Crowding:
    """Refuses Streamlit's pages and their WebSockets with 503 beyond a number of them.

    Everything else passes, a participant's answers above all.

    Args:
        app: what is asked otherwise.
        most: pages that may be open at once.
        log: told why somebody was refused.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        app: ASGIApp,
        most: int,
        log: Callable[[str], None] = _log.warning,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._most, self._log, self._clock = app, most, log, clock
        self._open = 0
        self._coming: deque[float] = deque(maxlen=max(1, int(most * COMING_SHARE)))

    @property
    def pages(self) -> int:
        """How many pages are open, or about to be."""
        now = self._clock()
        while self._coming and now - self._coming[0] > COMING_S:
            self._coming.popleft()
        return self._open + len(self._coming)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http" and (share := _share(scope)):
            if self.pages >= self._most * share:
                self._say()
                await SecurityMiddleware(full(Request(scope)))(scope, receive, send)
                return
            if scope["method"] == "GET":
                self._coming.append(self._clock())
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._open >= self._most:
            self._say()
            await refuse_websocket(scope, receive, send, 503, _MESSAGE)
            return
        if self._coming:
            self._coming.popleft()
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1

    def _say(self) -> None:
        self._log(
            f"Pages were refused: this process carries {self._most} at once. "
            "Raise its limit of open files (LimitNOFILE= of systemd, --ulimit nofile= of Docker)."
        )


def full(request: Request) -> Response:
    """Return the answer to somebody for whose page there is no room.

    A participant is sent to the light page of their study, which holds nothing open. Others get a
    page, programs JSON.
    """
    headers = {"Retry-After": str(RETRY_S), "Cache-Control": "no-store", "Connection": "close"}
    if "text/html" not in request.headers.get("accept", ""):
        answer: Response = failure(503, "busy", _MESSAGE)
        answer.headers.update(headers)
        return answer
    query = request.query_params
    if request.url.path == "/take" and (study := query.get("study")):
        further = urlencode([each for each in query.multi_items() if each[0] != "study"])
        return RedirectResponse(light_door(study, further), 307, {"Cache-Control": "no-store"})
    return Response(full_document(), 503, media_type="text/html", headers=headers)


async def refuse_websocket(
    scope: Scope, receive: Receive, send: Send, status: int, sentence: str
) -> None:
    """Refuse a handshake before it is one, with a status and a sentence."""
    await receive()  # the wish to connect
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1013 if status == 503 else 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    if status == 503:
        headers.append((b"retry-after", b"%d" % RETRY_S))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": sentence.encode()})


def _share(scope: Scope) -> float:
    """Of all pages those that this one may fill; 0 for what is no page of Streamlit's."""
    if scope["method"] not in ("GET", "HEAD"):
        return 0.0
    if scope["path"] in PARTICIPANTS_PAGES:
        return 1.0
    return VISITORS_SHARE if scope["path"] in VISITORS_PAGES else 0.0
