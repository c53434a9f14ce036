"""A server of the simulation's own: the real routes on a free port of this machine only.

It takes consents to simulated versions and to no others, and has no bound on how fast one address
may go on. It may run beside any other server of the same installation.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.middleware import Middleware

from engine.errors import PlausiblyError
from study_app.api import Context, create_api
from study_app.api.limits import RateLimit
from study_app.installation import AppState
from study_app.server.security import SecurityMiddleware

_STARTS_WITHIN_S = 30.0


@contextmanager
def own_server(state: AppState, seed_of: Callable[[str], int]) -> Iterator[int]:
    """Serve as long as the block runs; yield the port.

    Args:
        state: the installation's.
        seed_of: the seed of whoever consents with a nonce.

    Raises:
        PlausiblyError: it does not start.
    """
    unbounded = RateLimit(rate=math.inf), RateLimit(rate=math.inf)
    held = Context(
        state, requests=unbounded[0], consents=unbounded[1], simulated=True, seed_of=seed_of
    )
    app = create_api(held, [Middleware(SecurityMiddleware)])
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=600,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        thread = threading.Thread(
            target=server.run, args=([listening],), name="simulation-server", daemon=True
        )
        thread.start()
        try:
            _wait_for(server, thread)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    asleep = threading.Event()
    for _ in range(int(_STARTS_WITHIN_S / 0.01)):
        if server.started:
            return
        if not thread.is_alive():
            break
        asleep.wait(0.01)
    raise PlausiblyError("the simulation's own server did not start")
