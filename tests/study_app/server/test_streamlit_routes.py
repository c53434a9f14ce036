"""Streamlit's own routes x (nobody, participant, researcher): which are open, and that none is new.

What its pages show to whom is tested in a real browser; here are the addresses.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
import streamlit as st
from crowd import Home, Person, make_home, run
from live_server import PASSWORD, ROOT, LiveServer

from study_app.server.file_limit import room_of
from study_app.server.pages import PAGES

OPEN, CLOSED = "open", "closed"
ROUTES = {
    "": CLOSED,  # its front page at every address; the pages that there are, are ours
    "/_stcore/health": OPEN,
    "/_stcore/host-config": OPEN,
    "/_stcore/stream": OPEN,  # the websocket of the pages; each page checks who is there
    "/media/{file_id:path}": OPEN,  # by unguessable id
    "/_stcore/bidi-components/{path:path}": OPEN,  # files of components; ours have none
    "/_stcore/metrics": CLOSED,
    "/_stcore/upload_file/{session_id}/{file_id}": CLOSED,
    "/_stcore/agent/interact": CLOSED,
    "/_stcore/agent/openapi.json": CLOSED,
    "/_stcore/agent/mcp": CLOSED,
    "/auth/login": CLOSED,
    "/auth/logout": CLOSED,
    "/oauth2callback": CLOSED,
    "/component/{path:path}": CLOSED,
}
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("lab"))


FILES = 512
"""That the server may open: few, so that it is soon full."""

ONLY_LOOPBACK = """
import ipaddress, os, sys

def heard(event, given):
    named = ("socket.getaddrinfo", "socket.gethostbyname")
    if event not in ("socket.connect", "socket.sendto", *named):
        return
    where = given if event in named else given[1]
    host = where[0] if isinstance(where, tuple) else where
    if isinstance(host, bytes):
        host = host.decode()
    try:
        inside = host in (None, "", "localhost") or not isinstance(where, tuple)
        inside = inside or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        with open(os.environ["CALLS"], "a") as calls:
            print(event, host, file=calls)
        raise OSError("only loopback can be reached")

sys.addaudithook(heard)
"""
"""Python runs it before anything else: whatever looks up or calls another machine is noted."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the calls to other machines are noted; beside it is what notes them."""
    folder = tmp_path_factory.mktemp("hook")
    (folder / "sitecustomize.py").write_text(ONLY_LOOPBACK)
    (folder / "calls").touch()
    return folder / "calls"


@pytest.fixture(scope="module")
def server(
    home: Home, calls: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    further = {"CALLS": str(calls), "PYTHONPATH": f"{calls.parent}{os.pathsep}{ROOT}"}
    made = LiveServer(home.folder, tmp_path_factory.mktemp("live"), (256, FILES), further)
    yield made
    made.stop()
    assert "Traceback" not in made.output, made.output


def shaken(server: LiveServer, host: str, origin: str) -> tuple[socket.socket, int]:
    """Ask for a WebSocket; return the connection and the status."""
    came = socket.create_connection(("127.0.0.1", server.port), 10)
    came.sendall(
        f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Protocol: streamlit\r\n\r\n".encode()
    )
    return came, int(came.recv(2000).split()[1])


def files(server: LiveServer) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def test_a_full_server_says_so_and_takes_answers(server: LiveServer, home: Home) -> None:
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    assert re.search(rf"Max open files\s+{FILES}\s+{FILES} ", limits)
    room = room_of(FILES)
    assert str(room.warning()) in server.output
    (person,) = home.people(server.port, seed=1, count=1)

    async def answers() -> None:
        await person.take_part()
        person.close()

    own = f"127.0.0.1:{server.port}"
    with ExitStack() as stack:
        statuses = []
        for _ in range(room.pages + 20):
            came, status = shaken(server, own, f"http://{own}")
            stack.enter_context(came)
            statuses.append(status)
        assert statuses == [101] * room.pages + [503] * 20
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
            for _ in range(FILES)
        ]
        assert files(server) < FILES
        run(answers())  # repeated as the player does, until the silent have made room
        assert person.code is not None
        for page in ("/take", "/gallery", "/"):
            answer = requests.get(server.url + page, headers={"Accept": "text/html"}, timeout=10)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert requests.get(f"{server.url}/api/health", timeout=10).json() == {"status": "ok"}
        del silent
    assert server.output.count("\n") < 15, server.output
    assert server.output.count("Pages were refused") == 1
    came, status = shaken(server, own, f"http://{own}")
    came.close()
    assert status == 101


