"""A browser is not a person: who is asked, what a device forgets, who is turned away."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from fake_server import Study
from player_page import Player, until
from playwright.sync_api import BrowserContext, expect

Open = Callable[..., Player]
NewContext = Callable[..., BrowserContext]

CODE = "QK7M-2XPA"
SHOWN = "document.getElementById('plausibly-player').shadowRoot.innerHTML"
STORED = "JSON.stringify(localStorage)"


def finished(study: Study, open_player: Open, context: BrowserContext, query: str = "") -> Player:
    """Somebody who has taken part, and sees their last page."""
    study.set(main=1)
    player = open_player(context, query=query)
    player.start()
    player.pair()
    player.screen("debrief")
    return player


def away(player: Player, minutes: int) -> None:
    """As if the participant had done nothing for so long."""
    player.page.evaluate(
        """(minutes) => {
          const name = Object.keys(localStorage).find((key) => key.endsWith(":seen"));
          localStorage[name] = String(Date.now() - minutes * 60_000);
        }""",
        minutes,
    )


def test_whoever_opens_the_link_after_a_finished_run_is_asked_who_they_are(
    study: Study, open_player: Open, new_context: NewContext
) -> None:
    context = new_context()
    finished(study, open_player, context).page.close()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    player = open_player(context)
    player.screen("visitor")
    assert not [url for url in asked if "/api/" in url]
    assert CODE not in player.page.evaluate(SHOWN)
    assert player.find("button:visible").count() == 2
    player.find("#same-person").click()
    player.screen("debrief")
    expect(player.find(".code")).to_have_text(CODE)
    player.page.reload()
    player.screen("debrief")
    player.page.close()
    player = open_player(context)
    player.find("#other-person").click()
    player.screen("consent")
    assert CODE not in player.page.evaluate(SHOWN)
    player.start()
    player.ready()
    people = study.state["participants"].values()
    assert [len(person["answers"]) for person in people] == [2, 0]


def test_a_run_left_for_ten_minutes_is_somebodys_else_until_they_say_so(
    study: Study, open_player: Open, new_context: NewContext
) -> None:
    context = new_context()
    first = open_player(context)
    first.start()
    trial = first.ready()
    away(first, 9)
    first.page.close()
    player = open_player(context)
    assert player.ready() == trial
    away(player, 11)
    player.page.reload()
    assert player.ready() == trial
    away(player, 11)
    player.page.context.route("**/api/response", lambda route: route.abort())
    player.press("7")
    player.ready("target_plausible")  # from here on nothing happens by itself
    away(player, 11)
    player.page.close()
    context.unroute("**/api/response")
    player = open_player(context)
    player.screen("visitor")
    player.find("#other-person").click()
    player.screen("consent")
    # What the first one answered is still sent, as theirs; nothing else is left of them.
    until(player.page, f"{STORED} === '{{}}'")
    (person,) = study.state["participants"].values()
    assert [answer["answer"] for answer in person["answers"].values()] == ["7"]
    player.start()
    assert player.ready() != trial


def test_a_tab_that_was_left_open_does_not_go_on_under_anothers_name(
    study: Study, open_player: Open, new_context: NewContext
) -> None:
    context = new_context()
    first = open_player(context)
    first.start()
    first.ready()
    away(first, 11)
    player = open_player(context)
    player.find("#other-person").click()
    player.screen("consent")
    first.screen("other_tab")


def test_a_providers_id_tells_people_apart(
    study: Study, open_player: Open, new_context: NewContext
) -> None:
    context = new_context()
    study.set(main=1)
    for person in "ada", "bob":
        player = open_player(context, query=f"&person={person}")
        player.screen("consent")  # a different id is somebody else
        player.start()
        player.pair()
        player.screen("debrief")
        player.page.close()
    player = open_player(context, query="&person=bob")
    player.screen("debrief")  # the same id is the same person
    assert "bob" not in player.page.evaluate(STORED)
    assert len(study.state["participants"]) == 2


def test_a_personal_link_says_whose_it_is(
    study: Study, open_player: Open, new_context: NewContext
) -> None:
    context = new_context()
    first = finished(study, open_player, context)
    (token,) = study.state["participants"]
    first.page.close()
    other = secrets.token_hex(16)
    person = {"nonce": other, "state": "admitted", "answers": {}}
    study.set(participants=study.state["participants"] | {other: person})
    player = open_player(context, fragment=f"#p={other}")
    player.ready()
    player = open_player(context, fragment=f"#p={token}")
    player.find("#here").click()
    player.screen("debrief")


@pytest.mark.parametrize("end", ["debrief", "declined", "withdrawn"])
def test_a_shared_device_forgets_at_each_end(
    end: str, study: Study, open_player: Open, new_context: NewContext
) -> None:
    context = new_context()
    if end == "declined":
        player = open_player(context, query="&shared&languages")
        player.find(".languages button").last.click()
        player.find("#decline").click()
    else:
        player = finished(study, open_player, context, "&shared")
        expect(player.find(".code")).to_have_text(CODE)
        expect(player.find("#forgotten")).to_be_visible()
    if end == "withdrawn":  # as long as the page is open, it knows whose it is
        player.find("#menu-button").click()
        player.find("#withdraw").click()
        player.find("#withdraw-confirm").click()
    player.screen(end)
    assert player.page.evaluate("localStorage.length") == 0
    player.page.reload()
    player.screen("consent")
    assert len(study.state["participants"]) == (end == "debrief") or end == "declined"


def test_whom_the_link_excludes_is_told_before_the_consent(
    study: Study, open_player: Open, new_context: NewContext
) -> None:
    context = new_context()
    for refused, says in (
        ("full", "No place is free"),
        ("no_prolific_id", "must bring your Prolific ID"),
        ("doubled_id", "names a person more than once"),
    ):
        player = open_player(context, query=f"&refused={refused}")
        player.screen("refused")
        expect(player.find("#refused-text")).to_contain_text(says)
    assert study.state["participants"] == {}


def test_a_full_study_does_not_exclude_who_is_in_it(study: Study, open_player: Open) -> None:
    player = open_player(query="&refused=full", admitted=True)
    player.ready()
    player.page.reload()
    player.ready()


def test_where_nothing_is_kept_the_personal_link_is_shown(
    study: Study, open_player: Open, new_context: NewContext
) -> None:
    context = new_context()
    context.add_init_script("Storage.prototype.setItem = () => { throw new Error('blocked'); }")
    player = open_player(context)
    player.find("#agree").click()
    player.screen("instructions")
    expect(player.find("#keep-link")).to_contain_text("Keep this personal link")
    link = player.find("#kept-link").input_value()
    (token,) = study.state["participants"]
    assert link.endswith(f"#p={token}")
    player.find("#start").click()
    player.ready()


def received(study: Study, player: Player, act: str) -> dict[str, Any]:
    """What is sent of an answer before which something happened in the page."""
    study.set(main=1)
    player.ready()
    player.page.evaluate(act)
    player.press("3")
    player.ready("target_plausible")
    (body,) = study.state["received"]
    return dict(body)


def test_a_translated_question_is_told(study: Study, open_player: Open) -> None:
    translate = (
        "document.getElementById('plausibly-player').shadowRoot"
        ".querySelector('.prompt').innerHTML = '<font>Welches passt?</font>'"
    )
    body = received(study, open_player(admitted=True), translate)
    assert body["display"]["translated"] is True
    assert body["display"]["contrast"] == "no-preference"


def test_a_pause_in_which_nothing_ran_is_told(study: Study, open_player: Open) -> None:
    sleep = "{ const now = performance.now(); while (performance.now() < now + 1300); }"
    body = received(study, open_player(admitted=True), sleep)
    assert 1200 < body["timing"]["stalled_ms"] < body["rt_ms"]
