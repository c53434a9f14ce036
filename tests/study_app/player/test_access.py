"""Every screen and layout against axe-core's rules, in light and dark, and what axe cannot see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_rules import violations
from fake_server import Study
from layouts import FORMS, QUESTIONS
from player_page import Player
from playwright.sync_api import expect

Open = Callable[..., Player]

STILL = """(name) => {
  const root = document.getElementById("plausibly-player").shadowRoot;
  for (const section of root.querySelectorAll("section")) {
    section.classList.toggle("shown", section.dataset.screen.split(" ").includes(name));
  }
  root.getElementById("refused-title").textContent = "Words of the server";
}"""
NEEDS_MORE = {"form", "trial"}
"""Screens that are checked with their contents instead of empty."""


def check(player: Player, where: str) -> None:
    """Holds that axe finds nothing wrong, in light and dark."""
    # Scrollbars are tested by the keyboard tests; the page around it in tests/browser.
    assert violations(player.page, "#plausibly-player") == [], where


def test_no_still_screen_breaks_a_rule(study: Study, open_player: Open) -> None:
    player = open_player(query="&languages")
    player.screen("consent")
    check(player, "consent")
    screens = player.host.evaluate(
        "(host) => [...host.shadowRoot.querySelectorAll('section')]"
        ".flatMap((section) => section.dataset.screen.split(' '))"
    )
    assert len(screens) >= 18
    for name in set(screens) - NEEDS_MORE:
        player.page.evaluate(STILL, name)
        check(player, name)


def test_no_layout_breaks_a_rule(study: Study, open_player: Open) -> None:
    study.set(practice=1, questions=[QUESTIONS["grid"], *QUESTIONS.values()])
    player = open_player(admitted=True)
    player.press("1")
    player.ready()
    check(player, "feedback")
    player.press("Enter")
    player.between("practised")
    player.page.keyboard.press("Enter")
    for name in QUESTIONS:
        trial = player.ready()
        if name == "grid":
            player.find("#menu-button").click()
            check(player, "menu")
            player.page.keyboard.press("Escape")
        check(player, name)
        # Asks for the next one in the quickest way.
        player.page.wait_for_timeout(200)
        if name == "rank":
            for key in "abc":
                player.page.keyboard.press(key)
        if name == "point":
            player.page.keyboard.press("Space")
        if name == "text":
            player.find("textarea").fill("x")
        if name == "survey":
            break
        confirm = player.find("[data-screen=trial] .confirm, .answers button, .under button")
        confirm.last.click()
        player.locked(trial)


@pytest.mark.parametrize("name", ["screening", "demographics"])
def test_no_form_breaks_a_rule(name: str, study: Study, open_player: Open) -> None:
    study.set(practice=0, main=0, forms={name: FORMS[name]})
    player = open_player(admitted=name == "demographics")
    if name == "screening":
        player.find("#agree").click()
    player.reached("[data-screen=form]")
    check(player, name)
    player.find("#form-send").click()
    expect(player.find(".summary")).to_be_visible()
    check(player, f"{name} with errors")


def test_motion_is_reduced_where_that_is_wished(study: Study, open_player: Open) -> None:
    player = open_player(admitted=True, reduced_motion="reduce")
    player.ready()
    moving = player.host.evaluate(
        "(host) => [...host.shadowRoot.querySelectorAll('*')].filter((part) => "
        "getComputedStyle(part).transitionDuration !== '0s' "
        "|| getComputedStyle(part).animationName !== 'none').length"
    )
    assert moving == 0
