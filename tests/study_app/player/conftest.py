"""One test server for the folder; a fresh study and a fresh page for each test."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_server import Server, Study
from player_page import Player
from playwright.sync_api import BrowserContext


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("player"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def study(server: Server, request: pytest.FixtureRequest) -> Study:
    """A study without practice and with two presentations, named like the test."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name).lower()
    own = hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    made = Study(server, f"{name[:31]}-{own}")  # no study's name is longer than 40
    made.set(practice=0, main=2)
    return made


@pytest.fixture
def open_player(
    server: Server, study: Study, new_context: Callable[..., BrowserContext]
) -> Callable[..., Player]:
    """Opens the study; ``path="/"`` through Streamlit, ``path="/p"`` in the light page, otherwise
    in the bare page.

    ``admitted=True`` opens it for somebody who has consented already, at the first question.
    """

    def make(
        context: BrowserContext | None = None,
        *,
        path: str = "/bare",
        name: str | None = None,
        query: str = "",
        fragment: str = "",
        admitted: bool = False,
        **options: Any,
    ) -> Player:
        if admitted:
            token = secrets.token_hex(16)
            person = {"nonce": token, "state": "admitted", "answers": {}}
            study.set(participants={token: person})
            fragment = f"#p={token}"
        page = (context or new_context(**options)).new_page()
        named = name or study.name
        address = f"/p/{named}?{query}" if path == "/p" else f"{path}?study={named}{query}"
        page.goto(f"{server.url}{address}{fragment}")
        return Player(page)

    return make
