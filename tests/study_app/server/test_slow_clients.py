"""Who sends or reads too slowly is hung up on: by the test's clock, on real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from crowd import run
from uvicorn.server import ServerState

from study_app.server.slow_clients import MAX_HEADER, Clocks, Patience, Phase, TimedProtocol

PATIENCE = Patience(kept=2)
HEADER = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
BIG = 32 * 2**20  # more than the system keeps on the way


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Wires:
    """A server on this machine, its clocks, and connections to it."""

    def __init__(self, most: int) -> None:
        self.clock = Clock()
        self.clocks = Clocks(PATIENCE, most, self.clock)
        self.go_on = asyncio.Event()
        self.port = self.came = 0
        self.gone: list[str] = []

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Read a body, and answer with what the address asks for."""
        if scope["path"] != "/early":
            while (message := await receive()).get("more_body"):
                pass
            if message["type"] == "http.disconnect":
                self.gone.append(scope["path"])
                return
        if scope["path"] == "/work":
            await self.go_on.wait()
        body = b"x" * (BIG if scope["path"] == "/big" else 2)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def come(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        before = self.came
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**16)
        await until(lambda: self.came > before)
        writer.write(sent)
        return reader, writer

    def phases(self) -> list[Phase]:
        return sorted(self.clocks._phase.values(), key=list(Phase).index)

    async def are(self, *phases: Phase) -> None:
        await until(lambda: self.phases() == list(phases))

    def later(self, seconds: float) -> None:
        self.clock.now += seconds
        self.clocks.look()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def wires(most: int = 100) -> AsyncIterator[Wires]:
    made = Wires(most)
    config = uvicorn.Config(made.app, interface="asgi3", log_config=None, timeout_keep_alive=3600)
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()

    def protocol() -> TimedProtocol:
        made.came += 1
        return TimedProtocol(config=config, server_state=state, app_state={}, clocks=made.clocks)

    server = await loop.create_server(protocol, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


@pytest.mark.parametrize(
    ("sent", "phase", "limit", "told"),
    [
        (b"", Phase.HEADER, PATIENCE.header, b""),
        (b"GET /x HTTP/1.1\r\nHost: x\r\nX-", Phase.HEADER, PATIENCE.header, b"HTTP/1.1 408"),
        (HEADER + b"{", Phase.BODY, PATIENCE.body, b"HTTP/1.1 408"),
        (HEADER.replace(b"/x", b"/early"), Phase.BODY, PATIENCE.body, b"HTTP/1.1 200"),
        (GET, Phase.IDLE, PATIENCE.idle, b"HTTP/1.1 200"),
        (HEADER + b"{..}", Phase.IDLE, PATIENCE.idle, b"HTTP/1.1 200"),
        (GET + b"\r\n\r\n", Phase.IDLE, PATIENCE.idle, b"HTTP/1.1 200"),
        (GET + GET[:-2], Phase.HEADER, PATIENCE.header, b"HTTP/1.1 200"),
    ],
)
def test_each_phase_has_its_time(sent: bytes, phase: Phase, limit: float, told: bytes) -> None:
    async def visit() -> None:
        async with wires() as server:
            reader, writer = await server.come(sent)
            await server.are(phase)
            if sent and phase is Phase.HEADER:
                await until(lambda: all(each._header_bytes for each in server.clocks._phase))
            server.later(limit - 0.1)
            assert server.phases() == [phase]
            server.later(0.2)
            await server.are()
            assert (await reader.read()).startswith(told)
            writer.close()
            if sent == HEADER + b"{":
                await until(lambda: server.gone == ["/x"])

    run(visit())


def test_a_byte_now_and_then_gains_nothing() -> None:
    async def visit() -> None:
        async with wires() as server:
            reader, writer = await server.come(GET[:-2])
            await server.are(Phase.HEADER)
            (connection,) = server.clocks._phase
            sent = len(GET[:-2])

            def has_all() -> bool:
                return connection._header_bytes == sent

            for _ in range(3):
                await until(has_all)
                server.later(3)
                writer.write(b"X: y\r\n")
                sent += 6
            await until(has_all)
            server.later(1.1)
            await server.are()
            assert (await reader.read()).startswith(b"HTTP/1.1 408")
            writer.close()

    run(visit())


def test_a_header_without_end_is_refused() -> None:
    async def visit() -> None:
        async with wires() as server:
            header = GET[:-2] + b"X: "
            reader, writer = await server.come(header + (MAX_HEADER + 200 - len(header)) * b"y")
            await until(lambda: not server.clocks)
            await server.are()
            assert (await reader.read(1000)).startswith(b"HTTP/1.1 431")
            writer.close()

    run(visit())


def test_the_servers_own_work_has_no_end() -> None:
    async def visit() -> None:
        async with wires() as server:
            reader, writer = await server.come(GET.replace(b"/x", b"/work"))
            await server.are(Phase.WORK)
            server.later(3600)
            server.go_on.set()
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await server.are(Phase.IDLE)
            writer.close()
            await server.are()

    run(visit())


def test_who_reads_slowly_may_and_who_does_not_read_is_hung_up_on() -> None:
    async def visit() -> None:
        async with wires() as server:
            reader, writer = await server.come(GET.replace(b"/x", b"/big"))
            await server.are(Phase.UNREAD)
            (connection,) = server.clocks._phase

            def has_read_more() -> bool:
                return connection.transport.get_write_buffer_size() < connection._buffered

            for _ in range(3):
                while not has_read_more():
                    await reader.read(2**16)
                server.later(PATIENCE.unread)
                await server.are(Phase.UNREAD)
            for _ in range(20):  # what is on its way arrives, and then nothing does
                server.later(PATIENCE.unread)
                await asyncio.sleep(0.005)
            await server.are()
            writer.close()

    run(visit())


def test_of_many_idle_connections_those_that_came_last_stay() -> None:
    async def visit() -> None:
        async with wires() as server:
            people = []
            for _ in range(5):
                people.append(await server.come(GET))
                await server.are(*[Phase.IDLE] * len(people))
                server.clock.now += 1
            server.later(0)
            await server.are(*[Phase.IDLE] * 4)  # five seconds old was the first alone
            server.later(PATIENCE.short_idle)
            await server.are(*[Phase.IDLE] * PATIENCE.kept)
            for reader, _ in people[:3]:
                await reader.read()
                assert reader.at_eof()
            people[-1][1].write(GET)
            await people[-1][0].readuntil(b"xx\r\n0\r\n\r\n")
            for _, writer in people:
                writer.close()
            await server.are()

    run(visit())


def test_where_there_are_too_many_the_idle_and_the_silent_make_room() -> None:
    async def visit() -> None:
        async with wires(most=4) as server:
            idle = await server.come(GET)
            await server.are(Phase.IDLE)
            silent = [await server.come() for _ in range(2)]
            answering = await server.come(HEADER + b"{")
            await server.are(Phase.HEADER, Phase.HEADER, Phase.BODY, Phase.IDLE)
            server.clock.now += 2
            new = await server.come(HEADER + b"{")
            await server.are(Phase.HEADER, Phase.HEADER, Phase.BODY, Phase.BODY)
            assert (await idle[0].read()).startswith(b"HTTP/1.1 200")
            newer = await server.come(HEADER + b"{")
            await server.are(Phase.HEADER, *[Phase.BODY] * 3)
            server.later(0)
            assert len(server.clocks) == 4
            assert await silent[0][0].read() == b""
            for reader, writer in (answering, new, newer):
                writer.write(b"..}")
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")

    run(visit())


def test_the_other_side_must_notice_the_end() -> None:
    """A client that neither reads nor closes keeps no file of the server's."""

    async def visit() -> None:
        async with wires() as server:
            _, writer = await server.come(GET.replace(b"/x", b"/big"))
            await server.are(Phase.UNREAD)
            (connection,) = server.clocks._phase
            connection._end(b"")
            await server.are(Phase.LEAVING)
            server.later(PATIENCE.leaving)
            await server.are()
            writer.close()

    run(visit())
