"""Screening, comprehension check and demographics; languages; those who cannot take part."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_server import Study
from layouts import FORMS, demographics, item, screening
from made_up_study import CONSENT_SHA256, TITLE
from player_page import Player, until
from playwright.sync_api import expect

from study_app.forms import Device
from study_app.player import ui_strings

Open = Callable[..., Player]

PHONE = {
    "viewport": {"width": 360, "height": 640},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


def form(player: Player, name: str) -> None:
    """Waits for a form."""
    player.reached(f"[data-screen=form][data-form={name}]")


def send(player: Player) -> None:
    """Sends the form by keyboard."""
    player.find("#form-send").focus()
    player.page.keyboard.press("Enter")


def test_all_forms_by_keyboard_with_a_refresh_in_each(study: Study, open_player: Open) -> None:
    study.set(main=1, forms=FORMS)
    player = open_player()
    player.find("#agree").focus()
    player.page.keyboard.press("Enter")

    form(player, "screening")
    keys = player.page.keyboard
    for key in "Tab", "3", "4", "Tab", "Space", "Tab", "ArrowRight":
        keys.press(key)  # age, sight, size of the card
    player.page.reload()
    form(player, "screening")
    expect(player.find("#item-age")).to_have_value("34")
    expect(player.find("input[value=yes]")).to_be_checked()
    send(player)

    player.screen("instructions")
    expect(player.find("#instructions-again")).to_be_hidden()
    for choice, again in ("fast", True), ("say", False):
        player.find("#start").focus()
        keys.press("Enter")
        form(player, "comprehension")
        player.find(f"input[value={choice}]").focus()
        keys.press("Space")
        player.page.reload()
        player.screen("instructions")
        player.find("#start").focus()
        keys.press("Enter")
        expect(player.find(f"input[value={choice}]")).to_be_checked()
        send(player)
        if again:
            player.screen("instructions")
            expect(player.find("#instructions-again")).to_be_visible()

    player.pair()
    form(player, "demographics")
    player.find("input[value=computer]").focus()
    for key in "Space", "Tab", "Space", "Tab", "Space", "Tab", "ArrowRight", "Tab", "h", "i":
        keys.press(key)
    player.page.reload()
    form(player, "demographics")
    expect(player.find("textarea")).to_have_value("hi")
    send(player)
    player.screen("debrief")

    sent = study.state["filled"]
    assert [(body["form"], body["attempt"]) for body in sent] == [
        ("screening", 1),
        ("comprehension", 1),
        ("comprehension", 2),
        ("demographics", 1),
    ]
    assert [body["answers"] for body in sent] == [
        {"age": 34, "vision": "yes"},
        {"task": "fast"},
        {"task": "say"},
        {"used": ["computer", "phone", "other"], "ease": "2", "remarks": "hi"},
    ]
    device = sent[0]["device"]
    assert device.pop("css_px_per_mm") == pytest.approx(96 / 25.4, abs=0.03)
    assert device.pop("mouse") in (True, False)  # as the machine has one
    assert device == {
        "window_w": 800,
        "window_h": 800,
        "screen_w": 800,
        "screen_h": 800,
        "device_pixel_ratio": 1,
        "touch": False,
    }
    kept = player.page.evaluate("Object.keys(localStorage)")
    assert not [key for key in kept if key.endswith(":draft")]


def test_screening_by_touch_without_a_card(study: Study, open_player: Open) -> None:
    study.set(main=1, forms={"screening": FORMS["screening"]})
    player = open_player(**PHONE)
    player.find("#agree").tap()
    form(player, "screening")
    player.find("#item-age").tap()
    player.page.keyboard.type("５１")  # as a Japanese keyboard writes digits
    player.find("label.tick", has_text="Yes").tap()
    assert player.host.evaluate("(host) => host.scrollWidth <= innerWidth")
    player.find("label.tick", has_text="no card").tap()
    player.find("#form-send").tap()
    player.find("#start").tap()
    player.ready()
    (body,) = study.state["filled"]
    assert body["answers"] == {"age": 51, "vision": "yes"}
    assert body["device"]["touch"] is True
    assert body["device"]["css_px_per_mm"] is None


@pytest.mark.parametrize(
    ("name", "wrong", "screen"),
    [("screening", "no", "looks for other people"), ("comprehension", "fast", "did not go well")],
)
def test_the_end_for_those_who_do_not_fit(
    name: str, wrong: str, screen: str, study: Study, open_player: Open
) -> None:
    study.set(main=1, forms={name: FORMS[name]})
    player = open_player()
    player.find("#agree").click()
    for _ in range(2 if name == "comprehension" else 1):
        if name == "comprehension":
            player.find("#start").click()
        form(player, name)
        if name == "screening":
            player.find("#item-age").fill("44")
        player.find(f"input[value={wrong}]").check()
        player.find("#form-send").click()
    player.screen("ended")
    expect(player.find("[data-field=debrief]")).to_contain_text(screen)
    expect(player.find(".code")).to_have_text("OUT-1")
    player.page.reload()
    player.screen("ended")
    assert study.state["received"] == []


def test_what_is_missing_is_said_beside_the_question_and_above(
    study: Study, open_player: Open
) -> None:
    items = [
        item("years", "number", "For how many years?", low=18, high=120),
        item("vision", "choice", "Is your sight normal?", options={"yes": "Yes", "no": "No"}),
    ]
    study.set(practice=0, main=0, forms={"demographics": demographics(*items)})
    player = open_player(admitted=True)
    form(player, "demographics")
    player.find("#form-send").click()
    expect(player.find(".summary button")).to_have_count(2)
    expect(player.find(".error:visible")).to_have_text(["Please answer this question."] * 2)
    player.find(".summary button").first.click()
    focused = "document.getElementById('plausibly-player').shadowRoot.activeElement.id"
    assert player.page.evaluate(focused) == "item-years"
    for text, words in (
        ("forty", "Please enter a number."),
        ("17", "Please enter a number from 18 to 120."),
        ("18,5", ""),
    ):
        player.find("#item-years").fill(text)
        expect(player.find("#error-years")).to_have_text(words)
    player.find("input[value=yes]").check()
    player.find("#form-send").click()
    player.screen("debrief")
    (body,) = study.state["filled"]
    assert body["answers"] == {"years": 18.5, "vision": "yes"}


def test_a_form_is_sent_patiently_and_counted_once(study: Study, open_player: Open) -> None:
    study.set(
        main=1,
        forms={"comprehension": FORMS["comprehension"]},
        fail_next={"form": [503, 422, 429]},
        lose_acks=1,
    )
    player = open_player()
    player.start()
    form(player, "comprehension")
    player.find("input[value=say]").check()
    player.find("#form-send").click()
    expect(player.find(".summary")).to_contain_text("try again", timeout=10_000)
    player.find("#form-send").click()
    player.ready("label_nafc")
    assert [body["attempt"] for body in study.state["filled"]] == [1, 1]
    (person,) = study.state["participants"].values()
    assert person["forms"] == {"comprehension": ["passed"]}


def test_an_answer_that_the_server_does_not_take_is_shown_in_the_participants_language(
    study: Study, open_player: Open
) -> None:
    items = [item("used", "text", "Why?", required=False), item("year", "number", "Since when?")]
    study.set(practice=0, main=0, forms={"demographics": demographics(*items)})
    player = open_player(query="&lang=de", admitted=True)
    form(player, "demographics")
    player.find("#item-year").fill("9" * 17)  # as a number it is not exact any more
    player.find("#form-send").click()
    expect(player.find(".summary button")).to_have_text("Since when?")
    expect(player.find(".error:visible")).to_have_text(ui_strings("de")["form_unfit"])
    expect(player.find("#item-year")).to_have_attribute("aria-invalid", "true")
    player.find("#item-year").fill("2001")
    expect(player.find(".error:visible")).to_have_count(0)
    player.find("#form-send").click()
    player.screen("debrief")


def test_a_window_that_is_too_small_is_told_in_time(study: Study, open_player: Open) -> None:
    needs = Device(min_width=1000, min_height=500, pointer="touch")
    asked = screening(item("age", "number", "How old are you?"), device=needs)
    study.set(main=1, forms={"screening": asked})
    player = open_player()
    player.find("#agree").click()
    form(player, "screening")
    expect(player.find("#form-body .notice")).to_contain_text("1000 × 500")
    expect(player.find("#form-body .notice")).to_contain_text("touch screen")
    player.page.set_viewport_size({"width": 1000, "height": 800})
    expect(player.find("#form-body .notice")).not_to_contain_text("1000")
    expect(player.find(".card")).to_have_count(0)


# --- instructions ---------------------------------------------------------------------------------

COUNT_FRAMES = """
const request = window.requestAnimationFrame.bind(window);
window.framesSeen = 0;
window.requestAnimationFrame = (act) => request((now) => { window.framesSeen += 1; act(now); });
"""


@pytest.mark.parametrize(
    "names", [(), ("screening",), ("comprehension",), ("screening", "comprehension")]
)
def test_nobody_reaches_a_question_without_the_instructions(
    names: tuple[str, ...], study: Study, open_player: Open
) -> None:
    study.set(practice=1, main=1, forms={name: FORMS[name] for name in names})
    player = open_player()
    player.find("#agree").click()
    reads = 0

    def instructions() -> None:
        nonlocal reads
        player.screen("instructions")
        expect(player.find("[data-screen=instructions] .prose")).to_contain_text("first impression")
        assert {person["state"] for person in study.state["participants"].values()} == {"consented"}
        reads += 1
        player.page.reload()
        player.screen("instructions")
        player.find("#start").click()

    if "screening" in names:
        form(player, "screening")
        player.find("#item-age").fill("44")
        player.find("input[value=yes]").check()
        player.page.reload()
        form(player, "screening")
        player.find("#form-send").click()
    instructions()
    if "comprehension" in names:
        for choice in ("fast", "say"):
            form(player, "comprehension")
            player.page.reload()  # the instructions are read once more
            instructions()
            form(player, "comprehension")
            player.find(f"input[value={choice}]").check()
            player.find("#form-send").click()
            if choice == "fast":
                instructions()
    player.ready("label_nafc")
    expect(player.host).to_have_attribute("data-phase", "practice")
    assert reads == (4 if "comprehension" in names else 1)


def test_the_length_of_a_frame_is_known_before_the_first_question(
    study: Study, open_player: Open
) -> None:
    study.set(main=1, forms={"screening": FORMS["screening"]})
    player = open_player()
    player.page.add_init_script(COUNT_FRAMES)
    player.page.reload()
    player.find("#agree").click()
    form(player, "screening")
    player.find("#item-age").fill("44")
    player.find("input[value=yes]").check()
    player.find("#form-send").click()
    player.find("#start").click()
    player.ready("label_nafc")
    assert player.page.evaluate("window.framesSeen") > 15
    # Whoever comes back has read the instructions before: the frames are watched meanwhile.
    player.page.reload()
    player.ready("label_nafc")
    until(player.page, "window.framesSeen > 15")


# --- languages ------------------------------------------------------------------------------------


def test_the_language_is_chosen_before_agreeing(study: Study, open_player: Open) -> None:
    study.set(main=1)
    player = open_player(query="&languages")
    expect(player.find(".languages button")).to_have_text(["English", "Deutsch", "日本語"])
    expect(player.find(".languages [lang=en]")).to_have_attribute("aria-pressed", "true")
    player.find(".languages [lang=ja]").click()
    expect(player.find("[data-screen=consent] h1")).to_have_text(TITLE["ja"])
    expect(player.find("#agree")).to_have_text("同意して参加します")
    assert player.page.title() == TITLE["ja"]
    player.find(".languages [lang=de]").click()
    player.page.reload()
    expect(player.find("[data-screen=consent] h1")).to_have_text(TITLE["de"])
    assert player.page.evaluate("document.documentElement.lang") == "de"
    expect(player.host).to_have_attribute("lang", "de")
    player.find("#agree").click()
    player.screen("instructions")  # before that a refresh would lose the server's reply
    expect(player.find("#start")).to_have_text("Beginnen")
    (person,) = study.state["participants"].values()
    assert person["language"] == "de"
    assert person["provider"] == {"name": "direct", "id": None, "session": None}
    player.page.reload()
    expect(player.find("#start")).to_have_text("Beginnen")
    player.find("#menu-button").click()
    elsewhere = player.page.context.browser
    assert elsewhere is not None
    page = elsewhere.new_context().new_page()
    page.goto(player.find("#link").input_value())
    expect(Player(page).find("#start")).to_have_text("Beginnen")
    page.context.close()


def test_one_language_offers_no_choice(open_player: Open) -> None:
    player = open_player(query="&lang=ja")
    player.screen("consent")
    expect(player.find(".languages")).to_be_hidden()
    expect(player.find("#agree")).to_have_text("同意して参加します")
    assert set(CONSENT_SHA256) == {"en", "de", "ja"}


# --- those who cannot take part -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "error", "reason", "text"),
    [
        ("consent", "not_invited", "no_prolific_id", "no_prolific_id_text"),
        ("consent", "not_invited", "of_a_new_provider", "not_invited_text"),
        ("consent", "full", None, "full_text"),
        ("admit", "full", None, "full_text"),
        ("admit", "closed", None, "closed_text"),
        ("trials", "closed", None, "closed_text"),
    ],
)
@pytest.mark.parametrize("language", ["en", "de", "ja"])
def test_who_cannot_take_part_gets_a_calm_page_in_their_language(
    route: str,
    error: str,
    reason: str | None,
    text: str,
    language: str,
    study: Study,
    open_player: Open,
) -> None:
    refusal = {"error": error} | ({"reason": reason} if reason else {})
    study.set(main=1, refusals={route: refusal})
    player = open_player(query=f"&lang={language}")
    player.find("#agree").click()
    if route == "admit":
        player.find("#start").click()
    player.screen("refused")
    words = ui_strings(language)
    expect(player.find("#refused-title")).to_have_text(words[f"{error}_title"])
    expect(player.find("#refused-text")).to_have_text(words[text])
    # Who has agreed can still withdraw.
    expect(player.find("#menu-button")).to_be_visible(visible=route != "consent")


def test_who_gets_no_place_is_shown_the_providers_way_back(study: Study, open_player: Open) -> None:
    back = "https://app.prolific.com/submissions/complete?cc=C3NO"
    ending = {"html": "<h2>The study is full</h2>", "code": "C3NO", "redirect": back}
    study.set(main=1, refusals={"admit": {"error": "full", "ending": ending}})
    player = open_player()
    player.find("#agree").click()
    player.find("#start").click()
    player.screen("ended")
    expect(player.find("[data-screen~=ended] h2")).to_have_text("The study is full")
    expect(player.find(".code")).to_have_text("C3NO")
    expect(player.find("#redirect")).to_have_attribute("href", back)
    # They have agreed, and may want that deleted; and a place may be free when they come again.
    expect(player.find("#menu-button")).to_be_visible()
    study.set(refusals={})
    player.page.reload()
    player.screen("instructions")


def test_changed_consent_is_no_refusal(study: Study, open_player: Open) -> None:
    study.set(main=1, refusals={"consent": {"error": "consent_changed"}})
    player = open_player()
    player.find("#agree").click()
    player.screen("changed")


def over(study: Study, state: str = "timed_out") -> None:
    """The server ends the participation of everybody in the study."""
    people = study.state["participants"]
    study.set(participants={token: person | {"state": state} for token, person in people.items()})


def answers_kept(player: Player, study: Study) -> str | None:
    kept: str | None = player.page.evaluate(
        "(study) => localStorage.getItem(`plausibly:${study}:outbox`)", study.name
    )
    return kept


def test_an_answer_after_the_end_is_not_sent_again(study: Study, open_player: Open) -> None:
    study.set(main=2)
    player = open_player(admitted=True)
    player.ready()
    over(study)
    player.press("3")
    player.screen("over")
    expect(player.find("[data-screen=over] h1")).to_have_text(ui_strings("en")["over_title"])
    assert answers_kept(player, study) in (None, "[]")
    player.page.reload()
    player.screen("over")
    assert len(study.state["received"]) == 1
    player.find("#menu-button").click()
    player.find("#withdraw").click()
    player.find("#withdraw-confirm").click()
    player.screen("withdrawn")


def test_answers_given_offline_are_dropped_after_the_end(study: Study, open_player: Open) -> None:
    study.set(main=2)
    player = open_player(admitted=True)
    player.ready()
    study.set(fail_next={"response": [503] * 20})
    player.press("3")
    assert answers_kept(player, study) not in (None, "[]")
    over(study)
    player.page.reload()
    player.screen("over")
    assert answers_kept(player, study) in (None, "[]")


def test_the_last_form_after_the_end(study: Study, open_player: Open) -> None:
    remarks = item("remarks", "text", "Anything you want to tell us?", required=False)
    study.set(main=1, forms={"demographics": demographics(remarks)})
    player = open_player(admitted=True)
    player.pair()
    form(player, "demographics")
    over(study)
    send(player)
    player.screen("over")


def test_a_place_that_was_given_on(study: Study, open_player: Open) -> None:
    token = "ab" * 16
    person = {"nonce": token, "state": "timed_out", "answers": {}}
    study.set(main=1, participants={token: person})
    player = open_player(fragment=f"#p={token}")
    player.screen("over")
