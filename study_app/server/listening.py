"""The listening socket: taking a connection never fails, whatever comes."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
from contextlib import suppress
from typing import Any

from engine.errors import PlausiblyError
from study_app.server.log_bounds import OncePerMinute

QUEUE = 2048
"""Connections that the system keeps waiting while the server is busy."""

AT_ONCE = 64
"""Connections taken before those that were taken are looked at."""

FREE = 32
"""Files that connections leave to everything else, the last ones."""

_log = logging.getLogger(__name__)
_log.addFilter(OncePerMinute())

_SENTENCE = "The server is busy just now. Please try again in a minute."


def _busy(kind: str, body: str) -> bytes:
    return (
        f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n"
        f"Retry-After: 60\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


BUSY = _busy("application/json", json.dumps({"error": "busy", "message": _SENTENCE}))
BUSY_TEXT = _busy("text/plain; charset=utf-8", _SENTENCE)


class Listener(socket.socket):
    """A listening socket for an event loop.

    The system gives a new file the lowest number that is free. So a connection with a high number
    says that there are as many files, of whatever kind: it is told so, and closed.
    """

    def __init__(self, family: int, files: int) -> None:
        """Listen to nothing yet.

        Args:
            family: AF_INET or AF_INET6.
            files: that the process may open.
        """
        # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named.
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._highest = files - FREE
        self._spare = _spare()

    def listen(self, backlog: int = QUEUE) -> None:
        """Listen with a long queue; asyncio would make it as short as it takes at once."""
        super().listen(QUEUE)

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection that can be served.

        Raises:
            BlockingIOError: there is none now.
        """
        for _ in range(AT_ONCE):
            try:
                connection, address = super().accept()
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE):
                    raise
                self._refuse_with_the_spare_file()
                continue
            if connection.fileno() < self._highest:
                return connection, address
            _refuse(connection)
        raise BlockingIOError(errno.EAGAIN, "no connection that can be served")

    def close(self) -> None:
        """Let go of the port."""
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1
        super().close()

    def _refuse_with_the_spare_file(self) -> None:
        if self._spare < 0:
            self._spare = _spare()
        if self._spare < 0:
            raise BlockingIOError(errno.EAGAIN, "no file is left")
        os.close(self._spare)
        self._spare = -1
        try:
            connection, _ = super().accept()
            _refuse(connection)
        finally:
            self._spare = _spare()


def listeners(host: str, port: int, files: int) -> list[socket.socket]:
    """Return sockets for every address that `host` stands for.

    Raises:
        PlausiblyError: the port is in use, or the address is not this machine's.
    """
    made: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            listener = Listener(family, files)
            made.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setblocking(False)
            listener.bind(address)
    except OSError as error:
        for each in made:
            each.close()
        raise PlausiblyError(
            f"cannot listen on {host}:{port} ({error.strerror}); "
            "stop what runs there or choose another with --port"
        ) from None
    return made


def _refuse(connection: socket.socket) -> None:
    """Answer with a sentence, without waiting for the request, and close."""
    with suppress(OSError), connection:
        connection.setblocking(False)
        asked = b""
        with suppress(BlockingIOError):
            asked = connection.recv(2**16)  # what is unread at the close would cut off the answer
        connection.send(BUSY_TEXT if b"text/html" in asked else BUSY)
        connection.shutdown(socket.SHUT_WR)
    _log.warning(
        "Connections were refused: the process has as many files open as it may. Raise the hard "
        "limit (LimitNOFILE= of systemd, --ulimit nofile= of Docker)."
    )


def _spare() -> int:
    with suppress(OSError):
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    return -1
