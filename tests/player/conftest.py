"""One test server and one browser for the folder; a fresh study and a fresh page for each test."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from player_harness import Player, Server, Study
from playwright.sync_api import Browser, BrowserContext, sync_playwright

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Browser]]:
    """Starts Debian's Chromium, with further arguments."""
    chromium = shutil.which("chromium")
    assert chromium, "install Debian's package chromium"
    with sync_playwright() as playwright:

        def start(*arguments: str) -> Browser:
            return playwright.chromium.launch(
                executable_path=chromium, args=[*CHROMIUM_ARGS, *arguments]
            )

        yield start


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("player"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    made = launch()
    yield made
    made.close()


@pytest.fixture
def study(server: Server, request: pytest.FixtureRequest) -> Study:
    """A study without practice and with two presentations, named like the test."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name).lower()
    made = Study(server, name)
    made.set(practice=0, main=2)
    return made


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser contexts: separate people or devices. No page may violate the policy."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": {"width": 800, "height": 800}} | options)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on(
            "console",
            lambda line: wrong.append(line.text) if "Security Policy" in line.text else None,
        )
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def open_player(
    server: Server, study: Study, new_context: Callable[..., BrowserContext]
) -> Callable[..., Player]:
    """Opens the study; ``path="/"`` through Streamlit, otherwise in the bare page.

    ``admitted=True`` opens it for somebody who has consented already, at the first question.
    """

    def make(
        context: BrowserContext | None = None,
        *,
        path: str = "/bare",
        name: str | None = None,
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
        page.goto(f"{server.url}{path}?study={name or study.name}{fragment}")
        return Player(page)

    return make