def test_a_foreign_page_gets_no_websocket_and_nobody_is_asked_about_it(
    server: LiveServer, calls: Path
) -> None:
    own = f"127.0.0.1:{server.port}"
    for host, origin in (
        ("study.example.org", "http://evil.example"),
        ("study.example.org", "http://localhost:3000"),
        (own, "http://study.example.org"),
    ):
        came, status = shaken(server, host, origin)
        came.close()
        assert status == 403
    came, status = shaken(server, "study.example.org", "https://study.example.org")
    came.close()
    assert status == 101
    assert server.output.count("A WebSocket was refused") == 3
    assert calls.read_text() == ""


def test_whatever_calls_another_machine_is_noted(calls: Path, tmp_path: Path) -> None:
    """Else the test above could not fail."""
    noted = tmp_path / "calls"
    environment = os.environ | {"PYTHONPATH": str(calls.parent), "CALLS": str(noted)}
    for call in ("socket().connect(('192.0.2.1', 9))", "getaddrinfo('example.org', 80)"):
        command = [sys.executable, "-c", f"import socket; socket.{call}"]
        assert subprocess.run(command, env=environment, capture_output=True).returncode == 1
    assert noted.read_text() == "socket.connect 192.0.2.1\nsocket.getaddrinfo example.org\n"


Call = Callable[[str, str], requests.Response]


@pytest.fixture(scope="module")
def callers(home: Home, server: LiveServer) -> dict[str, Call]:
    """For each kind of caller what sends (method, path)."""

    async def somebody() -> Person:
        (person,) = home.people(server.port, seed=0, count=1)
        await person.enter()
        person.close()
        return person

    def caller(session: requests.Session) -> Call:
        return lambda method, path: session.request(method, server.url + path, timeout=10)

    nobody, participant, researcher = requests.Session(), requests.Session(), requests.Session()
    participant.headers["Authorization"] = f"Bearer {run(somebody()).token}"
    login = {"json": {"password": PASSWORD}, "timeout": 10}
    researcher.post(f"{server.url}/api/login", **login).raise_for_status()
    return {
        "nobody": caller(nobody),
        "participant": caller(participant),
        "researcher": caller(researcher),
    }


def test_the_table_is_complete() -> None:
    """A new version of Streamlit with a new route fails here, and somebody looks at it."""
    served = st.App("study_app/server/streamlit_script.py")._build_starlette_app().routes
    assert {route.path for route in served} == set(ROUTES)


@pytest.mark.parametrize("who", ["nobody", "participant", "researcher"])
@pytest.mark.parametrize("path", [path for path, door in ROUTES.items() if door == CLOSED])
def test_closed_doors_are_closed_for_everybody(
    callers: dict[str, Call], who: str, path: str
) -> None:
    address = path.replace("{path:path}", "x/index.html").replace("{session_id}/{file_id}", "a/b")
    address = address or "/index.html"
    for method in METHODS:
        answer = callers[who](method, address)
        assert answer.status_code == 404, (method, answer.text)
        assert "There is nothing at this address." in answer.text


@pytest.mark.parametrize("who", ["nobody", "participant", "researcher"])
def test_open_doors_say_the_same_to_everybody(callers: dict[str, Call], who: str) -> None:
    for address in ("/_stcore/health", "/_stcore/host-config", *(page.path for page in PAGES)):
        answer = callers[who]("GET", address)
        assert answer.status_code == 200
        assert answer.content == callers["nobody"]("GET", address).content
    for address in ("/media/x.png", "/_stcore/bidi-components/plausibly_player/x.js"):
        assert callers[who]("GET", address).status_code == 404


def test_closed_pages_hold_no_files_and_the_server_has_called_nobody(
    server: LiveServer, calls: Path
) -> None:
    """The last, since Streamlit keeps what it knows of a closed page for some seconds."""
    deadline = time.monotonic() + 60
    while files(server) > 60:
        assert time.monotonic() < deadline, files(server)
        time.sleep(0.2)
    assert calls.read_text() == ""
