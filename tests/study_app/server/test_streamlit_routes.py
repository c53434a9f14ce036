"""Streamlit's own routes x (nobody, participant, researcher): which are open, and that none is new.

What its pages show to whom is tested in a real browser; here are the addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests
import streamlit as st
from crowd import Home, Person, make_home, run
from live_server import PASSWORD, LiveServer

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


@pytest.fixture(scope="module")
def server(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = LiveServer(home.folder, tmp_path_factory.mktemp("live"))
    yield made
    made.stop()
    assert "Traceback" not in made.output, made.output


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
