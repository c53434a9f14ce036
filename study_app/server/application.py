"""One ASGI process: the Streamlit pages with the HTTP routes beside them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.errors import PlausiblyError
from study_app.api import Context, create_api
from study_app.installation import app_state
from study_app.server.security import SecurityMiddleware
from study_app.server.upkeep import keep_up

PLAIN = ("/api/", "/s/", "/g/")
"""Prefixes of the plain routes."""


def create_app() -> ASGIApp:
    """Return the application over this process's state."""
    state = app_state()
    security = [Middleware(SecurityMiddleware)]
    plain = create_api(Context(state), security)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
        upkeep = asyncio.create_task(keep_up(state.database))
        yield {}
        upkeep.cancel()
        state.database.close()  # finishes the writes it took in

    pages = st.App(Path(__file__).parent / "pages.py", middleware=security, lifespan=lifespan)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Past Streamlit's sessions and compression, which cost more than taking an answer does.
        beside = scope["type"] == "http" and scope["path"].startswith(PLAIN)
        await (plain if beside else pages)(scope, receive, send)

    return app


def require_port(host: str, port: int) -> None:
    """Check that the server could listen there.

    Raises:
        PlausiblyError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PlausiblyError(
                f"cannot listen on {host}:{port} ({error.strerror}); "
                "stop what runs there or choose another with --port"
            ) from None


def serve(host: str, port: int) -> None:
    """Serve until interrupted."""
    config = uvicorn.Config(
        create_app(),
        host=host,
        port=port,
        # No access log: it would hold addresses and times of participants.
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    uvicorn.Server(config).run()
