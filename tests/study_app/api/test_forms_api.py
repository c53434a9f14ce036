"""Screening, comprehension check and demographics over HTTP; quotas; how a participation ends."""

import json

import pytest
from lab import DEVICE, Person
from sqlalchemy import func, select

from db import export
from db.models import FormResponse, Participant
from study_app.exclusions import judge
from study_app.forms import Item


def item(**fields):
    return Item(**fields).model_dump(mode="json")


YES_NO = ({"value": "yes", "label": "Yes"}, {"value": "no", "label": "No"})
SCREENING = {
    "items": [
        item(name="age", kind="number", prompt="How old are you?", low=18, high=99),
        item(name="glasses", kind="choice", prompt="Wearing them?", options=YES_NO, accept=["yes"]),
    ],
    "device": {"min_width": 600, "min_height": 400, "pointer": "any"},
    "calibration": True,
}
COMPREHENSION = {
    "attempts": 2,
    "items": [
        item(name="stop", kind="choice", prompt="May you stop?", options=YES_NO, correct="yes"),
        item(name="right", kind="choice", prompt="Is there a catch?", options=YES_NO, correct="no"),
    ],
}
DEMOGRAPHICS = {
    "items": [
        item(name="hand", kind="choice", prompt="Right-handed?", options=YES_NO),
        item(name="notes", kind="text", prompt="Anything else?", required=False),
    ]
}
FINE = {"age": 33, "glasses": "yes"}
UNDERSTOOD = {"stop": "yes", "right": "no"}
WRONG = {"stop": "yes", "right": "yes"}
TEXTS = {"screened_out": "**Thank you**, not this time.", "failed_check": "Sorry, *no*."}


@pytest.fixture
def forms(lab):
    """The lab with all three forms."""
    lab.change(
        screening=SCREENING,
        comprehension=COMPREHENSION,
        demographics=DEMOGRAPHICS,
        texts=lab.version.config["texts"] | TEXTS,
    )
    return lab


@pytest.fixture
def person(forms) -> Person:
    return forms.participant(admitted=False)


def count(lab, model):
    with lab.database.read() as s:
        return s.scalar(select(func.count()).select_from(model))


def passed(person) -> Person:
    """Through screening and check, admitted."""
    assert person.form("screening", FINE).json()["result"] == "passed"
    assert person.form("comprehension", UNDERSTOOD).json()["result"] == "passed"
    assert person.post("/api/admit", {}).status_code == 200
    return person


def answer_all(person):
    return [person.answer(trial).json() for trial in person.plan()]


def test_the_whole_way_with_forms(forms, person):
    first = person.trials()
    assert (first["state"], first["form"]["form"], first["language"]) == (
        "consented",
        "screening",
        "en",
    )
    assert first["form"]["device"] == SCREENING["device"]
    assert (first["form"]["calibration"], first["form"]["attempt"], first["form"]["attempts"]) == (
        True,
        1,
        1,
    )
    refused = person.post("/api/admit", {})
    assert (refused.status_code, refused.json()["error"]) == (409, "not_ready")
    assert person.form("screening", FINE).json() == {"result": "passed", "state": "consented"}
    second = person.trials()["form"]
    assert (second["form"], second["attempt"], second["attempts"], second["device"]) == (
        "comprehension",
        1,
        2,
        None,
    )
    assert person.post("/api/admit", {}).status_code == 409
    assert person.form("comprehension", UNDERSTOOD).json()["result"] == "passed"
    assert person.trials()["form"] is None
    assert person.post("/api/admit", {}).json()["state"] == "admitted"
    assert person.trials()["form"] is None

    replies = answer_all(person)
    assert not any(reply["complete"] for reply in replies)
    before = person.trials()
    assert (before["state"], before["complete"], before["position"]) == ("admitted", False, 52)
    assert before["form"]["form"] == "demographics"
    assert "debrief" not in before
    # The last answer sent once more does not complete anybody either.
    assert not person.answer(person.trials(51, 1)["trials"][0]).json()["complete"]

    sent = person.form("demographics", {"hand": "no", "notes": " fine "})
    assert sent.json() == {"result": "stored", "state": "complete"}
    done = person.trials()
    assert (done["state"], done["complete"], done["form"]) == ("complete", True, None)
    assert done["debrief"]["code"]
    again = person.form("demographics", {"hand": "yes"})
    assert again.json() == {"result": "stored", "state": "complete"}
    assert person.trials()["debrief"] == done["debrief"]
    assert person.answer(person.trials(51, 1)["trials"][0]).json()["complete"]

    with forms.database.read() as s:
        table = export.forms(s, "demo")
        people = export.participants(s, "demo", judge=judge)
    found = {(row.form, row.item): (row.answer, row.attempts) for row in table.itertuples()}
    assert found == {
        ("screening", "age"): ("33.0", 1),
        ("screening", "glasses"): ("yes", 1),
        ("comprehension", "stop"): ("yes", 1),
        ("comprehension", "right"): ("no", 1),
        ("demographics", "hand"): ("no", 1),
        ("demographics", "notes"): ("fine", 1),
    }
    assert people["css_px_per_mm"].tolist() == [DEVICE["css_px_per_mm"]]
    assert json.loads(people["device_json"][0]) == DEVICE | {"mouse": None}


