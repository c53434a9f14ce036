"""Which presses answer: every one that was meant for the question, however soon after the last."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from fake_server import Study
from layouts import QUESTIONS, options
from player_page import Player
from playwright.sync_api import BrowserContext, expect

Open = Callable[..., Player]
ROW = {"prompt": "Which?", "layout": "row", "options": options("Left", "Right")}
MANY = 12

# Hands the player events of chosen times, as if they came late from a busy browser.
DISPATCH = """(events) => {
  const host = document.getElementById("plausibly-player");
  for (const [type, target, time, facts] of events) {
    const at = target === null ? host : host.shadowRoot.querySelector(target);
    const box = at.getBoundingClientRect();
    const init = {
      bubbles: true, composed: true, isPrimary: true, pointerType: "touch",
      clientX: box.x + 10, clientY: box.y + 10, ...facts,
    };
    const Kind = type.startsWith("key") ? KeyboardEvent : PointerEvent;
    const event = new Kind(type, init);
    Object.defineProperty(event, "timeStamp", { value: time });
    at.dispatchEvent(event);
  }
}"""


def dispatch(player: Player, *events: tuple[str, str | None, float, dict[str, Any]]) -> None:
    player.page.evaluate(DISPATCH, events)


def now(player: Player) -> float:
    return float(player.page.evaluate("performance.now()"))


def tap(target: str, began: float, finger: int, **facts: Any) -> list[Any]:
    """A finger that comes down on an element and is lifted 60 ms later."""
    return [
        ("pointerdown", target, began, {"pointerId": finger, **facts}),
        ("click", target, began + 60, {"pointerId": finger, "detail": 1, **facts}),
    ]


def key(kind: str, name: str, time: float, **facts: Any) -> Any:
    return (f"key{kind}", None, time, {"key": name, "code": f"Digit{name}", **facts})


def answers(study: Study) -> list[str]:
    return [body["answer"] for body in study.state["received"]]


def refused(study: Study) -> list[int]:
    return [body["timing"]["refused_n"] for body in study.state["received"]]


# --- every answer counts --------------------------------------------------------------------------


def by_keys(player: Player) -> Callable[[], None]:
    return lambda: player.page.keyboard.press("1")


def by_touch(player: Player) -> Callable[[], None]:
    box = player.find(".answers button").first.bounding_box()
    assert box is not None
    return lambda: player.page.touchscreen.tap(box["x"] + 20, box["y"] + 20)


def by_mouse(player: Player) -> Callable[[], None]:
    """The browser calls two clicks within 400 ms a double click, and says so in `detail`."""
    box = player.find(".answers button").first.bounding_box()
    assert box is not None
    session = player.page.context.new_cdp_session(player.page)
    spot = {"x": box["x"] + 20, "y": box["y"] + 20, "button": "left", "clickCount": 2}

    def click() -> None:
        for kind in "mousePressed", "mouseReleased":
            session.send("Input.dispatchMouseEvent", {"type": kind, **spot})

    return click


@pytest.mark.parametrize("way", [by_keys, by_touch, by_mouse])
def test_the_same_answer_counts_again_as_soon_as_it_is_given(
    way: Callable[[Player], Callable[[], None]], study: Study, open_player: Open
) -> None:
    study.set(questions=[{**ROW, "exposure_ms": 200, "response_window_ms": 2000}] * MANY)
    player = open_player(admitted=True, has_touch=True)
    player.ready()
    press = way(player)
    for _ in range(MANY):
        trial = player.ready()
        press()
        player.locked(trial)
    player.screen("debrief")
    assert answers(study) == ["0"] * MANY
    assert refused(study) == [0] * MANY
    times = [body["timing"]["response_ms"] for body in study.state["received"]]
    # Most came within the half second in which the browser speaks of a double click.
    assert sum(then - before < 500 for before, then in pairwise(times)) > MANY / 2


@pytest.mark.parametrize("away", [False, True])
def test_a_key_whose_release_was_never_seen_is_not_dead(
    away: bool, study: Study, open_player: Open
) -> None:
    """It may have gone to a dialog of the system, to another window, or to Meta on macOS."""
    study.set(questions=[ROW] * 3)
    player = open_player(admitted=True)
    session = player.page.context.new_cdp_session(player.page)
    for _ in range(3):
        trial = player.ready()
        down = {"type": "keyDown", "key": "1", "code": "Digit1", "text": "1"}
        session.send("Input.dispatchKeyEvent", down)
        player.locked(trial)
        if away:
            player.page.evaluate("window.dispatchEvent(new Event('blur'))")
    player.screen("debrief")
    assert answers(study) == ["0"] * 3
    assert refused(study) == [0] * 3


def test_a_click_without_a_pointer_counts(study: Study, open_player: Open) -> None:
    """Assistive technology presses buttons so, and keys on a focused button."""
    study.set(questions=[ROW] * 3)
    player = open_player(admitted=True)
    for way in "click", "Enter", "Space":
        trial = player.ready()
        button = player.find(".answers button").first
        if way == "click":
            button.evaluate("(button) => button.click()")
        else:
            button.focus()
            player.page.keyboard.press(way)
        player.locked(trial)
    player.screen("debrief")
    assert answers(study) == ["0"] * 3
    assert {body["timing"]["input"] for body in study.state["received"]} == {"key"}


def test_a_stroke_may_begin_beside_the_picture(study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS["brush"]])
    player = open_player(admitted=True)
    player.ready()
    box = player.find("canvas").first.bounding_box()
    assert box is not None
    player.page.mouse.move(box["x"] - 5, box["y"] + 10)
    player.page.mouse.down()
    player.page.mouse.move(box["x"] + 10, box["y"] + 10)
    player.page.mouse.up()
    expect(player.find(".marks .painted")).to_have_count(1)


def test_two_fingers_are_two_presses_and_one_that_bounces_is_one(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[QUESTIONS["rank"]])
    player = open_player(admitted=True)
    player.ready()
    t = now(player)
    first, second, third = (f".place:nth-child({k}) .frame" for k in (1, 2, 3))
    dispatch(
        player,
        *tap(first, t, 1),
        *tap(second, t + 40, 2, isPrimary=False),
        *tap(third, t + 400, 3),
        *tap(third, t + 490, 4),  # bounces: would take it back
    )
    player.press("Enter")
    player.screen("debrief")
    assert answers(study) == ["0,1,2"]
    assert refused(study) == [1]


# --- and nothing else -----------------------------------------------------------------------------


def test_the_second_half_of_a_double_click_is_no_answer(study: Study, open_player: Open) -> None:
    study.set(questions=[ROW] * 4)
    player = open_player(admitted=True)
    first = ".answers button:first-child"
    for between_ms in 40, 150:
        trial = player.ready()
        began = now(player)
        dispatch(player, *tap(first, began, 1))
        player.locked(trial)
        trial = player.ready()
        dispatch(player, *tap(first, began + between_ms, 2))
        assert player.host.get_attribute("data-accepting") == trial
        player.press("2")
    player.screen("debrief")
    assert answers(study) == ["0", "1", "0", "1"]
    assert refused(study) == [0, 1, 0, 1]


def test_a_press_begun_before_the_picture_was_painted_is_no_answer(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[ROW, ROW])
    player = open_player(admitted=True, has_touch=True)
    trial = player.ready()
    box = player.find(".answers button").first.bounding_box()
    assert box is not None
    session = player.page.context.new_cdp_session(player.page)

    def touch(kind: str, *points: dict[str, float]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    touch("touchStart", {"x": box["x"] + 20, "y": box["y"] + 20})
    player.page.keyboard.press("2")
    player.locked(trial)
    trial = player.ready()
    touch("touchEnd")  # on the first button of the second question
    expect(player.find(".answers button").first).to_be_visible()
    assert player.host.get_attribute("data-accepting") == trial
    player.press("2")
    player.screen("debrief")
    assert answers(study) == ["1", "1"]


def test_a_stroke_begun_before_the_picture_was_painted_draws_nothing(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[ROW, QUESTIONS["brush"]])
    player = open_player(admitted=True)
    player.ready()
    player.page.mouse.move(10, 400)
    player.page.mouse.down()
    player.press("1")
    player.ready("brush")
    box = player.find("canvas").first.bounding_box()
    assert box is not None
    for x in 40, 80:
        player.page.mouse.move(box["x"] + x, box["y"] + 40)
    player.page.mouse.up()
    expect(player.find(".marks .painted")).to_have_count(0)


def test_a_key_answers_again_when_it_was_released_and_not_when_it_bounces(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[ROW] * 3)
    player = open_player(admitted=True)
    trial = player.ready()
    t = now(player)
    dispatch(player, key("down", "1", t))
    player.locked(trial)
    trial = player.ready()
    t = now(player)
    dispatch(
        player,
        *(key("down", "1", t - 100 + k, repeat=True) for k in (0, 30, 60)),  # still held
        key("up", "1", t),
        key("down", "1", t + 30),  # bounces
        key("up", "1", t + 35),
    )
    assert player.host.get_attribute("data-accepting") == trial
    dispatch(player, key("down", "1", t + 130))
    player.locked(trial)
    player.press("2")
    player.screen("debrief")
    assert answers(study) == ["0", "0", "1"]
    assert refused(study) == [0, 1, 0]  # what a key does while it is held is no press


def test_refused_presses_are_counted_up_to_the_answer_or_the_end_of_the_time(
    study: Study, open_player: Open
) -> None:
    late = {**ROW, "response_window_ms": 1500}
    study.set(questions=[ROW, late, ROW])
    player = open_player(admitted=True)
    trial = player.ready()
    t = now(player)
    early = [key("down", "1", t - 10_000), key("down", "1", t - 9000), key("down", "9", t - 8000)]
    dispatch(player, *early)
    player.press("1")
    trial = player.ready()
    dispatch(player, *tap(".answers button", t - 10_000, 1))
    player.locked(trial)
    player.press("1")
    player.screen("debrief")
    assert answers(study) == ["0", "timed_out", "0"]
    assert refused(study) == [2, 1, 0]


def test_the_second_half_of_a_double_click_passes_no_page(study: Study, open_player: Open) -> None:
    """Its first half answered, or went on from the feedback; the page would never be read."""
    study.set(practice=1, questions=[ROW] * 3, block_of=1)
    player = open_player(admitted=True)
    player.press("1")
    player.ready()

    def double(first: str, page: str, finger: int) -> None:
        began = now(player)
        dispatch(player, *tap(first, began, finger))
        player.between(page)
        onto = f"[data-screen={page}] button"
        dispatch(player, *tap(onto, began + 150, finger + 1))
        for _ in range(3):  # the next question would begin with the next frames
            player.page.evaluate("new Promise(requestAnimationFrame)")
        assert player.host.get_attribute("data-accepting") == page
        dispatch(player, *tap(onto, now(player), finger + 2))
        player.reached("[data-screen=trial]")

    double("#feedback-continue", "practised", 1)
    player.ready()
    double(".answers button", "break", 4)
    player.press("2")
    player.screen("debrief")
    assert answers(study) == ["0", "0", "1"]
    assert refused(study) == [0, 1, 1]  # as if the page had not been there


def test_a_page_between_questions_is_passed_by_key_and_by_assistive_technology(
    study: Study, open_player: Open
) -> None:
    study.set(practice=1, questions=[ROW] * 3, block_of=1)
    player = open_player(admitted=True)
    player.press("1")
    player.press("Enter")
    player.between("practised")
    player.page.keyboard.press("Space")
    player.press("1")
    player.between("break")
    player.find("[data-screen=break] button").evaluate("(button) => button.click()")
    player.press("1")
    player.screen("debrief")
    assert refused(study) == [0, 0, 0]


# --- what tests and support see -------------------------------------------------------------------


def test_a_question_tells_that_it_takes_answers_where_timers_are_early(
    study: Study, open_player: Open, new_context: Callable[..., BrowserContext]
) -> None:
    """As in Firefox at times, where clocks are rounded."""
    study.set(main=1)
    context = new_context()
    context.add_init_script(
        "const later = setTimeout;"
        "window.setTimeout = (act, ms, ...more) => later(act, 0.8 * ms, ...more);"
    )
    player = open_player(context, admitted=True)
    player.pair()
    player.screen("debrief")
