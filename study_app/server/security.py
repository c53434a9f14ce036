"""Security headers on every answer, and Streamlit's own doors that stay shut."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSED = (
    "/_stcore/metrics",
    "/_stcore/agent",
    "/_stcore/upload_file",
    "/_stcore/script-health",
    "/auth/",
    "/oauth2callback",
    "/component/",
)
"""Streamlit's routes that nobody here needs: load figures, agents, uploads, logins, components."""


class SecurityMiddleware:
    """Adds the headers and closes the doors; a plain ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in security_headers().items():
                    headers.setdefault(name, value)
            await send(message)

        if any(scope["path"].startswith(door) for door in CLOSED):
            closed = JSONResponse(
                {"error": "not_found", "message": "There is nothing at this address."}, 404
            )
            await closed(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)


@cache
def security_headers() -> dict[str, str]:
    """Return the headers.

    Components v2 load their script from a blob, and Streamlit's page has one inline script, which
    is allowed by its hash; a new Streamlit version brings its own.
    """
    scripts = " ".join(["'self'", "blob:", *_inline_script_hashes()])
    policy = {
        "default-src": "'self'",
        "script-src": scripts,
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self' ws: wss:",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def _inline_script_hashes() -> list[str]:
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in inline]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
