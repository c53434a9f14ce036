"""What the player says of an answer, against what `db.measured` declares: the same names, no value
that a browser may send refused, and no answer lost because of a fact.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_server import Study
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import QUESTIONS
from player_page import Player, until
from playwright.sync_api import Browser, Page
from pydantic import TypeAdapter

from db.measured import Display, Timing
from study_app.api.bodies import AnswerBody
from study_app.player import assets

Open = Callable[..., Player]

GRID, ROW = QUESTIONS["grid"], QUESTIONS["row"]
REACTION_TIME = TypeAdapter(AnswerBody.model_fields["rt_ms"].annotation)

# The facts of `Exposure.end`, for any clock that a browser may have.
MEASURE = """
({ onset, error, frameMs, seen, first, answered, times, refused, redraws, input }) => {
  const exposure = new Exposure({ onset, error }, times);
  if (seen !== null) exposure.seenUntil(onset + seen);
  if (first !== null) exposure.touched({ timeStamp: first });
  const event = answered === null ? null : { timeStamp: onset + answered };
  const timing = exposure.end(event, { input: event && input, frameMs, redraws, refused });
  return JSON.stringify({ rt_ms: event && tenth(event.timeStamp - onset), timing });
}
"""
# What `Painter` says of two pictures in frames of any size, on any screen.
PAINT = """
({ ratio, width, height, room }) => {
  Object.defineProperty(window, "devicePixelRatio", { value: ratio, configurable: true });
  const places = [0, 1].map(() => {
    const frame = document.createElement("div");
    frame.style.cssText = `width:${room[0]}px;height:${room[1]}px`;
    const picture = frame.appendChild(document.createElement("div"));
    return { frame, picture };
  });
  document.body.replaceChildren(...places.map(({ frame }) => frame));
  const painter = new Painter();
  const words = new Uint32Array(width * height).fill(0xff336699);
  painter.show(places.map(() => ({ width, height, words })), places);
  return JSON.stringify(painter.display);
}
"""

CLOCK = st.floats(0, 1e10) | st.sampled_from([-0.0, 0.04, 1e-320, 1_700_000_000_000.0])
LATER = st.floats(0, 1e8) | st.sampled_from([-0.0, 0.04, 200.0])
COUNT = st.integers(0, 10_000)
QUICK = settings(max_examples=100, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def measuring(browser: Browser) -> Iterator[Page]:
    """A page with the classes that measure."""
    page = browser.new_page()
    script = assets.player_script().content.decode()
    told = "Object.assign(window, { Exposure, Painter, tenth });"
    page.add_script_tag(content=f"{script}\n{told}", type="module")
    until(page, "window.Exposure !== undefined")
    yield page
    page.close()


@QUICK
@given(
    facts=st.fixed_dictionaries(
        {
            "onset": CLOCK,
            "error": LATER,
            "frameMs": st.floats(0, 250),
            "seen": st.none() | LATER,
            "first": st.none() | CLOCK,
            "answered": st.none() | LATER,
            "times": st.integers(1, 50),
            "refused": COUNT,
            "redraws": COUNT,
            "input": st.sampled_from(["key", "touch", "mouse"]),
        }
    )
)
def test_whatever_the_clock_says_is_taken(measuring: Page, facts: dict[str, Any]) -> None:
    sent = json.loads(measuring.evaluate(MEASURE, facts))
    REACTION_TIME.validate_json(json.dumps(sent["rt_ms"]))
    Timing.model_validate_json(json.dumps(sent["timing"]))
    assert sent["timing"].keys() == set(Timing.model_fields)


@QUICK
@given(
    shown=st.fixed_dictionaries(
        {
            "ratio": st.floats(0.1, 5) | st.sampled_from([1, 1.25, 1.100000023841858, 2.625]),
            "width": st.integers(1, 64),
            "height": st.integers(1, 64),
            "room": st.tuples(st.floats(0, 400), st.floats(0, 400)),
        }
    )
)
def test_whatever_the_screen_is_like_is_taken(measuring: Page, shown: dict[str, Any]) -> None:
    sent = json.loads(measuring.evaluate(PAINT, shown))
    Display.model_validate_json(json.dumps(sent))
    # Of the words only the question knows.
    assert sent.keys() == set(Display.model_fields) - {"translated"}


def test_every_answer_says_what_is_declared_and_nothing_else(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[{**ROW, "response_window_ms": 500}, QUESTIONS["rank"]])
    player = open_player(admitted=True)
    player.ready("rank")  # the first one is over without an answer
    for key in "a", "b", "c", "Enter":
        player.page.keyboard.press(key)
    player.screen("debrief")
    received = study.state["received"]
    assert [body["answer"] for body in received] == ["timed_out", "0,1,2"]
    for body in received:
        assert body["timing"].keys() == set(Timing.model_fields)
        assert body["display"].keys() == set(Display.model_fields)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ("light", False)),
        ({"color_scheme": "dark"}, ("dark", False)),
        ({"forced_colors": "active"}, ("light", True)),
    ],
)
def test_the_colours_that_the_system_asks_for(
    study: Study, open_player: Open, options: dict[str, str], said: tuple[str, bool]
) -> None:
    study.set(questions=[GRID])
    player = open_player(admitted=True, **options)
    player.press("4")
    player.screen("debrief")
    (body,) = study.state["received"]
    assert (body["display"]["color_scheme"], body["display"]["forced_colors"]) == said


def test_time_that_the_browser_froze_the_page_is_told_of_its_question(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[GRID, GRID])
    player = open_player(admitted=True)
    player.ready()
    # A page that is seen, as this one must be, is never frozen by the browser itself.
    player.page.evaluate(
        """() => {
          document.dispatchEvent(new Event("freeze"));
          const frozen = performance.now();
          while (performance.now() < frozen + 50) { /* nothing runs */ }
          document.dispatchEvent(new Event("resume"));
        }"""
    )
    player.press("4")
    player.press("5")
    player.screen("debrief")
    first, second = (body["timing"]["frozen_ms"] for body in study.state["received"])
    assert 50 <= first < 10_000
    assert second == 0


def test_an_answer_is_stored_without_the_facts_that_are_refused(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[GRID, GRID])
    player = open_player(admitted=True)
    player.ready()
    player.page.evaluate(
        """() => {
          Date.prototype.toISOString = () => "yesterday";
          window.innerWidth = "wide";
        }"""
    )
    player.press("4")
    player.press("5")
    player.screen("debrief")
    assert study.answers == ["3", "4"]
    second = study.state["received"][1]
    assert set(Timing.model_fields) - second["timing"].keys() == {"started_utc"}
    assert set(Display.model_fields) - second["display"].keys() == {"window_w"}
    assert second["rt_ms"] >= 200
    assert not kept(player, ":outbox")
    assert not kept(player, ":refused")


def test_an_answer_kept_by_another_player_loses_only_what_is_not_known_here(
    study: Study, open_player: Open
) -> None:
    """A newer one may know more facts, an older one has fewer: both wait in the outbox."""
    study.set(questions=[GRID, GRID, GRID])
    player = open_player(admitted=True)
    asked = player.ready()
    (token,) = study.state["participants"]
    body = {
        "event_id": "11111111-1111-4111-8111-111111111111",
        "trial_id": asked,
        "attempt": 1,
        "answer": "6",
        "rt_ms": -3,
        "timing": {"input": "key", "heart_rate": 71},
        "display": "large",
    }
    entry = {"token": token, "position": 0, "since": 0, "body": body}
    player.page.evaluate(
        "([name, entry]) => localStorage.setItem(name, JSON.stringify([entry]))",
        [f"plausibly:{study.name}:outbox", entry],
    )
    player.page.reload()
    player.press("4")
    player.press("5")
    player.screen("debrief")
    assert study.answers == ["6", "3", "4"]
    first = study.state["received"][0]
    assert first["timing"] == {"input": "key"}
    assert (first["rt_ms"], first["display"]) == (None, {})


def kept(player: Player, what: str) -> list[Any]:
    """What the player keeps on the device under a name that ends so."""
    found: list[Any] = player.page.evaluate(
        "(what) => Object.keys(localStorage).filter((key) => key.endsWith(what))", what
    )
    return found
