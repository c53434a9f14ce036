"""One ASGI process: the Streamlit pages with the HTTP routes beside them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.errors import PlausiblyError
from study_app.api import Context, create_api
from study_app.api.limits import consent_limit
from study_app.installation import Settings, app_state
from study_app.player import player_script
from study_app.server.crowding import Crowding
from study_app.server.dead_sessions import forget_dead_sessions
from study_app.server.file_limit import Room
from study_app.server.listening import AT_ONCE, listeners
from study_app.server.log_bounds import bound_logs
from study_app.server.origins import Origins
from study_app.server.security import SecurityMiddleware
from study_app.server.slow_clients import Clocks, TimedProtocol
from study_app.server.streamlit_files import answered_by_streamlit
from study_app.server.upkeep import finish, keep_up
from study_app.server.web_routes import web_routes

MAX_MESSAGE = 2**20
"""Bytes of one message to Streamlit: the state of a page's widgets."""


def create_app(room: Room, clocks: Clocks, public: str | None = None) -> ASGIApp:
    """Return the application over this process's state.

    Args:
        room: how many pages it carries.
        clocks: of the HTTP connections.
        public: the address that people know the server by, if it was set.
    """
    state = app_state()
    security = [Middleware(SecurityMiddleware)]
    player_script()  # joined and compressed now, not when it is first asked for
    consents = consent_limit(*Settings().consent_bounds())
    plain = create_api(Context(state, consents=consents), security, web_routes())

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
        bound_logs()
        works = (keep_up(state.database), clocks.watch(), forget_dead_sessions())
        tasks = [asyncio.create_task(work) for work in works]
        yield {}
        for task in tasks:
            task.cancel()
        await asyncio.to_thread(finish, state.database)
        state.database.close()  # finishes the writes it took in

    pages = st.App(
        Path(__file__).parent / "streamlit_script.py", middleware=security, lifespan=lifespan
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Past Streamlit's sessions and compression, which cost more than taking an answer does;
        # and past its habit of answering any address with its front page.
        beside = scope["type"] == "http" and not answered_by_streamlit(scope["path"])
        await (plain if beside else pages)(scope, receive, send)

    return Origins(Crowding(app, room.pages), public)


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


def serve(host: str, port: int, room: Room, public: str | None = None) -> None:
    """Serve until interrupted.

    Args:
        host: to listen on.
        port: to listen on.
        room: how many pages and connections the process carries.
        public: the address that people know the server by, if it was set.
    """
    clocks = Clocks(most=room.connections)
    protocol = partial(TimedProtocol, clocks=clocks)
    config = uvicorn.Config(
        create_app(room, clocks, public),
        host=host,
        port=port,
        http=cast("type[asyncio.Protocol]", protocol),
        backlog=AT_ONCE,
        ws_max_size=MAX_MESSAGE,
        timeout_keep_alive=3600,  # the clocks end it
        # No access log: it would hold addresses and times of participants.
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=listeners(host, port, room.files))
