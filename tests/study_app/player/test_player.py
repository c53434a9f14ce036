"""The participant's way through a study, in a real browser against a fake server."""

from __future__ import annotations

import re
import time
import uuid
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO

import httpx2
import pytest
from fake_server import Server, Study
from fake_study import SIZE, shown_label, stimulus
from PIL import Image
from player_page import READ_CANVAS, Player
from playwright.sync_api import Browser, BrowserContext, Page, expect

from db.measured import Timing

Open = Callable[..., Player]
NewContext = Callable[..., BrowserContext]

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PHONE = {
    "viewport": {"width": 360, "height": 640},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


DOORS = ["/", "/p"]
"""Streamlit's page and the light one: what the page around the player could spoil."""


# --- the whole way --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOORS)
def test_whole_study_by_keyboard(path: str, study: Study, open_player: Open) -> None:
    study.set(practice=1)
    player = open_player(path=path)
    expect(player.find("[data-field=consent]").first).to_contain_text("<b>Raw</b> HTML stays text")
    player.find("#agree").focus()
    player.page.keyboard.press("Enter")
    player.screen("instructions")
    player.find("#start").focus()
    player.page.keyboard.press("Enter")
    for key in "3", "y":
        player.press(key)
        expect(player.find(".feedback")).to_contain_text("most people see it so")
        player.press("Enter")
    player.between("practised")
    player.page.keyboard.press("Enter")
    player.pair("x", "n")
    player.pair("7", "y")
    player.screen("debrief")
    expect(player.find(".code")).to_have_text("QK7M-2XPA")
    expect(player.find("#redirect")).to_have_attribute("href", re.compile("cc=QK7M-2XPA"))
    assert study.answers == ["3", "yes", "cant_tell", "no", "7", "yes"]
    received = study.state["received"]
    assert len(received) == 6
    for body in received:
        assert UUID4.fullmatch(body["event_id"])
        assert body["attempt"] == 1
        timing, display = body["timing"], body["display"]
        assert timing.keys() == set(Timing.model_fields)
        assert timing["input"] == "key"
        assert timing["response_ms"] - timing["onset_ms"] == pytest.approx(body["rt_ms"], abs=0.2)
        assert body["rt_ms"] >= 200
        assert 0 < timing["onset_error_ms"] < 250
        assert display["rendering"] == "exact"
        assert display["css_px"] * display["device_pixel_ratio"] == SIZE * display["upscale_factor"]
    player.page.reload()
    player.screen("debrief")


def test_whole_study_by_touch(study: Study, open_player: Open) -> None:
    player = open_player(**PHONE)
    player.find("#agree").tap()
    player.find("#start").tap()
    for label in "4", "cant_tell":
        for task, value in ("label_nafc", label), ("target_plausible", "no"):
            trial = player.ready(task)
            player.find(f".answers [data-value='{value}']").tap()
            player.locked(trial)
    player.screen("debrief")
    assert study.answers == ["4", "no", "cant_tell", "no"]
    assert {body["timing"]["input"] for body in study.state["received"]} == {"touch"}


def test_declining_stores_nothing(study: Study, open_player: Open) -> None:
    player = open_player()
    player.find("#decline").click()
    player.screen("declined")
    assert player.page.evaluate("localStorage.length") == 0
    assert study.state["participants"] == {}
    player.find("#back").click()
    player.screen("consent")


@pytest.mark.parametrize(("name", "path"), [("closed", "/p"), ("unknown", "/")])
def test_closed_and_unknown_studies_get_a_calm_page(
    name: str, path: str, open_player: Open
) -> None:
    player = open_player(path=path, name=name)
    player.screen(name)
    expect(player.find("button:visible")).to_have_count(0)


# --- exactly one answer per question --------------------------------------------------------------


def test_double_click_answers_one_question(study: Study, open_player: Open) -> None:
    player = open_player(admitted=True)
    for value in "6", "yes", "6", "yes":
        player.ready()
        box = player.find(f".answers [data-value='{value}']").bounding_box()
        assert box is not None
        at = box["x"] + 10, box["y"] + box["height"] - 10
        player.page.mouse.dblclick(*at)
    player.screen("debrief")
    assert study.answers == ["6", "yes", "6", "yes"]
    assert len(study.state["received"]) == 4


def test_held_key_answers_one_question(study: Study, open_player: Open) -> None:
    player = open_player(admitted=True)
    player.ready()
    for _ in range(20):
        player.page.keyboard.down("5")
    player.press("y", "target_plausible")
    player.ready("label_nafc")
    for _ in range(20):
        player.page.keyboard.down("5")
    player.page.keyboard.up("5")
    player.pair("8", "n")
    player.screen("debrief")
    assert study.answers == ["5", "yes", "8", "no"]
    assert {body["timing"]["refused_n"] for body in study.state["received"]} == {0}


def test_keys_with_modifiers_and_menu_do_not_answer(study: Study, open_player: Open) -> None:
    study.set(main=1)
    player = open_player(admitted=True)
    player.ready()
    for combination in "Control+5", "Alt+5", "Meta+5":
        player.page.keyboard.press(combination)
    player.find("#menu-button").click()
    player.page.keyboard.press("5")
    player.page.keyboard.press("Escape")
    expect(player.find("#menu")).not_to_be_visible()
    player.pair("2", "y")
    player.screen("debrief")
    assert study.answers == ["2", "yes"]
    assert study.state["received"][0]["timing"]["focus_lost_n"] == 1


def test_mounting_again_changes_nothing(study: Study, open_player: Open) -> None:
    study.set(main=1)
    player = open_player(admitted=True)
    player.ready()
    for _ in range(3):
        player.page.evaluate("window.remount()")
    expect(player.host).to_have_count(1)
    player.pair("2", "y")
    player.screen("debrief")
    assert len(study.state["received"]) == 2


LISTENERS = """
window.listeners = new Map();
const { addEventListener: add, removeEventListener: remove } = AbortSignal.prototype;
AbortSignal.prototype.addEventListener = function (type, listener, options) {
  if (!window.listeners.has(this)) window.listeners.set(this, new Set());
  window.listeners.get(this).add(listener);
  return add.call(this, type, listener, options);
};
AbortSignal.prototype.removeEventListener = function (type, listener, options) {
  window.listeners.get(this)?.delete(listener);
  return remove.call(this, type, listener, options);
};
window.mostListeners = () => Math.max(
  ...[...window.listeners].filter(([{ aborted }]) => !aborted).map(([, { size }]) => size),
);
"""


def test_no_trial_leaves_a_listener_behind(
    study: Study, open_player: Open, new_context: NewContext
) -> None:
    study.set(main=6)
    context = new_context()
    context.add_init_script(LISTENERS)
    player = open_player(context, admitted=True)
    counts = []
    for _ in range(6):
        player.ready("label_nafc")
        counts.append(player.page.evaluate("window.mostListeners()"))
        player.pair()
    player.screen("debrief")
    assert counts[-1] <= counts[1], counts


# --- resuming -------------------------------------------------------------------------------------


def test_refresh_resumes_where_one_was(study: Study, open_player: Open) -> None:
    player = open_player()
    player.page.reload()
    player.screen("consent")
    player.find("#agree").click()
    player.screen("instructions")
    player.page.reload()
    player.find("#start").click()
    first = player.ready("label_nafc")
    player.page.reload()
    assert player.ready("label_nafc") == first
    player.press("3")
    second = player.ready("target_plausible")
    player.page.reload()
    assert player.ready("target_plausible") == second
    expect(player.find(".prompt")).to_contain_text(f"labelled this {shown_label(0)}")
    expect(player.find(".count")).to_have_text("1 of 4")
    player.press("n")
    player.pair("3", "y")
    player.screen("debrief")
    assert study.answers == ["3", "no", "3", "yes"]


def test_answers_that_wait_survive_a_refresh(study: Study, open_player: Open) -> None:
    player = open_player(admitted=True)
    player.ready()
    player.page.context.route("**/api/response", lambda route: route.abort())
    player.press("3")
    player.press("y", "target_plausible")
    third = player.ready("label_nafc")
    player.page.reload()
    assert player.ready("label_nafc") == third
    assert study.state["received"] == []
    player.page.context.unroute("**/api/response")
    player.pair("4", "n")
    player.page.evaluate("window.dispatchEvent(new Event('online'))")
    player.screen("debrief")
    assert study.answers == ["3", "yes", "4", "no"]


def test_personal_link_continues_elsewhere(
    server: Server, study: Study, open_player: Open, new_context: NewContext
) -> None:
    player = open_player(admitted=True)
    player.press("3")
    second = player.ready("target_plausible")
    player.find("#menu-button").click()
    link = player.find("#link").input_value()
    page = new_context().new_page()
    page.goto(link)
    elsewhere = Player(page)
    assert elsewhere.ready("target_plausible") == second
    assert page.url == f"{server.url}/p/{study.name}?lang=en"
    assert len(study.state["participants"]) == 1


# --- losing the server ----------------------------------------------------------------------------


def test_lost_acknowledgement_is_sent_again_and_counted_once(
    study: Study, open_player: Open
) -> None:
    study.set(main=1, lose_acks=1)
    player = open_player(admitted=True)
    player.pair("3", "y")
    player.screen("debrief")
    received = study.state["received"]
    assert len(received) == 3
    assert received[0]["event_id"] == received[1]["event_id"]
    assert len({body["event_id"] for body in received}) == 2
    assert study.answers == ["3", "yes"]


def test_lost_consent_reply_makes_one_participant(study: Study, open_player: Open) -> None:
    study.set(fail_next={"consent": [429], "consent_reply": [503], "admit": [503]})
    player = open_player()
    player.start()
    player.ready()
    assert len(study.state["participants"]) == 1


@pytest.mark.parametrize("path", DOORS)
def test_trials_go_on_while_the_server_is_away(
    path: str, server: Server, study: Study, open_player: Open
) -> None:
    study.set(main=5)
    player = open_player(path=path, admitted=True)
    player.pair("0", "y")
    server.kill()
    killed = time.monotonic()
    player.pair("1", "n")
    player.pair("2", "y")
    expect(player.find(".status")).to_contain_text("Your answers are kept", timeout=6000)
    # Streamlit has noticed, too. Its dialog is behind the player: focus and clicks are ours.
    player.press("3", "label_nafc")
    player.ready("target_plausible")
    player.find(".answers [data-value=yes]").click(timeout=2000)
    player.ready("label_nafc")
    on_top = "document.elementFromPoint(innerWidth / 2, innerHeight / 2).id"
    assert player.page.evaluate(on_top) == "plausibly-player"
    last = player.host.get_attribute("data-accepting")
    time.sleep(max(0.0, killed + 5 - time.monotonic()))
    server.start()
    player.page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(player.find(".status")).to_have_text("", timeout=20_000)
    expect(player.page.locator("[data-testid=stStatusWidget]")).to_have_count(0, timeout=20_000)
    assert player.host.get_attribute("data-accepting") == last
    player.pair("4", "n")
    player.screen("debrief")
    assert study.answers == ["0", "yes", "1", "no", "2", "yes", "3", "yes", "4", "no"]


def test_another_answer_elsewhere_is_told_and_no_dead_end(
    server: Server, study: Study, open_player: Open
) -> None:
    study.set(main=1)
    player = open_player(admitted=True)
    trial = player.ready("label_nafc")
    (token,) = study.state["participants"]
    elsewhere = {
        "event_id": str(uuid.uuid4()), "trial_id": trial, "attempt": 1, "answer": "9",
        "rt_ms": 500, "timing": {}, "display": {},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {token}"}
    httpx2.post(f"{server.url}/api/response", json=elsewhere, headers=headers).raise_for_status()
    player.press("3")
    player.screen("elsewhere")
    expect(player.find("h1:visible")).to_have_text("The study is open elsewhere")
    player.find("#go-on").click()
    player.press("y", "target_plausible")
    player.screen("debrief")
    assert study.answers == ["9", "yes"]
    kept = player.page.evaluate("Object.keys(localStorage)")
    assert not [key for key in kept if key.endswith((":outbox", ":refused", ":draft"))]


def test_refused_answer_is_kept_aside_and_its_question_asked_again(
    study: Study, open_player: Open
) -> None:
    study.set(main=1, fail_next={"response": [422]})
    player = open_player(admitted=True)
    player.press("3")
    expect(player.find(".status")).to_contain_text("could not be saved")
    refused = player.page.evaluate(
        "JSON.parse(localStorage[Object.keys(localStorage).find("
        "(key) => key.endsWith(':refused'))])"
    )
    assert [(entry["status"], entry["body"]["answer"]) for entry in refused] == [(422, "3")]
    player.press("y", "target_plausible")
    player.press("5", "label_nafc")
    player.screen("debrief")
    assert sorted(study.answers) == ["5", "yes"]


def test_practice_goes_on_without_late_feedback(study: Study, open_player: Open) -> None:
    study.set(practice=1, main=0, feedback_delay_s=3.5)
    player = open_player(admitted=True)
    player.press("3", "label_nafc")
    player.ready("target_plausible")
    expect(player.find(".feedback")).to_have_count(0)


# --- tokens and tabs ------------------------------------------------------------------------------


def test_wrong_token_gets_a_calm_page(server: Server, study: Study, open_player: Open) -> None:
    player = open_player(fragment=f"#p={'0' * 32}")
    player.screen("invalid")
    assert player.page.url == f"{server.url}/bare?study={study.name}"
    assert study.state["participants"] == {}
    player.find("#anew").click()
    player.screen("consent")
    assert player.page.evaluate("localStorage.length") == 0


def test_token_that_becomes_invalid_in_the_middle(study: Study, open_player: Open) -> None:
    player = open_player(admitted=True)
    player.ready()
    study.set(participants={})
    player.press("3")
    player.screen("invalid")


def test_withdrawing_deletes_and_forgets(study: Study, open_player: Open) -> None:
    player = open_player(admitted=True)
    player.pair("3", "y")
    player.find("#menu-button").click()
    player.find("#withdraw").click()
    player.find("#withdraw-keep").click()
    player.ready("label_nafc")
    player.find("#menu-button").click()
    player.find("#withdraw").click()
    player.find("#withdraw-confirm").click()
    player.screen("withdrawn")
    assert study.state["participants"] == {}
    assert player.page.evaluate("localStorage.length") == 0


def test_second_tab_waits_and_can_take_over(study: Study, open_player: Open) -> None:
    first = open_player(admitted=True)
    trial = first.ready()
    second = open_player(first.page.context)
    second.screen("other_tab")
    assert first.ready() == trial
    second.find("#here").click()
    assert second.ready() == trial
    first.screen("other_tab")
    second.page.bring_to_front()
    second.pair("3", "y")
    second.page.close()
    first.page.bring_to_front()
    first.page.reload()
    first.pair("4", "n")
    first.screen("debrief")
    assert study.answers == ["3", "yes", "4", "no"]


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1.5, 2])
def test_screen_shows_the_stimulus(
    ratio: float, server: Server, study: Study, launch: Callable[..., Browser]
) -> None:
    """On a real screen of this ratio: in emulation the browser puts boxes on whole CSS pixels."""
    size = "--window-size=801,1001"  # odd: the middle is between two device pixels
    browser = launch(f"--force-device-scale-factor={ratio}", size)
    page = browser.new_context(no_viewport=True).new_page()
    page.goto(f"{server.url}/bare?study={study.name}")
    player = Player(page)
    player.start()
    player.ready()
    seen = page.evaluate(READ_CANVAS, SIZE)
    capture = page.context.new_cdp_session(page).send("Page.captureScreenshot")
    browser.close()
    screen = Image.open(BytesIO(b64decode(capture["data"]))).convert("RGB")
    side = SIZE * int(seen["scale"])
    left, top = round(seen["left"] * ratio), round(seen["top"] * ratio)
    shown = screen.crop((left, top, left + side, top + side))
    expected = stimulus(study.name, 0).resize((side, side), Image.Resampling.NEAREST)
    assert shown.tobytes() == expected.convert("RGB").tobytes()


