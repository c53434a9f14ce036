"""Pictures that are shown for a while only, and answers that are due within a time."""

from __future__ import annotations

from collections.abc import Callable

from fake_server import Study
from layouts import QUESTIONS, options
from player_page import Player
from playwright.sync_api import expect

Open = Callable[..., Player]
ROW = {"prompt": "Which?", "layout": "row", "options": options("Left", "Right")}

# Looks in every animation frame whether the picture can be seen; keeps when that changed.
WATCH = """() => {
  window.seen = [];
  const look = (now) => {
    const host = document.getElementById("plausibly-player");
    const canvas = host?.shadowRoot.querySelector("canvas");
    const visible = Boolean(canvas) && getComputedStyle(canvas).visibility === "visible";
    const trial = host?.dataset.trialId ?? null;
    const last = window.seen.at(-1);
    if (!last || last.visible !== visible || last.trial !== trial) {
      window.seen.push({ now, visible, trial });
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def visible(player: Player) -> bool:
    return bool(
        player.find("canvas").first.evaluate("(c) => getComputedStyle(c).visibility === 'visible'")
    )


def test_a_picture_is_shown_for_its_exposure_and_the_answer_still_counts(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[{**ROW, "exposure_ms": 400}, ROW])
    player = open_player(admitted=True)
    player.page.evaluate(WATCH)
    trial = player.ready("row")
    player.reached(f"[data-trial-id='{trial}']")
    expect(player.find("[data-screen=trial].over")).to_be_attached()
    assert not visible(player)
    expect(player.find(".prompt")).to_have_text("Which?")
    player.page.wait_for_timeout(50)
    player.press("1", "row")
    player.ready("row")
    assert visible(player)  # the next question shows its own
    first = study.state["received"][0]
    timing = first["timing"]
    assert (first["answer"], first["display"]["rendering"]) == ("0", "exact")
    shown, gone = (
        next(each["now"] for each in player.page.evaluate("window.seen") if test(each))
        for test in (
            lambda each: each["trial"] == trial and each["visible"],
            lambda each: each["trial"] == trial and not each["visible"],
        )
    )
    frame = timing["frame_ms"]
    # What another clock in the page saw, and what was recorded: both ends within a frame.
    assert abs(timing["exposure_ms"] - (gone - shown)) <= 2 * frame + 1
    assert timing["exposure_ms"] >= 400 - frame
    assert first["rt_ms"] > timing["exposure_ms"]


def test_an_answer_during_the_exposure_ends_it(study: Study, open_player: Open) -> None:
    study.set(questions=[{**ROW, "exposure_ms": 60_000}, {**ROW, "exposure_ms": 0}, ROW])
    player = open_player(admitted=True)
    player.press("1", "row")
    player.ready("row")
    assert not visible(player)  # 0: the pictures are not shown again
    player.press("2", "row")
    player.ready("row")
    assert visible(player)
    assert [each["timing"]["exposure_ms"] for each in study.state["received"]] == [None, None]


def test_without_an_answer_in_time_the_trial_ends_and_says_so(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[{**ROW, "response_window_ms": 700}, QUESTIONS["grid"]], practice=0)
    player = open_player(admitted=True)
    late = player.ready("row")
    player.ready("grid")
    expect(player.find(".status")).to_have_text("Time was up. Here is the next one.")
    (body,) = study.state["received"]
    assert (body["trial_id"], body["answer"], body["rt_ms"]) == (late, "timed_out", None)
    assert (body["timing"]["response_ms"], body["timing"]["input"]) == (None, None)
    player.page.wait_for_timeout(250)
    player.press("4", "grid")
    player.screen("debrief")
    assert [each["answer"] for each in study.state["received"]] == ["timed_out", "3"]


def test_what_counts_is_when_the_key_was_pressed(study: Study, open_player: Open) -> None:
    """A busy page sees a press late; one from after the window is none."""
    row = {**ROW, "response_window_ms": 1500}
    study.set(questions=[row, row])
    player = open_player(admitted=True)
    for pressed_ms, seen_ms in ((50, 1500), (1500, 1510)):
        player.ready("row")
        player.page.evaluate(
            """([pressed, seen]) => {
              const begun = performance.now();
              const key = new KeyboardEvent("keydown", { key: "1", bubbles: true, composed: true });
              Object.defineProperty(key, "timeStamp", { value: begun + pressed });
              while (performance.now() < begun + seen) { /* busy */ }
              document.getElementById("plausibly-player").dispatchEvent(key);
            }""",
            [pressed_ms, seen_ms],
        )
    player.screen("debrief")
    assert [each["answer"] for each in study.state["received"]] == ["0", "timed_out"]


def test_a_question_that_is_seen_again_after_a_refresh_says_so(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[{**ROW, "exposure_ms": 300}, ROW])
    player = open_player(admitted=True)
    player.ready("row")
    expect(player.find("[data-screen=trial].over")).to_be_attached()
    player.page.reload()
    player.press("1", "row")
    player.press("2", "row")
    player.screen("debrief")
    assert [each["timing"]["shown_n"] for each in study.state["received"]] == [2, 1]
