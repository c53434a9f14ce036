"""How long a client may take: to send a header, a body, to read an answer, to say nothing."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER = 64 * 1024
"""Bytes of a header. The parser itself would take any number."""


SILENT_S = 1.0
"""A connection without a header for so long gives way where there are too many."""


class Phase(Enum):
    """What a connection is waited for."""

    HEADER = "a whole header"
    BODY = "a whole body"
    WORK = "the server's own answer"
    UNREAD = "that the client reads the answer"
    IDLE = "the next request"
    LEAVING = "that the client notices the end"


@dataclass(frozen=True)
class Patience:
    """How long each phase may last, in seconds.

    Attributes:
        header: from the connection, or from the first byte of a further request, to the header's
            end.
        body: from the header's end to the body's.
        unread: without any of the answer being read.
        idle: between two requests.
        short_idle: the same, once more than `kept` connections are idle.
        leaving: from the server's closing to the client's.
        kept: idle connections that may stay for longer: people who think come back to theirs, and
            pages that are only open hold few files.
    """

    header: float = 10.0
    body: float = 30.0
    unread: float = 60.0
    idle: float = 60.0
    short_idle: float = 5.0
    leaving: float = 10.0
    kept: int = 128

    def of(self, phase: Phase) -> float:
        """Return how long `phase` may last; the server's own work has no end."""
        limits = {
            Phase.HEADER: self.header,
            Phase.BODY: self.body,
            Phase.UNREAD: self.unread,
            Phase.IDLE: self.idle,
            Phase.LEAVING: self.leaving,
        }
        return limits.get(phase, float("inf"))


class Clocks:
    """The open HTTP connections, by phase and by when each will have lasted too long.

    A phase lasts equally long for all, so that the first of each is always the first to go: one
    look a second costs nothing, where a timer for each request would cost as much as answering it.

    Args:
        patience: the limits.
        most: connections beyond which the one that is idle for longest makes room for a new one.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        patience: Patience = Patience(),
        most: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience, self.most, self._clock = patience, most, clock
        self._since: dict[Phase, OrderedDict[TimedProtocol, float]] = {
            phase: OrderedDict() for phase in Phase
        }
        self._phase: dict[TimedProtocol, Phase] = {}

    def __len__(self) -> int:
        """Return how many connections are open, WebSockets aside."""
        return len(self._phase)

    def phase(self, connection: TimedProtocol) -> Phase | None:
        """Return the phase of a connection, None for one that is not looked after any more."""
        return self._phase.get(connection)

    def enter(self, connection: TimedProtocol, phase: Phase) -> None:
        """Begin a phase of a connection, or the same anew."""
        before = self._phase.get(connection)
        if before is not None:
            self._since[before].pop(connection, None)
        elif self._staying() >= self.most:
            self._make_room()
        self._phase[connection] = phase
        self._since[phase][connection] = self._clock()

    def leave(self, connection: TimedProtocol) -> None:
        """Forget a connection: it is closed, or a WebSocket now."""
        phase = self._phase.pop(connection, None)
        if phase is not None:
            self._since[phase].pop(connection, None)

    def look(self) -> None:
        """Close every connection whose time is over."""
        for phase in Phase:
            limit = self._patience.of(phase)
            while (first := self._oldest(phase)) is not None and first[1] >= limit:
                first[0].time_over(phase)
        while self._staying() > self.most and self._make_room():
            pass
        idle = self._since[Phase.IDLE]
        while len(idle) > self._patience.kept:
            oldest = self._oldest(Phase.IDLE)
            if oldest is None or oldest[1] < self._patience.short_idle:
                break
            oldest[0].time_over(Phase.IDLE)

    async def watch(self, every_s: float = 1.0) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(every_s)

    def _staying(self) -> int:
        return len(self._phase) - len(self._since[Phase.LEAVING])

    def _make_room(self) -> bool:
        """Close the connection that is idle for longest, else one that sends nothing; if any."""
        for phase, age in ((Phase.IDLE, 0.0), (Phase.HEADER, SILENT_S)):
            oldest = self._oldest(phase)
            if oldest is not None and oldest[1] >= age:
                oldest[0].time_over(phase)
                return True
        return False

    def _oldest(self, phase: Phase) -> tuple[TimedProtocol, float] | None:
        """The connection that has been in a phase for longest, and for how long."""
        for connection, since in self._since[phase].items():
            return connection, self._clock() - since
        return None


class TimedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which alone waits for ever for whoever has sent half a request."""

    def __init__(self, *args: Any, clocks: Clocks, **kwargs: Any) -> None:
        """Take what uvicorn gives.

        Args:
            args: uvicorn's.
            clocks: of all connections.
            kwargs: uvicorn's.
        """
        super().__init__(*args, **kwargs)
        self._clocks = clocks
        self._header_bytes = 0
        self._buffered = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a header."""
        super().connection_made(transport)
        self._clocks.enter(self, Phase.HEADER)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._clocks.leave(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Stop the clock: a WebSocket has pings."""
        self._clocks.leave(self)
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Refuse a header that does not end."""
        if self._clocks.phase(self) is Phase.LEAVING:
            return
        super().data_received(data)
        if self._clocks.phase(self) is not Phase.HEADER:
            self._header_bytes = 0
            return
        self._header_bytes += len(data)
        if self._header_bytes > MAX_HEADER:
            self._end(b"431 Request Header Fields Too Large" if self._answered_all else b"")

    def on_message_begin(self) -> None:
        """Begin to wait for a header."""
        super().on_message_begin()
        if self._clocks.phase(self) is not Phase.HEADER:
            self._clocks.enter(self, Phase.HEADER)

    def on_headers_complete(self) -> None:
        """Begin to wait for a body."""
        super().on_headers_complete()
        self._clocks.enter(self, Phase.BODY)

    def on_message_complete(self) -> None:
        """Wait for the answer, or for the next request if that was given already."""
        super().on_message_complete()
        self._rest()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless the rest of this one is still to come."""
        super().on_response_complete()
        self._rest_unless_receiving()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._rest_unless_receiving()

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        super().resume_writing()
        self._rest_unless_receiving()

    def time_over(self, phase: Phase) -> None:
        """End a phase that has lasted too long."""
        if phase is Phase.UNREAD:
            left = self.transport.get_write_buffer_size()
            if left < self._buffered:  # slow, but reading
                self._buffered = left
                self._clocks.enter(self, Phase.UNREAD)
                return
        if phase in (Phase.UNREAD, Phase.LEAVING):
            self.transport.abort()
            self._clocks.leave(self)
            return
        if phase is Phase.BODY:
            sayable = not self.cycle.response_started
        else:
            sayable = self._header_bytes > 0 and self._answered_all
        self._end(b"408 Request Timeout" if sayable else b"")

    @property
    def _answered_all(self) -> bool:
        return self.cycle is None or (self.cycle.response_complete and not self.pipeline)

    def _rest(self) -> None:
        if self.flow.write_paused:
            self._buffered = self.transport.get_write_buffer_size()
            self._clocks.enter(self, Phase.UNREAD)
        else:
            answered = self.cycle is not None and self._answered_all
            self._clocks.enter(self, Phase.IDLE if answered else Phase.WORK)

    def _rest_unless_receiving(self) -> None:
        if self._clocks.phase(self) in (Phase.WORK, Phase.UNREAD, Phase.IDLE):
            self._rest()

    def _end(self, status: bytes) -> None:
        """Close, after a status line if one is given."""
        if status:
            self.transport.write(
                b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status
            )
        self._clocks.enter(self, Phase.LEAVING)
        self.transport.close()
