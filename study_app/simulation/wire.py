"""One connection to a server on this machine, over raw HTTP: nothing is sent again underneath."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

AGAIN_S = 0.1


class NoReplyError(ConnectionError):
    """The connection ended before the whole reply was there."""


@dataclass(frozen=True)
class Reply:
    """A whole reply.

    Attributes:
        status: of HTTP.
        body: what the JSON says, else bytes.
        seconds: from the request to here.
    """

    status: int
    body: Any
    seconds: float


class Wire:
    """One kept-alive connection to the server on this machine."""

    def __init__(self, port: int) -> None:
        """Connect with the first request.

        Args:
            port: of the server.
        """
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, token: str = "", body: Any = None) -> Reply:
        """Send one request, again after a moment if it was one too many for its token.

        Raises:
            NoReplyError: no whole reply came.
        """
        raw = request_bytes(method, path, token, body)
        while (reply := await self.send(raw)).status == 429:
            await asyncio.sleep(AGAIN_S)
        return reply

    async def send(self, raw: bytes) -> Reply:
        """Send these bytes and read one reply.

        Raises:
            NoReplyError: no whole reply came.
        """
        if self._streams is not None and self._streams[0].at_eof():
            self.close()  # idle for too long: the server has hung up
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            sent = time.perf_counter()
            writer.write(raw)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            content = await reader.readexactly(length)
        except (OSError, EOFError, ValueError) as error:
            self.close()
            raise NoReplyError from error
        seconds = time.perf_counter() - sent
        if "connection: close" in head:
            self.close()
        is_json = "content-type: application/json" in head
        return Reply(int(head[9:12]), json.loads(content) if is_json else content, seconds)

    def close(self) -> None:
        """Hang up; a later request connects again."""
        if self._streams is not None:
            with suppress(RuntimeError):  # the event loop of the connection may be over
                self._streams[1].close()
            self._streams = None


def request_bytes(method: str, path: str, token: str = "", body: Any = None) -> bytes:
    """Return one request as it goes over the wire."""
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n"
    if body is not None:
        head += "Content-Type: application/json\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    return f"{head}\r\n".encode() + data
