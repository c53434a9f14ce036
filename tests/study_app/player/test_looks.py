"""How a trial looks: how large its pictures are, what surrounds them, and what is in sight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fake_server import Server, Study
from fake_study import SIZE, stimulus
from layouts import QUESTIONS, options
from numpy.typing import NDArray
from PIL import Image
from player_page import Player
from playwright.sync_api import Browser, expect

from study_app.questions import Showing
from study_app.study import BUILT_IN, Wording, languages, load, speaks_of_a_label, wording
from study_app.study import Study as StudyFile

Open = Callable[..., Player]

WINDOWS = [(360, 640), (640, 360), (720, 450), (1440, 900)]
PHONES = WINDOWS[:2]
SURROUND = (0x8C, 0x8C, 0x8C)
PHONE = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}

# What can be seen of a trial once the window has its size and everything is painted for it.
LOOK = """(host) => new Promise((resolve) => {
  const tell = () => {
    const root = host.shadowRoot;
    const box = (part) => {
      const { left, top, right, bottom } = part.getBoundingClientRect();
      return { left, top, right, bottom };
    };
    const pictures = [...root.querySelectorAll("canvas")];
    resolve({
      over: host.scrollHeight - host.clientHeight,
      wider: host.scrollWidth - host.clientWidth,
      scrolled: host.scrollTop,
      frames: [...root.querySelectorAll(".frame")].map((frame) => frame.clientWidth),
      pictures: pictures.map(box),
      asked: box(root.querySelector(".asked")),
      beside: [...root.querySelectorAll("section.shown *")].filter((part) => {
        const { left, right, width } = part.getBoundingClientRect();
        return width && (left < -0.5 || right > host.clientWidth + 0.5);
      }).map(({ tagName, className }) => `${tagName} ${className}`),
    });
  };
  requestAnimationFrame(() => requestAnimationFrame(tell));
})"""


def look(player: Player, width: int, height: int) -> dict[str, Any]:
    """What is seen of the trial in a window of that size."""
    player.page.set_viewport_size({"width": width, "height": height})
    seen: dict[str, Any] = player.host.evaluate(LOOK)
    return seen


def side(seen: dict[str, Any]) -> float:
    """CSS pixels of the first picture's width."""
    first = seen["pictures"][0]
    return float(first["right"] - first["left"])


# --- every shipped study --------------------------------------------------------------------------


def shipped_views() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The questions that come together on pictures in shipped studies, with each study's words.

    Of those that look alike, those with the most to say.
    """
    longest: dict[str, tuple[int, str, list[dict[str, Any]]]] = {}
    for path in sorted(BUILT_IN.glob("*.yaml")):
        study = load(path.stem)
        for language in languages(study):
            words = wording(study, language)
            said = max(words.texts["feedback_right"], words.texts["feedback_wrong"], key=len)
            for label in study.conditions:
                views = list(asked(study, label, words))
                told = said.replace("{right}", "8").replace("{given}", "8")
                alike = repr([
                    (v["layout"], v["pictures"], len(v["options"]), "note" in v, "captions" in v)
                    for v in views
                ])  # fmt: skip
                length = sum(len(str(view)) for view in views) + len(told)
                if length > longest.get(alike, (0,))[0]:
                    longest[alike] = (length, told, views)
    for _, told, views in longest.values():
        yield told, views


def asked(study: StudyFile, label: str, words: Wording) -> Iterator[dict[str, Any]]:
    """What the browser gets of a condition's questions."""
    condition = study.conditions[label]
    pictures = condition.shown_pictures
    facts = {
        "kind": "clean", "true_label": 8, "prediction": {"label": 8, "confidence": 0.87},
        "pixels": {"shape": [1, 28, 28]},
    }  # fmt: skip
    for question in study.asked(condition):
        about = 8 if speaks_of_a_label(question) else None
        choices = None if condition.choices == "all" else (8, 3)
        showing = Showing("0123456789", [facts] * len(pictures), about, choices, words.say)
        view: dict[str, Any] = {**question.view(showing), "pictures": len(pictures)}
        view["prompt"] = view["prompt"].replace("{label}", "8")
        if any(picture.caption for picture in pictures):
            view["captions"] = [words.say(picture.caption or "") for picture in pictures]
        yield view


