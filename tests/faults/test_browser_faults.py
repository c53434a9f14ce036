"""The network goes, the page is refreshed, Back is pressed: a real browser on the real server."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from crowd import Home
from live_server import LiveServer
from player_page import Player
from playwright.sync_api import BrowserContext, expect

NewContext = Callable[..., BrowserContext]
OFFLINE_S = 30


@pytest.fixture(scope="module")
def server(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = LiveServer(home.folder, tmp_path_factory.mktemp("live"))
    yield made
    made.stop()
    assert "Traceback" not in made.output, made.output


def stored(server: LiveServer) -> list[tuple[str, int, str]]:
    """All answers in the database: (participant, position, answer)."""
    with closing(sqlite3.connect(server.home / "study.db")) as file:
        return file.execute(
            "SELECT participant_id, position, answer FROM response"
            " JOIN trial ON trial.id = trial_id ORDER BY participant_id, position"
        ).fetchall()


def practise(player: Player) -> list[str]:
    """Consent, instructions and practice, up to the first question that counts."""
    player.start()
    for _ in range(2):
        for key, task in ("3", "label_nafc"), ("y", "target_plausible"):
            player.press(key, task)
            expect(player.find(".feedback")).to_be_visible(timeout=15_000)
            player.press("Enter")
    player.between("practised")
    player.page.keyboard.press("Enter")
    return ["3", "yes"] * 2


def test_half_a_minute_without_network(server: LiveServer, new_context: NewContext) -> None:
    """Trials go on, nothing covers them, and afterwards every answer is there once."""
    context = new_context()
    page = context.new_page()
    page.goto(f"{server.url}/take?study=demo")
    player = Player(page)
    given = practise(player)
    player.ready("label_nafc")
    context.set_offline(True)
    began = time.monotonic()
    on_top = "document.elementFromPoint(innerWidth / 2, innerHeight / 2).id"
    while time.monotonic() < began + OFFLINE_S:
        player.press("5", "label_nafc")
        assert page.evaluate(on_top) == "plausibly-player"
        trial = player.ready("target_plausible")
        player.find(".answers [data-value=no]").click(timeout=2000)
        player.locked(trial)
        given += ["5", "no"]
        time.sleep(3)  # somebody quick: two answers every four seconds
    expect(player.find(".status")).to_contain_text("Your answers are kept")
    assert len(stored(server)) == 4
    context.set_offline(False)
    expect(player.host).to_have_attribute("data-pending", "0", timeout=20_000)
    expect(player.find(".status")).to_have_text("", timeout=10_000)
    assert [answer for _, _, answer in stored(server)] == given
    player.pair("7", "y")  # and it goes on
    expect(player.host).to_have_attribute("data-pending", "0", timeout=20_000)


def test_refresh_at_every_step_and_back(server: LiveServer, new_context: NewContext) -> None:
    before = stored(server)
    page = new_context().new_page()
    page.goto(f"{server.url}/researcher")
    page.goto(f"{server.url}/take?study=demo")
    player = Player(page)

    def refresh() -> None:
        page.reload()
        expect(player.host).to_be_attached(timeout=15_000)

    player.screen("consent")
    refresh()
    player.find("#agree").click()
    player.screen("instructions")
    refresh()
    player.find("#start").click()
    given = []
    for position, (key, value) in enumerate([("3", "3"), ("y", "yes")] * 2):
        trial = player.ready()
        refresh()
        assert player.ready() == trial
        player.press(key)
        given.append(value)
        expect(player.find(".feedback")).to_be_visible(timeout=15_000)
        refresh()  # in the middle of feedback: the answer is kept, and the next question comes
        if position == 3:
            player.screen("practised")
            refresh()
            player.between("practised")
            page.keyboard.press("Enter")
    first = player.ready("label_nafc")
    # Back leaves the study, and forward finds it where it was; nobody is made anew.
    page.go_back()
    page.go_forward()
    player.between("practised")  # the first question that counts is still open
    page.keyboard.press("Enter")
    assert player.ready("label_nafc") == first
    for _ in range(3):
        player.press("4", "label_nafc")
        refresh()
        player.press("n", "target_plausible")
        given += ["4", "no"]
        page.go_back()
        page.go_forward()
        player.ready("label_nafc")
    deadline = time.monotonic() + 10
    while len(mine := [row for row in stored(server) if row not in before]) < len(given):
        assert time.monotonic() < deadline, mine
        time.sleep(0.1)
    assert len({person for person, _, _ in mine}) == 1
    assert [position for _, position, _ in mine] == list(range(10))
    assert [answer for _, _, answer in mine] == given
