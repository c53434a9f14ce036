"""The participant's pages as they are served, what is around the player included, against axe."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest
from axe_rules import violations
from crowd import make_home
from lab import Person
from live_server import LiveServer
from player_page import Player
from playwright.sync_api import BrowserContext, Page

NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    home = make_home(tmp_path_factory.mktemp("lab"))
    made = LiveServer(home.folder, tmp_path_factory.mktemp("live"))
    yield made
    made.stop()
    assert "Traceback" not in made.output, made.output


def language(page: Page) -> str:
    """Return the language that the whole document says it is in."""
    said: str = page.evaluate("document.documentElement.lang")
    return said


@pytest.mark.parametrize(("tag", "door"), [("en", "/take?study=demo&"), ("de", "/p/demo?")])
def test_no_rule_is_broken_from_consent_to_debrief(
    tag: str, door: str, server: LiveServer, new_context: NewContext
) -> None:
    """That no page violates the security policy either, `new_context` holds."""
    page = new_context(locale="ja").new_page()
    page.goto(f"{server.url}{door}lang={tag}")
    player = Player(page)
    player.screen("consent")
    assert (violations(page), language(page)) == ([], tag)
    player.start()
    player.ready("label_nafc")
    assert (violations(page), language(page)) == ([], tag)
    token = page.evaluate("localStorage['plausibly:demo']")
    with httpx2.Client(base_url=server.url) as client:
        Person(client, token).finish()
    page.reload()
    player.screen("debrief")
    assert (violations(page), language(page)) == ([], tag)


def test_what_keeps_the_rules_is_looked_at(server: LiveServer, new_context: NewContext) -> None:
    """The rules see the whole document: Streamlit's part when it is not covered, and its head."""
    page = new_context().new_page()
    page.goto(f"{server.url}/take?study=demo")
    Player(page).screen("consent")
    page.evaluate("for (const part of document.body.children) part.inert = false")
    page.evaluate("document.documentElement.lang = document.title = ''")
    broken = {found.partition(":")[0] for found in violations(page)}
    assert {"document-title", "html-has-lang", "landmark-no-duplicate-main"} <= broken
