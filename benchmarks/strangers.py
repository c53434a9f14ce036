"""What strangers can take of a server, and what that costs those who take part meanwhile.

    .venv/bin/python benchmarks/strangers.py

A real server (`plausibly serve`) with the shell's limit of open files, over the study of `load.py`,
and raw connections on the same machine: people whose player has ended the page's WebSocket, light
pages that stay open, pages of the gallery, and wrong passwords, all at once from one address. After
each, 20 people answer for a while, and their waits are printed; during the passwords three do.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from crowd import Home, Person, Tally, make_home  # noqa: E402
from live_server import LiveServer  # noqa: E402
from load import forty_trials, quantiles, served  # noqa: E402

from study_app.simulation.wire import Wire, request_bytes  # noqa: E402

PAGES, SOCKETS, PASSWORDS = 2000, 1000, 300
AT_ONCE = 100

Open = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Visit = Callable[[int], Coroutine[Any, Any, Open]]


def files(server: LiveServer) -> int:
    """Open files of the server's process."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def memory_mb(server: LiveServer) -> int:
    """Resident memory of the server's process."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


async def opened(port: int, head: str) -> tuple[int, Open]:
    """Send a request; return the status of the answer and the connection, which stays open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{head}\r\nHost: localhost:{port}\r\n\r\n".encode())
    said = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    if length := said.partition("content-length:")[2].partition("\r\n")[0]:
        await reader.readexactly(int(length))
    return int(said[9:12]), (reader, writer)


def handshake(port: int) -> str:
    """What a browser sends to open Streamlit's WebSocket, but its Host."""
    return (
        f"GET /_stcore/stream HTTP/1.1\r\nOrigin: http://localhost:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: streamlit"
    )


async def answering(server: LiveServer, home: Home, count: int, think_s: float) -> list[Person]:
    """Let so many people be admitted."""
    tally = Tally()
    people = [
        Person(server.port, tally, random.Random(), home.consent, think_s=(think_s, 2 * think_s))
        for _ in range(count)
    ]
    for person in people:
        await person.enter()
    return people


async def answers(server: LiveServer, home: Home, seconds: float = 10) -> str:
    """Let 20 people answer for some seconds; return how long acknowledgements took."""
    people = await answering(server, home, 20, 0.3)
    tasks = [asyncio.create_task(person.take_part()) for person in people]
    await asyncio.sleep(seconds)
    await stop(people, tasks)
    return quantiles(people[0].tally.ack_seconds)


async def stop(people: list[Person], tasks: list[asyncio.Task[None]]) -> None:
    """Let people leave where they are."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for person in people:
        person.close()


async def player(port: int) -> Open:
    """Open Streamlit's page and its WebSocket, which the player ends; the connection stays."""
    _, page = await opened(port, "GET /take?study=load HTTP/1.1\r\nAccept: text/html")
    _, (_, socket) = await opened(port, handshake(port))
    socket.close()
    return page


async def light(port: int) -> Open:
    """Open the light page."""
    return (await opened(port, "GET /p/load HTTP/1.1"))[1]


async def gallery(port: int) -> Open:
    """Open a page's WebSocket, which stays."""
    return (await opened(port, handshake(port)))[1]


async def told(server: LiveServer, home: Home, what: str, visit: Visit, count: int) -> None:
    """Print what many visits of one kind take."""
    held: list[Open] = []
    most = 0
    for _ in range(count // AT_ONCE):
        held += await asyncio.gather(*(visit(server.port) for _ in range(AT_ONCE)))
        most = max(most, files(server))
    await asyncio.sleep(10)
    after, waits = files(server), await answers(server, home)
    staying = sum(not reader.at_eof() for reader, _ in held)
    print(f"| {count} {what} | {most} | {after} | {staying} | {waits} |", flush=True)
    for _, writer in held:
        writer.close()
    await asyncio.sleep(12)


async def passwords(server: LiveServer, home: Home) -> None:
    """Print what many wrong passwords at once do."""
    people = await answering(server, home, 3, 0.02)
    tasks = [asyncio.create_task(person.take_part()) for person in people]
    asked = request_bytes("POST", "/api/login", "", {"password": "wrong"})
    before, statuses = memory_mb(server), Counter[int]()

    async def wrong() -> None:
        wire = Wire(server.port)
        statuses[(await wire.send(asked)).status] += 1
        wire.close()

    await asyncio.gather(*(wrong() for _ in range(PASSWORDS)))
    await asyncio.sleep(1)
    await stop(people, tasks)
    print(
        f"\n{PASSWORDS} wrong passwords at once: {dict(statuses)}; memory {before} to "
        f"{memory_mb(server)} MB; answers meanwhile (ms) {quantiles(people[0].tally.ack_seconds)}"
    )


async def measure(server: LiveServer, home: Home) -> None:
    """Print everything."""
    print(f"{files(server)} files at the start; answers alone (ms) {await answers(server, home)}\n")
    print(
        "| open | most files | after 10 s | still open | answers: p50 | p95 | p99 | largest (ms) |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    await told(server, home, "pages whose player runs", player, PAGES)
    await told(server, home, "light pages", light, PAGES)
    await told(server, home, "pages of the gallery", gallery, SOCKETS)
    await passwords(server, home)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "home").mkdir()
        home = make_home(folder / "home", forty_trials())
        with served(home, folder / "server") as server:
            asyncio.run(measure(server, home))


if __name__ == "__main__":
    main()