def test_picture_is_painted_anew_when_the_window_changes(study: Study, open_player: Open) -> None:
    player = open_player(admitted=True)
    player.ready()
    before = player.page.evaluate(READ_CANVAS, SIZE)["scale"]
    player.page.set_viewport_size({"width": 360, "height": 568})
    expect(player.find("canvas")).to_have_attribute("width", str(SIZE * 7))
    after = player.page.evaluate(READ_CANVAS, SIZE)
    assert after["scale"] < before
    assert bytes(after["grey"]) == stimulus(study.name, 0).tobytes()
    player.press("3")
    player.ready("target_plausible")
    (body,) = study.state["received"]
    assert body["timing"]["redraw_n"] == 1
    assert body["display"]["upscale_factor"] == 7


def test_picture_is_painted_anew_when_the_pixel_ratio_alone_changes(
    study: Study, new_context: NewContext, open_player: Open
) -> None:
    """As when a window is moved to another screen: its size in CSS pixels stays."""
    context = new_context()
    context.add_init_script(
        "addEventListener('resize', (event) => event.stopImmediatePropagation(), true)"
    )
    player = open_player(context, admitted=True)
    cdp = context.new_cdp_session(player.page)
    screen = {"width": 800, "height": 800, "mobile": False}
    for key, ratio in ("3", 1.5), ("y", 2):
        player.ready()
        before = player.page.evaluate(READ_CANVAS, SIZE)["scale"]
        cdp.send("Emulation.setDeviceMetricsOverride", {**screen, "deviceScaleFactor": ratio})
        # In emulation the browser looks at its media queries only with the next cause to do so.
        player.page.emulate_media(color_scheme="dark")
        player.page.emulate_media(color_scheme="light")
        expect(player.find("canvas")).not_to_have_attribute("width", str(int(SIZE * before)))
        after = player.page.evaluate(READ_CANVAS, SIZE)
        assert after["scale"] > before
        assert bytes(after["grey"]) == stimulus(study.name, 0).tobytes()
        player.press(key)
    player.ready("label_nafc")
    expect(player.host).to_have_attribute("data-pending", "0")
    received = study.state["received"]
    assert [body["timing"]["pixel_ratio_changes"] for body in received] == [1, 1]
    assert [body["timing"]["redraw_n"] for body in received] == [1, 1]
    assert [body["display"]["device_pixel_ratio"] for body in received] == [1.5, 2]
    assert {body["display"]["rendering"] for body in received} == {"exact"}


