"""Every way to answer, by keyboard alone and by touch alone, and what is shown meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fake_server import Study
from fake_study import SIZE, stimulus
from layouts import QUESTIONS
from player_page import READ_CANVASES, Player
from playwright.sync_api import expect
from walker import Walker

Open = Callable[..., Player]

PHONE = {
    "viewport": {"width": 360, "height": 640},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
KEYS: dict[str, tuple[list[str], str]] = {
    "grid": (["4"], "3"),
    "row": (["y"], "0"),
    "scale": (["7"], "6"),
    "words": (["2"], "1"),
    "detect": (["5"], "4"),
    "pictures": (["="], "tie"),
    "four": (["c"], "2"),
    "rank": (["Enter", "b", "a", "Backspace", "c", "a", "Enter"], "1,2,0"),
    "point": (["ArrowUp", "ArrowUp", "Shift+ArrowLeft", "Space", "ArrowDown", "Enter"], "9,13"),
    "brush": (["Space", "ArrowLeft", "Space", "ArrowUp", "Space", "Space", "Enter"], "23,24"),
    "text": (["a", "1", "Enter", "x", "Tab", "Enter"], "a1\nx"),
    "survey": (["Tab", "Space", "ArrowRight", "Tab", "1", "y", "Enter"], ""),
}
SURVEY = {"natural": "2", "why": "1y"}


def read(study: Study) -> list[tuple[str, str]]:
    """Every answer received, with the layout that it was given to."""
    names = list(QUESTIONS)
    return [(names[k], body["answer"]) for k, body in enumerate(study.state["received"])]


def test_every_layout_by_keyboard(study: Study, open_player: Open) -> None:
    study.set(questions=list(QUESTIONS.values()))
    player = open_player(admitted=True)
    for name, (keys, _) in KEYS.items():
        trial = player.ready(QUESTIONS[name]["layout"])
        for k, key in enumerate(keys):
            assert player.host.get_attribute("data-accepting") == trial, (name, key)
            if key in keys[:k]:
                player.page.wait_for_timeout(90)  # sooner it would be a switch that bounces
            player.page.keyboard.press(key)
        player.locked(trial)
    player.screen("debrief")
    answers = dict(read(study))
    assert json.loads(answers.pop("survey")) == SURVEY
    assert answers == {name: answer for name, (_, answer) in KEYS.items() if answer}
    for name, body in zip(KEYS, study.state["received"], strict=True):
        assert body["timing"]["input"] == "key"
        assert body["display"]["rendering"] == "exact"
        composed = name in ("rank", "point", "brush", "text", "survey")
        assert (body["timing"]["first_ms"] < body["rt_ms"]) == composed, name


def test_every_layout_by_touch_on_a_phone_without_scrolling(
    study: Study, open_player: Open
) -> None:
    study.set(questions=list(QUESTIONS.values()))
    player = open_player(admitted=True, **PHONE)

    def value(wanted: str) -> None:
        player.find(f"[data-screen=trial] button[data-value='{wanted}']").tap()

    def frame(place: int) -> None:
        player.find(".frame").nth(place).tap()

    def at(x: float, y: float) -> dict[str, float]:
        box = player.find("canvas").first.bounding_box()
        assert box is not None
        return {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}

    def spot() -> None:
        player.page.touchscreen.tap(**at(0.51, 0.26))
        player.find(".confirm").tap()

    def stroke() -> None:
        session = player.page.context.new_cdp_session(player.page)
        for kind, x in ("Start", 0.5), ("Move", 0.64), ("Move", 0.78), ("End", None):
            points = [] if x is None else [at(x, 0.07)]
            session.send(
                "Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points}
            )
        expect(player.find(".marks .painted")).to_have_count(3)
        player.find(".confirm").tap()

    def words() -> None:
        player.find("textarea").tap()
        player.page.keyboard.type("a cat?")
        player.find(".confirm").tap()

    def fill() -> None:
        player.find("label.tick").nth(3).tap()
        player.find(".confirm").tap()

    def order() -> None:
        frame(2)
        player.page.wait_for_timeout(130)  # sooner it would be a finger that bounces
        for place in 2, 0, 2, 1:
            frame(place)
        player.find(".confirm").tap()

    ways: dict[str, tuple[Callable[[], None], str]] = {
        "grid": (lambda: value("5"), "5"),
        "row": (lambda: value("1"), "1"),
        "scale": (lambda: value("0"), "0"),
        "words": (lambda: value("4"), "4"),
        "detect": (lambda: value("2"), "2"),
        "pictures": (lambda: frame(1), "1"),
        "four": (lambda: value("3"), "3"),
        "rank": (order, "0,2,1"),
        "point": (spot, "14,7"),
        "brush": (stroke, "3,4,5"),
        "text": (words, "a cat?"),
        "survey": (fill, json.dumps({"natural": "4"})),
    }
    for name, (way, _) in ways.items():
        trial = player.ready(QUESTIONS[name]["layout"])
        over = "(host) => [host.scrollHeight - host.clientHeight, host.scrollWidth - innerWidth]"
        assert max(player.host.evaluate(over)) <= 0, name
        for button in player.find("[data-screen=trial] button:visible, label.tick").all():
            box = button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 43.4, name
        way()
        player.locked(trial)
    player.screen("debrief")
    answers = [
        json.dumps(json.loads(answer)) if name == "survey" else answer
        for name, answer in read(study)
    ]
    assert answers == [answer for _, answer in ways.values()]
    assert {body["timing"]["input"] for body in study.state["received"]} == {"touch"}


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1, 1.5, 2, 3])
def test_every_picture_is_exact(ratio: float, study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS["scale"] | {"pictures": n} for n in (1, 2, 3, 4)])
    player = open_player(admitted=True, device_scale_factor=ratio)
    for presentation, n in enumerate((1, 2, 3, 4)):
        player.ready()
        seen = player.page.evaluate(READ_CANVASES, SIZE)
        assert len(seen) == n
        assert {picture["scale"] for picture in seen} == {seen[0]["scale"]}
        room = player.find(".frame").first.evaluate("(frame) => frame.clientWidth")
        assert seen[0]["scale"] == int(room * ratio / SIZE)
        for place, picture in enumerate(seen):
            shown = stimulus(study.name, presentation, place)
            assert bytes(picture["grey"]) == shown.tobytes()
        expect(player.host).to_have_attribute("data-rendering", "exact")
        player.press("1234"[presentation])


def test_stimuli_stay_exact_under_marks_and_zoom_which_is_logged(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[QUESTIONS["brush"]])
    player = open_player(admitted=True)
    player.ready()
    player.page.keyboard.press("Space")
    player.page.wait_for_timeout(90)  # sooner it would be a switch that bounces
    for key in "ArrowLeft", "Space":
        player.page.keyboard.press(key)
    session = player.page.context.new_cdp_session(player.page)
    metrics = {"width": 640, "height": 640, "deviceScaleFactor": 1.25, "mobile": False}
    session.send("Emulation.setDeviceMetricsOverride", metrics)
    expect(player.find("canvas").first).to_have_attribute("width", str(SIZE * 12))
    expect(player.find(".marks .painted")).to_have_count(2)
    for place, picture in enumerate(player.page.evaluate(READ_CANVASES, SIZE)):
        assert bytes(picture["grey"]) == stimulus(study.name, 0, place).tobytes()
    player.press("Enter")
    player.screen("debrief")
    (body,) = study.state["received"]
    assert body["timing"]["pixel_ratio_changes"] == 1
    assert body["timing"]["redraw_n"] == 1
    assert body["display"]["device_pixel_ratio"] == 1.25


def test_pictures_fit_a_wide_window(study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS[name] for name in ("four", "row", "rank")])
    player = open_player(admitted=True, viewport={"width": 1440, "height": 900})
    for key in "c", "y", "":
        player.ready()
        assert not player.host.evaluate("(host) => host.scrollHeight > host.clientHeight")
        sides = [canvas.bounding_box() for canvas in player.find("canvas").all()]
        assert min(box["width"] for box in sides if box) >= 280
        if key:
            player.press(key)


# --- time -----------------------------------------------------------------------------------------

PRESS_LATER = """([first, then, delay]) => new Promise((resolve, reject) => {
  const press = (key) => {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, composed: true });
    window.dispatchEvent(event);
    return event.timeStamp;
  };
  const host = document.getElementById("plausibly-player");
  const frames = [];
  let painted = null;
  new MutationObserver(() => { painted ??= document.timeline.currentTime; })
    .observe(host, { attributeFilter: ["data-trial-id"] });
  const frame = (time) => {
    frames.push(time);
    const after = painted === null ? [] : frames.filter((other) => other > painted);
    if (after.length < 2) return requestAnimationFrame(frame);
    setTimeout(() => {
      const pressed = press(then);
      resolve({ longest: pressed - after[0], shortest: pressed - after[1] });
    }, delay);
  };
  requestAnimationFrame(frame);
  press(first);
  setTimeout(reject, 20_000);
})"""


def test_key_press_at_a_known_delay_is_timed_within_one_frame(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[QUESTIONS["grid"]] * 6)
    player = open_player(admitted=True)
    pressed = []
    for first, then in ("1", "2"), ("3", "4"), ("5", "6"):
        player.ready()
        # Answers a question, sees for itself when the next picture is painted, and presses a key
        # some time later.
        pressed.append(player.page.evaluate(PRESS_LATER, [first, then, 400]))
    player.screen("debrief")
    reactions = [body["rt_ms"] for body in study.state["received"]][1::2]
    for known, reaction in zip(pressed, reactions, strict=True):
        assert known["shortest"] >= 400
        assert known["shortest"] - 0.2 <= reaction <= known["longest"] + 0.2


# --- what was entered stays -----------------------------------------------------------------------


def test_composed_answers_survive_a_refresh(study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS["text"], QUESTIONS["rank"]])
    player = open_player(admitted=True)
    player.ready()
    player.page.keyboard.type("a cat")
    player.page.reload()
    player.ready()
    player.page.keyboard.type("!")
    expect(player.find(".counter")).to_have_text("6 / 500")
    player.find(".confirm").click()
    player.ready("rank")
    player.page.keyboard.press("c")
    player.page.reload()
    player.ready("rank")
    expect(player.find("button[data-value='2'] .badge")).to_have_text("1")
    for key in "a", "b", "Enter":
        player.page.keyboard.press(key)
    player.screen("debrief")
    assert study.answers == ["a cat!", "2,0,1"]
    kept = player.page.evaluate("Object.keys(localStorage)")
    assert not [key for key in kept if key.endswith(":draft")]


def test_the_longest_answers_arrive_although_storage_is_full(
    study: Study, open_player: Open
) -> None:
    longest = "猫" * 20_000
    text = QUESTIONS["text"] | {"max_length": 20_000}
    study.set(questions=[text, text, QUESTIONS["grid"]])
    player = open_player(admitted=True)
    player.ready()
    player.page.evaluate(
        """() => {
          for (let size = 2 ** 22; size >= 1024; size /= 2) {
            for (let k = 0; k < 4; k += 1) {
              try { localStorage.setItem(`full-${size}-${k}`, "x".repeat(size)); } catch {}
            }
          }
        }"""
    )
    for _ in range(2):
        trial = player.ready()
        player.find(".answers textarea").fill(longest)
        player.find(".confirm").click()
        player.locked(trial)
    player.press("1")
    player.screen("debrief")
    assert study.answers == [longest, longest, "0"]


def test_too_many_requests_wait_as_long_as_told(study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS["grid"]], fail_next={"response": [429]}, retry_after="2")
    player = open_player(admitted=True)
    player.press("1")
    player.screen("debrief")
    starts = player.page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter(({ name }) => name.endsWith('/api/response')).map(({ startTime }) => startTime)"
    )
    assert len(starts) == 2
    assert starts[1] - starts[0] >= 2000
    assert study.answers == ["0"]


# --- the way through ------------------------------------------------------------------------------


def test_a_break_comes_between_blocks_only(study: Study, open_player: Open) -> None:
    study.set(practice=1, questions=[QUESTIONS["grid"]] * 4, block_of=2)
    player = open_player(admitted=True)
    player.press("1")
    player.press("Enter")
    player.between("practised")
    player.page.keyboard.press("Enter")
    player.press("1")
    player.press("2")
    player.between("break")
    expect(player.find("#break-text")).to_contain_text("3 of 4")
    player.page.keyboard.press("Enter")
    player.press("3")
    player.screen("debrief")


def test_a_note_and_captions_are_read_with_the_question(study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS["row"], QUESTIONS["grid"]])
    player = open_player(admitted=True)
    player.ready()
    expect(player.find(".note")).to_have_text("The computer says: bird (87 % sure)")
    expect(player.find("figcaption")).to_have_text(["Picture", "Where it looked"])
    assert [picture.get_attribute("aria-label") for picture in player.find(".picture").all()] == [
        "Picture 1 of 2",
        "Picture 2 of 2",
    ]
    player.press("y")
    player.ready()
    expect(player.find(".note")).to_be_hidden()


def test_practice_feedback_fits_every_layout(study: Study, open_player: Open) -> None:
    shown: list[dict[str, Any]] = [QUESTIONS["rank"], QUESTIONS["pictures"], QUESTIONS["grid"]]
    study.set(practice=2, questions=shown)
    player = open_player(admitted=True, **PHONE)
    for key in "a", "b", "c", "Enter":
        player.ready()
        player.page.keyboard.press(key)
    for key in "Enter", "1", "Enter":
        player.ready()
        if key == "Enter":
            expect(player.find(".feedback")).to_be_visible()
            assert not player.host.evaluate("(host) => host.scrollHeight > host.clientHeight")
        player.press(key)
    player.screen("practised")


def test_a_picture_tapped_once_does_not_answer_a_later_question(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[QUESTIONS["pictures"], QUESTIONS["row"]])
    player = open_player(admitted=True)
    player.press("1")
    trial = player.ready()
    player.find(".frame").first.click()
    player.page.wait_for_timeout(100)
    assert player.host.get_attribute("data-accepting") == trial


def test_a_walker_finds_an_answer_to_every_layout(study: Study, open_player: Open) -> None:
    study.set(questions=list(QUESTIONS.values()))
    player = open_player(admitted=True, **PHONE)
    walker = Walker(player.page, lambda form, name: {"natural": "4", "why": "no"}[name])
    walker.walk()
    assert walker.end.screen == "debrief"
    assert len(study.state["received"]) == len(QUESTIONS)
    assert [stop.wrong for stop in walker.stops if stop.wrong] == []
    assert {stop.scrolled for stop in walker.stops} == {0}
