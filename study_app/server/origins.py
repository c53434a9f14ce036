"""Who may open a WebSocket: pages of this server. Judged before Streamlit sees the handshake.

Streamlit would take a missing Origin from anybody and the addresses of development servers from
everywhere. For any other it asks a server on the internet for its own address, twice, while
everybody waits. What reaches it from here has the Origin's host as its Host: it takes that at once.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from study_app.server.crowding import refuse_websocket

MOST_SAID = 20
"""Different refusals that are logged; strangers could make up any number."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """Scheme, host and port of a page's address."""

    scheme: str
    host: str
    port: int


def origin_of(address: str) -> Origin | None:
    """Return the origin that `address` begins with; None if it is none."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname or parts.username is not None:
        return None
    return Origin(parts.scheme, parts.hostname.rstrip("."), default if port is None else port)


class Origins:
    """Lets WebSockets through whose Origin is this server's; a plain ASGI middleware.

    Args:
        app: what they are let through to.
        public: the address that people know the server by, if it was set (PLAUSIBLY_URL).
        log: told of each kind of refusal once.
    """

    def __init__(
        self, app: ASGIApp, public: str | None = None, log: Callable[[str], None] = _log.warning
    ) -> None:
        self._app, self._log = app, log
        self._public = origin_of(public) if public else None
        self._said: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        origins, hosts = _header(scope, b"origin"), _header(scope, b"host")
        if self._allowed(scope, origins, hosts):
            await self._app(_with_host_of_origin(scope, origins), receive, send)
            return
        self._say(", ".join(origins) or "none", ", ".join(hosts) or "none")
        await refuse_websocket(scope, receive, send, 403, "Not from a page of this server.")

    def _allowed(self, scope: Scope, origins: list[str], hosts: list[str]) -> bool:
        if not origins:
            return _is_loopback(scope)
        if len(origins) != 1 or len(hosts) != 1:
            return False
        page = origin_of(origins[0])
        if page is None:
            return False
        return page == self._public or page == origin_of(f"{page.scheme}://{hosts[0]}")

    def _say(self, origin: str, host: str) -> None:
        kind = (origin[:100], host[:100])
        if kind in self._said or len(self._said) >= MOST_SAID:
            return
        self._said.add(kind)
        self._log(
            f"A WebSocket was refused: its Origin is {kind[0]!r} and its Host {kind[1]!r}. If "
            "people come by that Origin, the proxy does not pass it on: nginx lacks "
            "'proxy_set_header Host $http_host;', Caddy 'header_up Host {host}'; or set "
            "PLAUSIBLY_URL to the address that people come by."
        )


def _with_host_of_origin(scope: Scope, origins: list[str]) -> Scope:
    if not origins:
        return scope
    kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
    host = urlsplit(origins[0]).netloc.encode("latin-1")
    return {**scope, "headers": [*kept, (b"host", host)]}


def _header(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _is_loopback(scope: Scope) -> bool:
    client = scope.get("client")
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