def test_what_would_pass_is_not_told(forms, person):
    told = [person.trials()["form"]]
    person.form("screening", FINE)
    told.append(person.trials()["form"])
    person.form("comprehension", WRONG)
    told.append(person.trials()["form"])
    assert told[2]["attempt"] == 2
    known = {"name", "kind", "prompt", "options", "low", "high", "max_length", "required"}
    for form in told:
        assert set(form) == {"form", "items", "device", "calibration", "attempt", "attempts"}
        assert all(set(shown) == known for shown in form["items"])
    # Who reads that one must be 18 is 18.
    assert (told[0]["items"][0]["low"], told[0]["items"][0]["high"]) == (None, None)


@pytest.mark.parametrize(
    ("answers", "device"),
    [
        (FINE | {"age": 17}, DEVICE),
        (FINE | {"age": 100}, DEVICE),
        (FINE | {"glasses": "no"}, DEVICE),
        (FINE, DEVICE | {"window_w": 599}),
        (FINE, DEVICE | {"window_h": 100.5}),
    ],
)
def test_who_does_not_fit_is_thanked_and_holds_no_place(forms, person, answers, device):
    reply = person.form("screening", answers, device=device)
    assert reply.json() == {"result": "failed", "state": "screened_out"}
    state = person.trials()
    assert (state["state"], state["form"], state["trials"], state["complete"]) == (
        "screened_out",
        None,
        [],
        False,
    )
    assert state["ending"] == {
        "html": "<p><strong>Thank you</strong>, not this time.</p>\n",
        "code": None,
        "redirect": None,
    }
    assert "debrief" not in state
    # Whoever tries again with other answers hears the same.
    again = person.form("screening", FINE)
    assert again.json() == {"result": "failed", "state": "screened_out"}
    assert person.form("comprehension", UNDERSTOOD).status_code == 409
    assert person.post("/api/admit", {}).json()["error"] == "left"
    with forms.database.read() as s:
        assert export.participants(s, "demo", judge=judge)["status"].tolist() == ["screened_out"]


@pytest.mark.parametrize(
    ("pointer", "touch", "mouse", "state"),
    [
        ("mouse", False, None, "consented"),
        ("mouse", True, None, "screened_out"),
        ("mouse", True, True, "consented"),
        ("mouse", True, False, "screened_out"),
        ("touch", True, True, "consented"),
        ("touch", False, True, "screened_out"),
        ("any", False, False, "consented"),
    ],
)
def test_a_study_may_want_a_mouse_or_touch(lab, pointer, touch, mouse, state):
    rules = {"min_width": 0, "min_height": 0, "pointer": pointer}
    lab.change(
        screening={"items": [], "device": rules, "calibration": False},
        texts=lab.version.config["texts"] | TEXTS,
    )
    person = lab.participant(admitted=False)
    device = DEVICE | {"touch": touch, "mouse": mouse, "css_px_per_mm": None}
    assert person.form("screening", {}, device=device).json()["state"] == state


def test_the_check_gives_two_attempts(forms, person):
    person.form("screening", FINE)
    assert person.form("comprehension", WRONG).json() == {"result": "again", "state": "consented"}
    assert person.form("comprehension", UNDERSTOOD, 1).json()["result"] == "again"
    assert person.trials()["form"]["attempt"] == 2
    assert person.form("comprehension", UNDERSTOOD, 2).json()["result"] == "passed"
    assert person.form("comprehension", WRONG, 1).json()["result"] == "again"
    assert person.post("/api/admit", {}).status_code == 200
    assert count(forms, FormResponse) == 3


def test_who_fails_the_check_twice_goes_no_further(forms, person):
    person.form("screening", FINE)
    person.form("comprehension", WRONG)
    assert person.form("comprehension", WRONG, 2).json() == {
        "result": "failed",
        "state": "failed_check",
    }
    assert person.trials()["ending"]["html"] == "<p>Sorry, <em>no</em>.</p>\n"
    assert person.form("comprehension", UNDERSTOOD, 3).status_code == 409
    assert person.post("/api/admit", {}).status_code == 409
    with forms.database.read() as s:
        table = export.forms(s, "demo").query("form == 'comprehension'")
        assert export.participants(s, "demo", judge=judge)["comprehension_attempts"].tolist() == [2]
    assert table["attempts"].tolist() == [2, 2]
    assert table["passed"].tolist() == [False, False]