def test_no_trial_of_a_shipped_study_scrolls(study: Study, open_player: Open) -> None:
    shown = list(shipped_views())
    views = [view for _, together in shown for view in together]
    counts = [len(together) for _, together in shown]
    assert len(counts) >= 6
    study.set(
        practice=len(counts), questions=views, together=counts, feedback=[told for told, _ in shown]
    )
    player = open_player(admitted=True)
    for view in views:
        sizes: dict[tuple[int, int], float] = {}
        for answered in False, True:
            trial = player.ready()
            for width, height in WINDOWS:
                seen = look(player, width, height)
                where = (view["prompt"], answered, width, height)
                assert (seen["over"], seen["wider"], seen["scrolled"]) == (0, 0, 0), where
                assert seen["beside"] == [], where
                assert all(seen["asked"]["bottom"] <= box["top"] for box in seen["pictures"]), where
                if view["pictures"] == 1 and (width, height) in PHONES:
                    assert side(seen) >= 190, where
                assert sizes.setdefault((width, height), side(seen)) == side(seen), where
            player.page.keyboard.press("Enter" if answered else view["options"][0]["key"])
            player.locked(trial)
    player.screen("debrief")


# --- sizes ----------------------------------------------------------------------------------------


def test_all_questions_of_a_presentation_show_it_in_the_size_that_the_neediest_leaves(
    study: Study, open_player: Open
) -> None:
    roomy, needy = QUESTIONS["detect"], QUESTIONS["grid"]
    study.set(questions=[roomy, roomy, needy, needy, roomy, needy], together=[1, 2, 2, 1])
    player = open_player(admitted=True, **PHONE)
    player.press("1")
    player.press("1")
    player.ready()
    player.page.reload()  # in the middle of a presentation
    for _ in range(4):
        player.press("2")
    player.screen("debrief")
    sides = [body["display"]["css_px"] for body in study.state["received"]]
    assert sides[1:] == [sides[5]] * 5
    assert sides[0] > sides[5] >= 190


def test_a_picture_is_large_on_a_large_screen_up_to_the_declared_size(
    study: Study, open_player: Open
) -> None:
    study.set(questions=[QUESTIONS["detect"]])
    player = open_player(admitted=True)
    player.ready()
    assert [side(look(player, *window)) for window in ((1440, 900), (2560, 1440))] == [448, 448]


BEFORE = {
    "grid": [208, 250, 319, 320],
    "row": [148, 131, 150, 320],
    "scale": [148, 131, 150, 320],
    "words": [208, 250, 319, 320],
    "pictures": [148, 131, 150, 320],
    "four": [148, 84, 100, 240],
    "text": [250, 250, 319, 320],
}
"""Sides of the frames, by window, as the player showed them before studies noted their sizes."""


def test_a_study_that_began_before_keeps_the_sizes_of_its_pictures(
    study: Study, open_player: Open
) -> None:
    study.set(picture_sizes=1, questions=[QUESTIONS[name] for name in BEFORE])
    player = open_player(admitted=True)
    for name, sides in BEFORE.items():
        trial = player.ready()
        for window, known in zip(WINDOWS, sides, strict=True):
            assert set(look(player, *window)["frames"]) == {known}, (name, window)
        if name != "text":
            player.page.keyboard.press(QUESTIONS[name]["options"][0]["key"])
            player.locked(trial)


# --- what surrounds a picture ---------------------------------------------------------------------


def pixels(player: Player) -> NDArray[np.uint8]:
    """The window as shown, RGB."""
    return np.asarray(Image.open(BytesIO(player.page.screenshot())).convert("RGB"))