def test_wrong_picture_is_fetched_again(study: Study, open_player: Open) -> None:
    study.set(main=1, wrong_pictures=1)
    player = open_player(admitted=True)
    player.ready()
    seen = player.page.evaluate(READ_CANVAS, SIZE)
    assert bytes(seen["grey"]) == stimulus(study.name, 0).tobytes()


def test_picture_that_stays_wrong_is_never_shown(study: Study, open_player: Open) -> None:
    study.set(main=1, wrong_pictures=5)
    player = open_player(admitted=True)
    for left in range(4, 0, -1):
        while study.state["wrong_pictures"] > left:
            player.page.wait_for_timeout(50)
        player.page.evaluate("window.dispatchEvent(new Event('online'))")  # do not wait so long
    expect(player.find("#picture-failed")).to_be_visible(timeout=12_000)
    expect(player.find("canvas")).to_have_count(0)
    player.find("#picture-again").click()
    player.ready()


def test_plain_http_without_subtle_crypto(
    study: Study, new_context: NewContext, open_player: Open
) -> None:
    study.set(main=1)
    context = new_context()
    context.add_init_script(
        "Object.defineProperty(crypto, 'subtle', { value: undefined });"
        "Object.defineProperty(crypto, 'randomUUID', { value: undefined });"
    )
    player = open_player(context, admitted=True)
    player.pair()
    player.screen("debrief")
    assert all(UUID4.fullmatch(body["event_id"]) for body in study.state["received"])


