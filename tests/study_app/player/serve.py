"""Serves the participant's page beside the fake study: ``python serve.py PORT STATE_FILE``."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from pathlib import Path

import bare_page
import streamlit as st
import uvicorn
from fake_study import FakeServer
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from study_app.api import player_file


def content_security_policy() -> str:
    """The policy of the real server: Streamlit's one inline script is allowed by its hash."""
    index = (Path(st.__file__).parent / "static" / "index.html").read_text()
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", index, re.DOTALL)
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
        for code in inline
    )
    return (
        f"default-src 'self'; script-src 'self' blob: {hashes}; style-src 'self' 'unsafe-inline'; "
        "font-src 'self' data:; img-src 'self' data: blob:; connect-src 'self' ws: wss:; "
        "frame-ancestors 'none'"
    )


class SecurityHeader:
    """Adds the policy to every answer that has none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._policy = content_security_policy()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("content-security-policy", self._policy)
            await send(message)

        await self._app(scope, receive, with_policy)


if __name__ == "__main__":
    port, state = int(sys.argv[1]), Path(sys.argv[2])
    app = st.App(
        Path(__file__).parent / "page.py",
        routes=[
            *FakeServer(state).routes(),
            *bare_page.routes(),
            Route("/player/{sha256}.js", player_file.script),
        ],
        middleware=[Middleware(SecurityHeader)],
    )
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