@pytest.mark.parametrize("window", [(360, 640), (1440, 900)])
def test_the_surround_is_one_grey_whatever_the_colours_of_the_system(
    window: tuple[int, int], study: Study, open_player: Open
) -> None:
    study.set(questions=[QUESTIONS["detect"]])
    player = open_player(admitted=True)
    player.ready()
    seen = look(player, *window)
    box = {name: round(at) for name, at in seen["pictures"][0].items()}
    half = (box["right"] - box["left"]) // 2
    shown = {}
    for colors, scheme in (
        ("none", "light"),
        ("none", "dark"),
        ("active", "light"),
        ("active", "dark"),
    ):
        player.page.emulate_media(color_scheme=scheme, forced_colors=colors)  # type: ignore[arg-type]
        now = shown[colors, scheme] = pixels(player)
        left, right = max(0, box["left"] - half), min(window[0], box["right"] + half)
        above = round(seen["asked"]["bottom"])
        band = now[above : box["bottom"] + 6, left:right].copy()
        inside = np.s_[
            box["top"] - above : box["bottom"] - above, box["left"] - left : box["right"] - left
        ]
        assert (band[inside] != SURROUND).any()
        band[inside] = SURROUND
        assert (band == SURROUND).all(), (colors, scheme)
        # The bar of progress is there in all of them: its two parts differ.
        track = player.find(".track").bounding_box()
        assert track is not None
        row = now[round(track["y"] + track["height"] / 2)]
        assert len(np.unique(row[round(track["x"]) - 3 : round(track["x"]) + 6], axis=0)) > 1
    assert (shown["none", "light"] == shown["none", "dark"]).all()
    # The colours of the system are still on: what comes first has the thicker line.
    width = "(button) => getComputedStyle(button).borderTopWidth"
    lines = [player.find(button).evaluate(width) for button in ("#agree", "#decline")]
    assert lines == ["3px", "1px"]


def test_no_ring_lies_on_the_stimulus(study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS["row"] | {"pictures": 1}, QUESTIONS["point"]])
    player = open_player(admitted=True)
    player.ready()
    player.find("[data-screen=trial] .answers button").first.click()
    player.ready("point")
    marks = player.find(".marks")
    assert marks.evaluate("(marks) => marks.getRootNode().activeElement === marks")
    box = look(player, 800, 800)["pictures"][0]
    scale = round(box["right"] - box["left"]) // SIZE
    left, top = round(box["left"]), round(box["top"])
    grey = np.asarray(stimulus(study.name, 1)).repeat(scale, 0).repeat(scale, 1)
    now = pixels(player)[top - 2 : top + SIZE * scale + 2, left - 2 : left + SIZE * scale + 2]
    assert (now[2:-2, 2:-2] == grey[..., None]).all()
    now = now.copy()
    now[2:-2, 2:-2] = SURROUND
    assert (now == SURROUND).all()
    # With the keyboard the ring is around it.
    player.page.keyboard.press("ArrowUp")
    player.page.keyboard.press("Tab")
    player.page.keyboard.press("Shift+Tab")
    ring = (
        "(marks) => [getComputedStyle(marks).outlineStyle, getComputedStyle(marks).outlineOffset]"
    )
    assert marks.evaluate(ring) == ["solid", "6px"]


# --- other windows, letters and directions --------------------------------------------------------


def test_nothing_is_beside_a_very_small_window(study: Study, open_player: Open) -> None:
    names = ["grid", "row", "scale", "words", "detect", "pictures", "text"]
    study.set(questions=[QUESTIONS[name] for name in names])
    player = open_player(admitted=True)
    for name in names:
        trial = player.ready()
        for window in (320, 256), (360, 280):  # at 400 %, and with the keyboard of a phone
            seen = look(player, *window)
            assert (seen["wider"], seen["beside"]) == (0, []), (name, window)
            if name == "text":
                count = player.find(".counter")
                assert count.evaluate("(count) => count.getClientRects().length") == 1
                player.find(".confirm").scroll_into_view_if_needed()
                expect(player.find(".confirm")).to_be_in_viewport()
        if name != "text":
            player.page.keyboard.press(QUESTIONS[name]["options"][0]["key"])
            player.locked(trial)


