"""The page is here and its script is not: somebody waits, is told so, and goes on when it comes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_server import Server, Study
from player_page import Player
from playwright.sync_api import BrowserContext, Page, Route, expect

NewContext = Callable[..., BrowserContext]
SCRIPT = "**/player/*.js*"


def unreachable(route: Route) -> None:
    route.abort()


def unknown(route: Route) -> None:
    """As a server answers that has been upgraded."""
    route.fulfill(status=404, json={"error": "not_found"})


@pytest.fixture
def page(new_context: NewContext) -> Page:
    return new_context().new_page()


@pytest.mark.parametrize("fault", [unreachable, unknown])
@pytest.mark.parametrize("path", ["/p/{}", "/?study={}"])
def test_it_says_so_and_goes_on_when_the_script_comes(
    path: str, fault: Callable[[Route], None], page: Page, server: Server, study: Study
) -> None:
    page.route(SCRIPT, fault)
    page.goto(server.url + path.format(study.name))
    note = page.get_by_role("status").filter(has_text="cannot be reached")
    expect(note).to_be_visible()
    expect(page.get_by_role("link", name="Reload the page")).to_be_visible()
    page.unroute(SCRIPT)
    page.evaluate("window.dispatchEvent(new Event('online'))")  # do not wait so long
    player = Player(page)
    player.screen("consent")
    expect(note).to_have_count(0)
    expect(player.host).to_have_count(1)
    player.find("#agree").click()
    player.screen("instructions")


def test_the_link_loads_the_page_anew_in_the_language_of_the_page(
    page: Page, server: Server, study: Study
) -> None:
    page.route(SCRIPT, unknown)
    page.goto(f"{server.url}/p/{study.name}?lang=de#p={'0' * 32}")
    link = page.get_by_role("link", name="Seite neu laden")
    expect(link).to_be_visible()
    page.unroute(SCRIPT)
    with page.expect_navigation():
        link.click()
    Player(page).screen("invalid")  # the fragment was still there


def test_many_calls_while_it_loads_make_one_player(
    page: Page, server: Server, study: Study
) -> None:
    page.route(SCRIPT, unreachable)
    page.goto(f"{server.url}/bare?study={study.name}")
    expect(page.get_by_role("link")).to_be_visible()
    page.evaluate("window.remount(); window.remount()")
    page.unroute(SCRIPT)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    player = Player(page)
    player.screen("consent")
    page.evaluate("window.remount()")
    expect(player.host).to_have_count(1)
    player.find("#agree").click()
    player.screen("instructions")
    assert len(study.state["participants"]) == 1
    fetched = page.evaluate(
        "performance.getEntriesByType('resource').filter(({ name }) => /player/.test(name)).length"
    )
    assert fetched >= 2  # each attempt has an address of its own