# --- what the participant sees --------------------------------------------------------------------


def test_second_question_is_nowhere_before_the_first_is_answered(
    study: Study, open_player: Open
) -> None:
    player = open_player(admitted=True)
    player.ready("label_nafc")
    everything = player.page.evaluate(
        "document.documentElement.outerHTML + JSON.stringify(localStorage)"
        " + document.getElementById('plausibly-player').shadowRoot.innerHTML"
    )
    names = accessible_names(player.page)
    assert "Which label fits best?" in names
    assert "labelled this" not in everything + " ".join(names)
    player.press("3")
    player.ready("target_plausible")
    assert f"labelled this {shown_label(0)}" in " ".join(accessible_names(player.page))


def test_a_trial_fits_the_window_and_nothing_moves(study: Study, open_player: Open) -> None:
    player = open_player(admitted=True)
    places: list[list[object]] = []
    for task, key in ("label_nafc", "3"), ("target_plausible", "y"):
        player.ready(task)
        places.append([])
        for width, height in (360, 640), (320, 568), (640, 360), (1440, 900):
            player.page.set_viewport_size({"width": width, "height": height})
            assert not player.host.evaluate("(host) => host.scrollHeight > host.clientHeight")
            for button in player.find(".answers button, #menu-button").all():
                box = button.bounding_box()
                assert box is not None
                assert min(box["width"], box["height"]) >= 48
                assert min(box["x"], box["y"]) >= 0
                assert box["x"] + box["width"] <= width
                assert box["y"] + box["height"] <= height
            places[-1] += [player.find(part).bounding_box() for part in (".stage", ".prompt")]
        player.press(key)
    assert places[0] == places[1]


def accessible_names(page: Page) -> list[str]:
    """What assistive technology is told: the names in the browser's own accessibility tree."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    return [node["name"].get("value", "") for node in tree["nodes"] if "name" in node]


@pytest.mark.parametrize("path", DOORS)
def test_only_the_study_can_be_seen_and_reached(path: str, open_player: Open) -> None:
    player = open_player(path=path)
    player.screen("consent")
    names = accessible_names(player.page)
    assert "I agree and want to take part" in names
    assert "Deploy" not in names
    assert player.page.evaluate("document.documentElement.lang") == "en"
    expect(player.page).to_have_title("How do people see changed digits?")
    reached = set()
    for _ in range(6):
        player.page.keyboard.press("Tab")
        reached.add(player.page.evaluate("document.activeElement.id || 'page'"))
    assert reached <= {"plausibly-player", "page"}
    runs = "performance.getEntriesByType('resource').length"
    before = player.page.evaluate(runs)
    for shortcut in "r", "c":
        player.page.keyboard.press(shortcut)
    assert player.page.locator("[role=dialog]").count() == 0
    assert player.page.evaluate(runs) == before