def test_letters_are_as_large_as_the_browser_is_set_to(
    launch: Callable[..., Browser], server: Server, study: Study
) -> None:
    browser = launch("--blink-settings=defaultFontSize=32")
    page = browser.new_page(viewport={"width": 360, "height": 640})
    page.goto(f"{server.url}/?study={study.name}")  # through Streamlit, which has a size of its own
    player = Player(page)
    player.screen("consent")
    assert player.host.evaluate("(host) => getComputedStyle(host).fontSize") == "34px"
    assert player.host.evaluate("(host) => host.scrollWidth - host.clientWidth") == 0
    study.set(practice=0, questions=[QUESTIONS["detect"]])
    player.start()
    player.ready()
    seen = player.host.evaluate(LOOK)
    assert (seen["wider"], seen["beside"]) == (0, [])
    assert side(seen) >= 190
    browser.close()


def test_a_language_from_right_to_left(study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS["scale"]])
    player = open_player(query="&lang=ar", admitted=True)
    player.ready()
    expect(player.host).to_have_attribute("dir", "rtl")
    seen = look(player, 360, 640)
    assert (seen["over"], seen["wider"], seen["beside"]) == (0, 0, [])
    # Which picture is left is a fact of the design, whatever the language.
    assert seen["pictures"][0]["left"] < seen["pictures"][1]["left"]
    low, high = (player.find(f".end.{end}").bounding_box() for end in ("low", "high"))
    menu = player.find("#menu-button").bounding_box()
    assert low is not None
    assert high is not None
    assert menu is not None
    assert high["x"] < low["x"]
    assert menu["x"] < 20


def test_withdrawing_is_in_sight_on_a_phone_on_its_side(study: Study, open_player: Open) -> None:
    player = open_player(admitted=True, viewport={"width": 640, "height": 360})
    player.ready()
    player.find("#menu-button").click()
    for button in "#menu-close", "#withdraw":
        expect(player.find(button)).to_be_in_viewport(ratio=1)


# --- keys, and what was chosen --------------------------------------------------------------------


def test_keys_are_told_where_a_key_was_used(study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS["grid"]] * 2)
    player = open_player(admitted=True, **PHONE)
    player.ready()
    hint = player.find(".answers kbd").first
    expect(hint).to_be_hidden()
    player.press("1")
    player.ready()
    expect(hint).to_be_visible()


def test_what_was_chosen_stays_beside_what_is_said_about_it(
    study: Study, open_player: Open
) -> None:
    two = QUESTIONS["pictures"] | {"options": options("Left", "Right")}
    study.set(practice=2, questions=[QUESTIONS["grid"], two])
    player = open_player(admitted=True)
    for key, chosen in ("3", "2"), ("2", "1"):
        player.press(key)
        player.ready()
        expect(player.find(".feedback")).to_be_visible()
        expect(player.find("#feedback-continue")).to_be_focused()
        expect(player.find(".prompt")).to_be_hidden()
        marked = player.find("[data-screen=trial] button.chosen")
        expect(marked).to_have_count(1)
        expect(marked).to_have_attribute("data-value", chosen)
        mark = "(button) => getComputedStyle(button, '::after').content"
        assert marked.evaluate(mark) == '"✓"'
        trial = player.host.get_attribute("data-accepting") or ""
        marked.click(force=True)
        player.find(".frame").first.click(force=True)
        assert player.host.get_attribute("data-accepting") == trial
        player.press("Enter")
    player.screen("debrief")


def test_the_end_says_what_one_wants_to_know(study: Study, open_player: Open) -> None:
    study.set(questions=[QUESTIONS["grid"]])
    player = open_player(admitted=True, **PHONE)
    player.press("1")
    player.screen("debrief")
    title = player.find("[data-text=done_title]")
    expect(title).to_have_text("Your answers are saved")
    expect(title).to_be_focused()
    expect(player.find("#done-text")).to_contain_text("you can close this page")
    for part in ".code", "#code-copy", "#redirect":
        expect(player.find(part)).to_be_in_viewport(ratio=1)
    expect(player.find("[data-field=debrief]")).to_contain_text("what the study was about")
