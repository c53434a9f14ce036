"""Closing a study: who may go on, and what the public sees meanwhile."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from databases import on_sqlite
from lab import Person
from sqlalchemy import func, select

from db import repository
from db.models import Participant, Response
from db.repository.embargo import LEEWAY
from db.repository.places import ACTIVE_WITHIN
from study_app.forms import Item
from study_app.gallery.catalog import catalog
from study_app.participation import under_way

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
AGE = Item(name="age", kind="number", prompt="How old are you?", low=18)
SCREENING = {"items": [AGE.model_dump(mode="json")]}


def set_status(lab, status):
    lab.database.write(lambda s: repository.set_study_status(s, name="demo", status=status))


def silent_for(lab, time):
    """Everybody was seen last by `time` earlier than they were."""

    def age(s):
        for person in s.query(Participant):
            person.last_seen_at -= time

    lab.database.write(age)


def statuses(lab):
    with lab.database.read() as s:
        return list(s.scalars(select(Participant.status)))


def answers(lab):
    with lab.database.read() as s:
        return s.scalar(select(func.count()).select_from(Response))


def gallery(lab, hashes):
    """Those of the stimuli with these SHA-256 that anybody can have from the gallery now."""
    found = catalog(lab.state.store.root)
    exhibit = found.exhibit(next(iter(found.titles())))
    with lab.database.read() as s:
        stimuli = repository.stimuli_of(s, lab.version.id)
    served = set()
    for stimulus in stimuli:
        if stimulus.file_sha256 in hashes:
            defense = stimulus.passport["defense"] or "none"
            index = stimulus.passport["source"]["index"]
            for image in exhibit.image_kinds:
                reply = lab.client.get(f"/g/{exhibit.key}/{defense}/{image}/{index}.png")
                assert reply.status_code in (200, 404)
                if reply.status_code == 200:
                    served.add(hashlib.sha256(reply.content).hexdigest())
    return served & hashes


@on_sqlite
def test_no_picture_of_the_plan_is_public_until_the_hour_is_over(lab):
    person = lab.participant()
    plan = person.plan()
    shown = {image["sha256"] for trial in plan for image in trial["images"]}

    set_status(lab, "closed")
    assert gallery(lab, shown) == set()
    silent_for(lab, ACTIVE_WITHIN / 2)
    assert person.answer(plan[0]).status_code == 200  # and the hour begins anew
    silent_for(lab, ACTIVE_WITHIN - MINUTE)
    assert gallery(lab, shown) == set()
    silent_for(lab, MINUTE + LEEWAY)
    assert gallery(lab, shown) == shown
    assert person.answer(plan[1]).status_code == 410
    assert answers(lab) == 1


@pytest.mark.parametrize("status", ["closed", "draft"])
@pytest.mark.parametrize("first", ["look", "answer", "form"])
def test_a_latecomer_is_ended_whatever_they_ask_first(lab, status, first):
    person = lab.participant()
    trial = person.plan()[0]
    set_status(lab, status)
    silent_for(lab, ACTIVE_WITHIN + SECOND)
    if first == "look":
        seen = person.trials()
        assert (seen["state"], seen["trials"], seen["form"]) == ("timed_out", [], None)
    elif first == "answer":
        refused = person.answer(trial)
        assert refused.status_code == 410
        assert refused.json()["error"] == "over"
        assert refused.json()["message"].startswith("Your participation has ended")
    else:
        refused = person.form("demographics", {})
        assert (refused.status_code, refused.json()["error"]) == (409, "over")
    assert statuses(lab) == ["timed_out"]
    assert answers(lab) == 0
    set_status(lab, "live")  # it stays so
    assert person.trials()["trials"] == []
    assert person.answer(trial).status_code == 410
    assert person.post("/api/admit", {}).json()["error"] == "left"
    person.post("/api/withdraw", {}).raise_for_status()
    assert statuses(lab) == []


def test_who_is_silent_for_an_hour_in_a_live_study_goes_on(lab):
    person = lab.participant()
    silent_for(lab, 5 * ACTIVE_WITHIN)
    assert person.finish()["complete"]


def test_who_did_not_come_back_while_it_was_closed_goes_on_when_it_opens_again(lab):
    person = lab.participant()
    set_status(lab, "closed")
    silent_for(lab, 5 * ACTIVE_WITHIN)
    set_status(lab, "live")
    assert person.finish()["complete"]


def test_who_has_finished_can_come_back_to_the_debrief(lab):
    person = lab.participant()
    plan = person.plan()
    person.finish()
    set_status(lab, "closed")
    silent_for(lab, 5 * ACTIVE_WITHIN)
    assert person.trials()["debrief"]["code"]
    assert person.answer(plan[0]).json()["status"] == "duplicate"


def test_who_has_only_consented_is_turned_away_and_may_come_when_it_opens_again(lab):
    lab.change(screening=SCREENING)
    person = Person(lab.client, lab.consent().json()["token"])
    set_status(lab, "closed")
    for refused in (
        person.post("/api/admit", {}),
        person.form("screening", {"age": 30}),
        lab.client.get("/api/trials?from=0&n=1", headers=person.headers),
    ):
        assert (refused.status_code, refused.json()["error"]) == (409, "closed")
        assert "not open any more" in refused.json()["message"]
    assert statuses(lab) == ["consented"]
    set_status(lab, "live")
    assert person.form("screening", {"age": 30}).json()["result"] == "passed"
    assert person.post("/api/admit", {}).json()["state"] == "admitted"


def test_a_study_closed_between_the_look_and_the_admission_admits_nobody(lab, monkeypatch):
    """The route reads the design beforehand; what counts is asked with the write lock held."""
    person = Person(lab.client, lab.consent().json()["token"])
    looked = repository.study_version

    def look_then_close(s, version_id):
        found = looked(s, version_id)
        set_status(lab, "closed")
        return found

    monkeypatch.setattr(repository, "study_version", look_then_close)
    assert person.post("/api/admit", {}).json()["error"] == "closed"
    assert statuses(lab) == ["consented"]


@pytest.mark.parametrize(
    ("embargo", "said"),
    [
        ((0, 0, False, ()), "Its source images may now appear in the gallery."),
        (
            (26, 1, True, ()),
            "1 person can still finish. Its source images stay out of the gallery until nobody has "
            "answered anything for an hour: until 2026-11-27 11:01 UTC if nobody does any more.",
        ),
        (
            (26, 0, True, ()),
            "Its source images stay out of the gallery until 2026-11-27 11:01 UTC.",
        ),
        (
            (3, 0, False, ("a", "b")),
            "Its source images may now appear in the gallery; those that it shares with a and b "
            "are held back there.",
        ),
    ],
)
def test_closing_says_what_is_true_of_the_images(embargo, said):
    images, people, waits, others = embargo
    until = datetime(2026, 11, 27, 11, 0, 0, 1, tzinfo=UTC) if waits else None
    made = repository.Embargo(images, people, until, others)
    assert under_way.closed_sentences(made) == said
