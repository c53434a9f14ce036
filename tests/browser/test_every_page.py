"""Every page of the app in a real browser, and every link on it: nothing fails, anywhere.

The pages are those that the app declares, so that a new one cannot be forgotten.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_rules import violations
from live_server import PASSWORD, LiveServer
from playwright.sync_api import BrowserContext, Page, expect

from study_app.front.front_page import SHOWN
from study_app.server.pages import PAGES

NewContext = Callable[..., BrowserContext]

OF_A_KIND = 2
"""How many pages of one kind are opened: addresses that differ in values alone."""
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]:has(.stElementContainer)"
"""The script has run: before it begins there is no element yet."""
ERRORS = ", ".join(
    f"[data-testid={box}]" for box in ("stException", "stAlertContentError", "stDialog")
)
"""Where Streamlit says that a script failed, and that it has lost its server or a page."""
PICTURES_LOADED = """() => Promise.all([...document.images].map((image) =>
  image.complete || new Promise((done) => { image.onload = image.onerror = done; })))"""
"""Playwright's own waiting for a condition evaluates a string, which the policy forbids."""


@pytest.fixture(scope="module")
def server(demo: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = LiveServer(demo.home, tmp_path_factory.mktemp("live"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that was just installed: no experiment, no study."""
    made = LiveServer(tmp_path_factory.mktemp("nothing"), tmp_path_factory.mktemp("live"))
    yield made
    made.stop()


class Visitor:
    """Somebody who opens pages in one browser; `wrong` is everything that failed."""

    def __init__(self, server: LiveServer, context: BrowserContext) -> None:
        self.wrong: list[str] = []
        self.opened: list[str] = []
        self._server = server
        self._context = context
        self._seen: Counter[str] = Counter()
        self._page = context.new_page()
        context.on("weberror", lambda error: self._blame(f"page error: {error.error}"))
        context.on(
            "console",
            lambda line: self._blame(f"console: {line.text}") if line.type == "error" else None,
        )
        context.on(
            "response",
            lambda answer: (
                self._blame(f"{answer.status} {answer.url}") if answer.status >= 400 else None
            ),
        )

    def log_in(self) -> None:
        answer = self._context.request.post(
            f"{self._server.url}/api/login", data={"password": PASSWORD}
        )
        assert answer.ok

    def walk(self, *paths: str) -> None:
        """Open these pages, and follow every link on them, and on what they lead to."""
        waiting = list(paths)
        self._seen.update(self._kind(path) for path in paths)
        known = set(paths)
        while waiting:
            path = waiting.pop(0)
            if urlsplit(path).path not in {page.path for page in PAGES}:
                self._fetch(path)
                continue
            for link in self._open(path):
                kind = self._kind(link)
                if link not in known and self._seen[kind] < OF_A_KIND:
                    waiting.append(link)
                    self._seen[kind] += 1
                known.add(link)
        if "Traceback" in self._server.output:
            self._blame(f"the server's log: {self._server.output}")

    def _kind(self, path: str) -> str:
        """What is alike in addresses that differ in values alone."""
        address = urlsplit(path)
        names = sorted(parse_qs(address.query))
        return f"{re.sub('[0-9]+', '0', address.path)}?{','.join(names)}"

    def _open(self, path: str) -> list[str]:
        """Open a page; return where its links lead, on this server."""
        self.opened.append(path)
        page = self._page
        page.goto(self._server.url + path, wait_until="domcontentloaded")
        if urlsplit(path).path == "/take":  # which ends the connection, whatever still comes
            player = page.locator("#plausibly-player[data-screen]")
            player.wait_for(state="attached", timeout=20_000)
        else:
            page.locator(SETTLED).wait_for(timeout=20_000)
        for box in page.locator(ERRORS).all_inner_texts():
            self._blame(f"error box: {box}")
        page.evaluate(PICTURES_LOADED)
        links: list[str] = page.locator("a[href]").evaluate_all(
            "links => links.map(({ href }) => href)"
        )
        here = [urlsplit(link) for link in links if link.startswith(self._server.url)]
        return [f"{link.path}?{link.query}".removesuffix("?") for link in here]

    def _fetch(self, path: str) -> None:
        answer = self._context.request.get(self._server.url + path)
        if not answer.ok:
            self._blame(f"link to {answer.status} {path}")

    def _blame(self, what: str) -> None:
        self.wrong.append(f"{self.opened[-1] if self.opened else ''}: {what}")


def test_every_page_and_every_link_on_it(server: LiveServer, new_context: NewContext) -> None:
    visitor = Visitor(server, new_context())
    visitor.walk(*(page.path for page in PAGES), "/take?study=demo", "/p/demo")
    assert not visitor.wrong, "\n".join(visitor.wrong)
    seen = {urlsplit(path).path for path in visitor.opened if "?" in path}
    assert {"/gallery", "/map"} <= seen, "their links were followed"


def test_the_researchers_pages_and_every_link_on_them(
    server: LiveServer, new_context: NewContext
) -> None:
    visitor = Visitor(server, new_context())
    visitor.log_in()
    visitor.walk("/researcher")
    assert not visitor.wrong, "\n".join(visitor.wrong)


def test_every_page_of_a_server_that_was_just_installed(
    empty: LiveServer, new_context: NewContext
) -> None:
    visitor = Visitor(empty, new_context())
    visitor.walk(*(page.path for page in PAGES))
    visitor.log_in()
    visitor.walk("/researcher")
    assert not visitor.wrong, "\n".join(visitor.wrong)


def test_an_unknown_address_says_so_and_leads_to_the_front_page(
    empty: LiveServer, new_context: NewContext
) -> None:
    page: Page = new_context().new_page()
    answer = page.goto(f"{empty.url}/galery")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading")).to_have_text("There is nothing at this address.")
    assert violations(page) == []
    page.get_by_role("link").click()
    expect(page).to_have_url(f"{empty.url}/")
    expect(page.get_by_role("heading", name="Plausibly")).to_be_visible(timeout=15_000)


def test_the_front_page_keeps_the_rules_and_fits_a_phone(
    server: LiveServer, new_context: NewContext
) -> None:
    page: Page = new_context(viewport={"width": 360, "height": 640}).new_page()
    page.goto(server.url)
    pictures = page.locator(".fp-strip img")
    expect(pictures.first).to_be_visible(timeout=15_000)
    assert pictures.count() == SHOWN * (1 + 2 * 4)
    assert violations(page, ".fp") == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator(".fp-strip a").last.click()
    expect(page.get_by_text("SHA-256").first).to_be_visible(timeout=15_000)
