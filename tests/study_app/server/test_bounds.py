"""The server's bounds, each by itself: room, crowding, origins, the log, the listening socket."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from crowd import run

from engine.errors import PlausiblyError
from study_app.server import file_limit, listening
from study_app.server.crowding import COMING_S, Crowding
from study_app.server.file_limit import FEW_PAGES, FILES_OF_A_PAGE, RESERVED, room_of
from study_app.server.log_bounds import EVERY_S, OncePerMinute
from study_app.server.origins import MOST_SAID, Origins
from study_app.server.security import security_headers


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("files", [256, 1024, 4096, 20_000, 2**20])
def test_what_a_limit_carries_fits_into_it(files: int) -> None:
    room = room_of(files)
    assert room.pages > 0
    assert room.connections > room.pages
    assert room.pages * FILES_OF_A_PAGE + room.connections + RESERVED <= files
    assert (room.warning() is None) == (room.pages >= FEW_PAGES)
    assert room.warning() is None or f"Room for {room.pages} open pages" in str(room.warning())


def test_too_few_files_are_refused_with_a_sentence() -> None:
    with pytest.raises(PlausiblyError, match=r"only 128 files, and the server needs 224"):
        room_of(128)


def test_the_limit_goes_as_far_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1024, 20_000)]
    monkeypatch.setattr(file_limit.resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(file_limit.resource, "setrlimit", lambda _, given: limits.append(given))
    assert file_limit.raised_limit() == 20_000
    assert limits[-1] == (20_000, 20_000)


def test_a_limit_that_may_not_be_raised_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(file_limit.resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(file_limit.resource, "setrlimit", forbidden)
    assert file_limit.raised_limit() == 1024
    infinite = resource.RLIM_INFINITY
    monkeypatch.setattr(file_limit.resource, "getrlimit", lambda _: (infinite, infinite))
    assert file_limit.raised_limit() == 2**20


# ---------------------------------------------------------------------------------- crowding


async def asked(
    app: Any, path: str, accept: str = "text/html", method: str = "GET", query: str = ""
) -> tuple[int, dict[str, str], bytes]:
    headers = [(b"accept", accept.encode()), (b"host", b"localhost")]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": headers,
        "query_string": query.encode(),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, sent[1]["body"]


class Inside:
    """What the guards let through to: remembers the scopes; WebSockets stay until told."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.over = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            await self.over.wait()
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})