def test_only_the_form_that_is_due_is_taken(forms, person):
    for form, attempt in (("comprehension", 1), ("demographics", 1), ("screening", 2)):
        refused = person.form(form, {}, attempt)
        assert (refused.status_code, refused.json()["error"]) == (409, "not_due")
    passed(person)
    person.answer(person.plan()[0])
    assert person.form("demographics", {"hand": "no"}).status_code == 409
    assert count(forms, FormResponse) == 2


@pytest.mark.parametrize(
    ("answers", "changes", "item"),
    [
        ({"age": 33}, {}, "glasses"),
        (FINE | {"age": "old"}, {}, "age"),
        (FINE | {"glasses": "perhaps"}, {}, "glasses"),
        (FINE | {"glasses": ["yes"]}, {}, "glasses"),
        (FINE | {"name": "x"}, {}, None),
        (FINE | {"age": True}, {}, None),
        (FINE | {"age": 1e16}, {}, "age"),
        (FINE | {"age": 10**400}, {}, None),
        (FINE | {"age": {"x": 1}}, {}, None),
        (FINE, {"device": None}, None),
        (FINE, {"device": {"window_w": 1}}, None),
        (FINE, {"device": DEVICE | {"more": 1}}, None),
        (FINE, {"form": "survey"}, None),
        (FINE, {"attempt": 0}, None),
        ([], {}, None),
    ],
)
def test_answers_that_do_not_fit_are_422_and_not_stored(forms, person, answers, changes, item):
    refused = person.form("screening", answers, **changes)
    assert refused.status_code == 422
    assert set(refused.json()) - {"item"} == {"error", "message"}
    assert refused.json().get("item") == item
    assert count(forms, FormResponse) == 0
    assert person.trials()["state"] == "consented"


def test_forms_speak_the_participants_language(forms):
    german = {
        "title": "Was sehen Sie?",
        "texts": {"consent": "Mögen Sie?", "screened_out": "Danke."},
        "words": {"How old are you?": "Wie alt sind Sie?", "Yes": "Ja"},
    }
    forms.change(translations={"de": german})
    person = forms.participant(admitted=False, language="de")
    form = person.trials()["form"]
    assert form["items"][0]["prompt"] == "Wie alt sind Sie?"
    assert [o["label"] for o in form["items"][1]["options"]] == ["Ja", "No"]
    person.form("screening", FINE | {"age": 3})
    assert person.trials()["ending"]["html"] == "<p>Danke.</p>\n"


def test_a_study_takes_as_many_as_it_wants(lab):
    lab.change(quota={"participants": 2, "per_arm": None})
    people = [lab.participant(), lab.participant(admitted=False)]
    assert people[1].post("/api/admit", {}).status_code == 200
    assert people[0].post("/api/admit", {}).status_code == 200
    refused = lab.consent()
    assert (refused.status_code, refused.json()["error"]) == (409, "full")
    assert len(refused.json()["message"]) > 20
    people[0].post("/api/withdraw", {}).raise_for_status()
    assert lab.consent().status_code == 201


def test_who_came_before_the_study_was_full_comes_back(lab):
    lab.change(quota={"participants": 1, "per_arm": None})
    first = lab.consent(nonce="a" * 32)
    again = lab.consent(nonce="a" * 32)
    assert (again.status_code, again.json()) == (200, first.json())


def test_a_full_arm_admits_nobody(lab):
    waiting = [lab.participant(admitted=False) for _ in range(3)]
    lab.change(quota={"participants": None, "per_arm": 2})
    waiting += [lab.participant(admitted=False) for _ in range(3)]
    # The version that somebody consented to decides.
    assert [p.post("/api/admit", {}).status_code for p in waiting] == [200, 200, 200, 409, 409, 409]
    assert waiting[-1].post("/api/admit", {}).json()["error"] == "full"
    waiting[0].post("/api/withdraw", {})
    assert waiting[-1].post("/api/admit", {}).status_code == 409
    waiting[1].post("/api/withdraw", {})
    # The place is kept for who consented first.
    assert [p.post("/api/admit", {}).status_code for p in (waiting[-1], waiting[3])] == [409, 200]


def test_those_who_were_sent_home_leave_room_for_others(forms):
    forms.change(quota={"participants": 1, "per_arm": None})
    person, other = (forms.participant(admitted=False) for _ in range(2))
    other.form("screening", FINE)
    other.form("comprehension", UNDERSTOOD)
    assert other.post("/api/admit", {}).json()["error"] == "full"
    person.form("screening", FINE | {"age": 2})
    assert other.post("/api/admit", {}).status_code == 200


def test_withdrawal_takes_the_forms_along(forms, person):
    passed(person)
    assert count(forms, FormResponse) == 2
    person.post("/api/withdraw", {}).raise_for_status()
    assert count(forms, FormResponse) == count(forms, Participant) == 0
