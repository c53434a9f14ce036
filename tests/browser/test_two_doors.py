"""A study's two doors on the real server, in a real browser: what loads, and that both lead in.

Streamlit's page `/take` and the light page `/p` show the same player. Here is what the page around
it decides: bytes and requests, the connection, languages, personal links, and addresses with
nothing behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_rules import violations
from live_server import LiveServer
from player_page import Player
from playwright.sync_api import BrowserContext, expect
from traffic import Traffic
from walks import Visit, serve, shipped

from study_app.player import ui_strings

NewContext = Callable[..., BrowserContext]

DEMO = shipped()["demo"]
DOORS = {"streamlit": "/take?study=demo", "light": "/p/demo"}
MAX_REQUESTS = {"streamlit": 90, "light": 3}
MAX_BYTES = {"streamlit": 750_000, "light": 80_000}
"""To the consent, with what comes through the WebSocket."""
MAX_FURTHER_BYTES = 60_000
"""From the consent to the first question, pictures aside."""
QUIET_MS = 30_000
NO_SOCKET = """window.WebSocket = class extends EventTarget {
  constructor() { super(); window.sockets = (window.sockets ?? 0) + 1; }
  readyState = 0; send() {} close() {}
};"""
"""As behind a proxy that lets no WebSocket through, and does not say so either."""
CONNECTION = """document.querySelector("[data-testid=stApp]").dataset.testConnectionState"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = serve(tmp_path_factory.mktemp("live"), [DEMO])
    yield made
    made.stop()
    assert "Traceback" not in made.output, made.output


@pytest.mark.parametrize("door", DOORS)
def test_what_loads_before_the_consent_and_the_first_question_is_bounded(
    door: str, server: LiveServer, new_context: NewContext
) -> None:
    page = new_context().new_page()
    traffic = Traffic(page)
    page.goto(server.url + DOORS[door])
    player = Player(page)
    player.screen("consent")
    page.wait_for_load_state("networkidle")
    first = traffic.bytes()
    assert len(traffic.asked) <= MAX_REQUESTS[door], list(traffic.asked.values())
    assert 40_000 < first <= MAX_BYTES[door]
    assert not [url for url in traffic.asked.values() if url.endswith((".woff2", ".ttf"))]
    player.start()
    player.ready("label_nafc")
    page.wait_for_load_state("networkidle")
    assert traffic.bytes() - first <= MAX_FURTHER_BYTES
    # The files that are named by their content are kept.
    before = len(traffic.asked)
    page.reload()
    player.ready("label_nafc")
    kept = page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter(({ name }) => /[/](static|player)[/]/.test(name))"
        ".filter(({ transferSize }) => transferSize).map(({ name }) => name)"
    )
    assert kept == []
    assert len(traffic.asked) > before