async def shaken(
    app: Any,
    origin: str | None = "http://localhost:8501",
    host: str = "localhost:8501",
    client: str = "127.0.0.1",
    *,
    extensions: Any = {"websocket.http.response": {}},  # noqa: B006 – never changed
    further: tuple[tuple[bytes, bytes], ...] = (),
) -> list[dict[str, Any]]:
    """Send a handshake; return what was sent back before the WebSocket ended."""
    headers = [(b"host", host.encode("latin-1")), *further]
    if origin is not None:
        headers.append((b"origin", origin.encode("latin-1")))
    scope = {
        "type": "websocket",
        "path": "/_stcore/stream",
        "headers": headers,
        "client": (client, 1),
        "extensions": extensions,
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def test_beyond_its_pages_a_server_says_so_and_goes_on_taking_answers() -> None:
    async def visit() -> None:
        inside, clock, log = Inside(), Clock(), list[str]()
        guard = Crowding(inside, 4, log.append, clock)
        pages = [asyncio.create_task(shaken(guard)) for _ in range(3)]
        await asyncio.sleep(0)
        assert (await asked(guard, "/gallery"))[0] == 200
        # That page's WebSocket is awaited: what remains is for participants, who have none left.
        for path in ("/", "/gallery", "/map", "/take", "/researcher"):
            status, headers, body = await asked(guard, path)
            assert status == 503
            assert (headers["retry-after"], headers["cache-control"]) == ("60", "no-store")
            assert headers["content-type"].startswith("text/html")
            for sentence in ("again in a minute", "in einer\nMinute noch einmal", "もう一度"):
                assert sentence in body.decode()
            assert {name.lower() for name in security_headers()} <= set(headers)
        status, headers, _ = await asked(guard, "/take", query="lang=de&study=demo&PROLIFIC_PID=a")
        assert (status, headers["location"]) == (307, "/p/demo?lang=de&PROLIFIC_PID=a")
        status, headers, body = await asked(guard, "/take", "application/json")
        assert (status, headers["retry-after"]) == (503, "60")
        assert b'"error":"busy"' in body
        for path in ("/api/response", "/s/x.png", "/static/js/x.js", "/g/a/b/c/1.png", "/p/demo"):
            assert (await asked(guard, path))[0] == 200
        clock.now += COMING_S + 1  # it did not come
        assert (await asked(guard, "/gallery"))[0] == 200
        pages.append(asyncio.create_task(shaken(guard)))
        await asyncio.sleep(0)
        refused = await shaken(guard)
        assert refused[0]["status"] == 503
        assert (b"retry-after", b"60") in refused[0]["headers"]
        assert await shaken(guard, extensions={}) == [{"type": "websocket.close", "code": 1013}]
        inside.over.set()
        await asyncio.gather(*pages)
        clock.now += COMING_S + 1
        assert guard.pages == 0
        assert (await asked(guard, "/gallery"))[0] == 200
        assert len(set(log)) == 1
        assert "this process carries 4 at once" in log[0]

    run(visit())


def test_visitors_leave_pages_to_participants() -> None:
    async def visit() -> None:
        inside = Inside()
        guard = Crowding(inside, 10, list[str]().append, Clock())
        pages = [asyncio.create_task(shaken(guard)) for _ in range(8)]
        await asyncio.sleep(0)
        assert [(await asked(guard, path))[0] for path in ("/gallery", "/take")] == [503, 200]
        inside.over.set()
        await asyncio.gather(*pages)

    run(visit())


# ----------------------------------------------------------------------------------- origins

OWN = "https://studies.example.org"


@pytest.mark.parametrize(
    ("origin", "host", "client", "let_in"),
    [
        ("http://localhost:8501", "localhost:8501", "127.0.0.1", True),
        ("http://192.168.1.7:8501", "192.168.1.7:8501", "192.168.1.9", True),
        ("https://study.example.org", "study.example.org", "203.0.113.9", True),
        ("https://study.example.org", "study.example.org:443", "203.0.113.9", True),
        ("http://STUDY.example.org", "study.EXAMPLE.org:80", "203.0.113.9", True),
        ("http://[::1]:8501", "[::1]:8501", "::1", True),
        (OWN, "127.0.0.1:8501", "203.0.113.9", True),
        (None, "localhost:8501", "127.0.0.1", True),
        (None, "localhost:8501", "::1", True),
        (None, "study.example.org", "203.0.113.9", False),
        (None, "study.example.org", "", False),
        ("http://evil.example", "study.example.org", "203.0.113.9", False),
        ("http://localhost:3000", "study.example.org", "203.0.113.9", False),
        ("http://0.0.0.0", "study.example.org", "203.0.113.9", False),
        ("https://study.example.org:444", "study.example.org", "203.0.113.9", False),
        ("http://study.example.org", "study.example.org:8501", "203.0.113.9", False),
        ("https://study.example.org.evil.example", "study.example.org", "203.0.113.9", False),
        ("https://study.example.org@evil.example", "study.example.org", "203.0.113.9", False),
        ("http://studies.example.org", "127.0.0.1:8501", "203.0.113.9", False),
        ("null", "null", "127.0.0.1", False),
        ("file://", "", "127.0.0.1", False),
        ("", "", "127.0.0.1", False),
        ("http://[::1", "[::1", "127.0.0.1", False),
        ("http://a:99999", "a:99999", "127.0.0.1", False),
    ],
)
def test_a_websocket_is_opened_by_pages_of_this_server_only(
    origin: str | None, host: str, client: str, let_in: bool
) -> None:
    async def visit() -> None:
        inside, log = Inside(), list[str]()
        inside.over.set()
        guard = Origins(inside, OWN, log.append)
        sent = await shaken(guard, origin, host, client)
        if not let_in:
            assert inside.scopes == []
            assert sent[0]["status"] == 403
            assert len(log) == 1
            return
        assert (sent, log) == ([], [])
        # Streamlit compares the two as they are written, and asks the internet when they differ.
        (headers,) = (dict(scope["headers"]) for scope in inside.scopes)
        if origin is not None:
            assert headers[b"origin"].partition(b"://")[2] == headers[b"host"]

    run(visit())


def test_two_origins_or_hosts_are_none() -> None:
    async def visit() -> None:
        inside = Inside()
        guard = Origins(inside, None, list[str]().append)
        for name, value in ((b"origin", b"http://localhost:8501"), (b"host", b"localhost:8501")):
            await shaken(guard, further=((name, value),))
        assert inside.scopes == []

    run(visit())


def test_a_refusal_says_once_what_the_proxy_lacks() -> None:
    async def visit() -> None:
        log: list[str] = []
        guard = Origins(Inside(), None, log.append)
        for _ in range(3):
            await shaken(guard, OWN, "127.0.0.1:8501")
        assert len(log) == 1
        for words in (OWN, "127.0.0.1:8501", "proxy_set_header Host $http_host;", "header_up Host"):
            assert words in log[0]
        for number in range(2 * MOST_SAID):
            await shaken(guard, f"http://{number}.example\n{'x' * 500}")
        assert len(log) == MOST_SAID
        assert all("\n" not in line and len(line) < 700 for line in log)

    run(visit())


# ----------------------------------------------------------------------------------- the log


@pytest.fixture
def logged() -> Iterator[tuple[logging.Logger, list[str], Clock]]:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, clock, handler = logging.getLogger("tests.log_bounds"), Clock(), Lines()
    bound = OncePerMinute(clock)
    logger.addHandler(handler)
    logger.addFilter(bound)
    yield logger, lines, clock
    logger.removeHandler(handler)
    logger.removeFilter(bound)


def test_a_kind_of_line_is_said_once_a_minute_with_how_many_there_were(
    logged: tuple[logging.Logger, list[str], Clock],
) -> None:
    logger, lines, clock = logged
    for number in range(500):
        logger.warning("accept failed for %s", number)
    logger.warning("something else: %s", 1)
    clock.now += EVERY_S
    logger.warning("accept failed for %s", "a")
    assert lines == [
        "accept failed for 0",
        "something else: 1",
        "accept failed for a (and 499 more like it since the last time)",
    ]


def test_errors_of_different_places_are_different(
    logged: tuple[logging.Logger, list[str], Clock],
) -> None:
    logger, lines, _ = logged
    for _ in range(3):
        for text in ("1", ""):
            try:
                _ = 1 // len(text[1:]) if text else [][0]
            except (ZeroDivisionError, IndexError):
                logger.exception("failed")
        for name in ("a", "b"):
            logger.error("%s", f"the database {name}")
    assert lines == ["failed", "failed", "the database a", "the database b"]


# ----------------------------------------------------------------------------- the listener


def test_taking_a_connection_never_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """In a process of its own, whose files run out."""
    if pid := os.fork():
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, capfd.readouterr().err
        return
    code = 1
    try:
        _run_out_of_files()
        code = 0
    except BaseException as error:
        print(repr(error), file=sys.stderr)
    os._exit(code)


def _run_out_of_files() -> None:
    os.closerange(3, 2**16)  # what the tests before have left open, at any number
    (listener,) = listening.listeners("127.0.0.1", 0, files := os.open(os.devnull, 0) + 60)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    listener.listen(1)
    address = listener.getsockname()

    def come(header: bytes = b"") -> socket.socket:
        person = socket.create_connection(address, 5)
        person.sendall(b"GET / HTTP/1.1\r\n" + header + b"\r\n")
        return person

    with ExitStack() as stack:
        served, refused = 0, 0
        while refused < 3:
            person = stack.enter_context(come())
            try:
                stack.enter_context(listener.accept()[0])
                served += 1
            except BlockingIOError:
                assert person.recv(5000) == listening.BUSY
                refused += 1
        assert 5 < served < 30
        with come(b"Accept: text/html\r\n") as person:
            with suppress(BlockingIOError):
                listener.accept()
            assert person.recv(5000) == listening.BUSY_TEXT
        person = stack.enter_context(come())
        with suppress(OSError):  # now the last file goes as well
            while True:
                stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        try:
            listener.accept()
        except BlockingIOError:
            assert person.recv(5000) == listening.BUSY
        else:
            raise AssertionError("a connection was taken without a file for it")


def test_a_port_in_use_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PlausiblyError, match="choose another with --port"):
            listening.listeners("127.0.0.1", other.getsockname()[1], 1024)