def test_streamlits_connection_ends_and_nothing_follows(
    server: LiveServer, new_context: NewContext
) -> None:
    page = new_context().new_page()
    page.clock.install()
    sockets: list[Any] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.goto(server.url + DOORS["streamlit"])
    player = Player(page)
    player.screen("consent")
    (socket,) = sockets
    if not socket.is_closed():
        socket.wait_for_event("close", timeout=10_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(QUIET_MS)
    assert page.evaluate(CONNECTION) == "DISCONNECTED_FOREVER"
    assert (asked, len(sockets)) == ([], 1)
    expect(page.locator("#way-out")).to_be_hidden()
    player.start()
    player.ready("label_nafc")
    assert len(sockets) == 1


def test_without_a_socket_streamlits_page_shows_the_way_to_the_light_one(
    server: LiveServer, new_context: NewContext
) -> None:
    page = new_context(viewport={"width": 360, "height": 640}).new_page()
    page.add_init_script(NO_SOCKET)
    page.clock.install(time=0)
    page.clock.pause_at(1)
    page.goto(f"{server.url}{DOORS['streamlit']}&lang=de&PROLIFIC_PID=x%20y#p={'0' * 32}")
    note = page.locator("#way-out")
    words = ui_strings("de")
    expect(page.locator("[data-testid=stApp]")).to_be_attached()
    page.clock.run_for(4_000)
    assert page.evaluate("window.sockets") >= 1
    expect(note).to_be_hidden()
    page.clock.run_for(2_000)
    expect(note).to_contain_text(words["way_out_text"])
    page.clock.resume()  # the rules need it
    assert page.locator("#root #way-out").count() == 0
    assert violations(page, "#way-out") == []
    page.get_by_role("link", name=words["way_out_link"]).click()
    Player(page).screen("invalid")  # the fragment came along
    assert page.url == f"{server.url}/p/demo?lang=de&PROLIFIC_PID=x+y"


def test_the_way_out_goes_away_when_the_page_comes_up_after_all(
    server: LiveServer, new_context: NewContext
) -> None:
    page = new_context().new_page()
    page.clock.install()
    held: list[Any] = []
    page.route("**/player/*.js*", lambda route: held.append(route))
    page.goto(server.url + DOORS["streamlit"])
    page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for(
        state="attached", timeout=20_000
    )
    page.clock.run_for(25_000)
    expect(page.locator("#way-out")).to_be_visible()
    for route in held:
        route.continue_()
    page.unroute("**/player/*.js*")
    Player(page).screen("consent")
    page.clock.run_for(1_000)
    expect(page.locator("#way-out")).to_be_hidden()


@pytest.mark.parametrize("door", DOORS)
def test_a_study_is_walked_to_its_debrief(
    door: str, server: LiveServer, new_context: NewContext
) -> None:
    visit = Visit(server, new_context, DEMO, language="de", light=door == "light")
    visit.assert_well_shown()
    visit.assert_complete()
    code = Player(visit.page).find(".code").inner_text()
    visit.page.reload()
    Player(visit.page).screen("debrief")
    assert Player(visit.page).find(".code").inner_text() == code


@pytest.mark.parametrize("door", DOORS)
def test_people_go_on_after_a_refresh_and_by_their_link_at_the_other_door(
    door: str, server: LiveServer, new_context: NewContext
) -> None:
    page = new_context(locale="ja").new_page()
    page.goto(server.url + DOORS[door])
    player = Player(page)
    expect(player.find("#agree")).to_have_text(ui_strings("ja")["consent_agree"])
    assert page.evaluate("document.documentElement.lang") == "ja"
    player.start()
    player.press("3", "label_nafc")
    player.press("Enter")
    trial = player.ready("target_plausible")
    page.reload()
    assert player.ready("target_plausible") == trial
    # In the same browser the other door goes on, too.
    other = DOORS["light" if door == "streamlit" else "streamlit"]
    page.goto(server.url + other)
    assert player.ready("target_plausible") == trial
    player.find("#menu-button").click()
    link = player.find("#link").input_value()
    address, _, token = link.partition("#p=")
    assert address == f"{server.url}/p/demo?lang=ja"
    elsewhere = new_context(locale="en").new_page()
    both = "&" if "?" in other else "?"
    elsewhere.goto(f"{server.url}{other}{both}lang=ja#p={token}")
    assert Player(elsewhere).ready("target_plausible") == trial
    assert "#" not in elsewhere.url


@pytest.mark.parametrize("door", DOORS)
def test_a_wrong_link_gets_a_calm_page_in_the_readers_language(
    door: str, server: LiveServer, new_context: NewContext
) -> None:
    page = new_context(locale="de").new_page()
    page.goto(f"{server.url}{DOORS[door]}#p={'0' * 32}")
    Player(page).screen("invalid")
    answer = page.goto(server.url + DOORS[door].replace("demo", "nope"))
    assert answer is not None
    assert answer.status == (404 if door == "light" else 200)
    heading = page.get_by_role("heading", name=ui_strings("de")["unknown_title"])
    expect(heading).to_be_visible(timeout=15_000)
    assert violations(page) == []


def test_without_javascript_both_doors_say_that_it_is_needed(
    server: LiveServer, new_context: NewContext
) -> None:
    page = new_context(java_script_enabled=False, locale="de").new_page()
    for address in DOORS.values():
        page.goto(server.url + address)
        sentence = page.locator("noscript")
        assert sentence.text_content() == ui_strings("de")["needs_script"]
        box = sentence.bounding_box()
        assert box is not None
        assert page.viewport_size is not None
        assert box["height"] == page.viewport_size["height"]  # it covers what would be said else
