"""What is held back while people may still take part, and that nobody goes on afterwards."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from db import repository as repo
from db.errors import StudyClosedError
from db.models import Participant
from db.repository.embargo import LEEWAY
from db.repository.places import ACTIVE_WITHIN

HOUR = ACTIVE_WITHIN
MOMENT = timedelta(seconds=1)
STATUSES = ("draft", "closed")


def images(lab):
    return {row.image_id for row in lab.stimuli}


def held_back(lab, after=timedelta()):
    with lab.database.read() as s:
        return repo.embargoed_image_ids(s, now=lab.now + after)


def set_status(lab, status, name="demo"):
    lab.database.write(lambda s: repo.set_study_status(s, name=name, status=status))


def state_of(lab, person, after=timedelta()):
    with lab.database.read() as s:
        return repo.state_of(repo.participant(s, person.id), now=lab.now + after)


def end(lab, person):
    return lab.database.write(
        lambda s: repo.end_if_over(s, repo.participant(s, person.id), now=lab.now)
    )


def status_of(lab, person):
    with lab.database.read() as s:
        return repo.participant(s, person.id).status


def admit(lab, person):
    return lab.database.write(
        lambda s: repo.admit(
            s, participant_id=person.id, slots=lab.slots, draw=lab.draw, now=lab.now
        )
    )


@pytest.mark.parametrize("status", STATUSES)
def test_whoever_is_under_way_holds_the_images_back_whatever_the_status_says(lab, status):
    version = lab.open()
    person = lab.admit(version)
    set_status(lab, status)
    assert held_back(lab, HOUR) == images(lab)
    assert held_back(lab, HOUR + LEEWAY + MOMENT) == set()
    lab.later(minutes=50)
    lab.answer(person, lab.trials(person)[0].trial_id)
    assert held_back(lab, HOUR) == images(lab)  # the hour counts from the last answer


def test_people_of_an_earlier_version_hold_back_all_that_the_study_shows(lab):
    lab.admit(lab.open())
    lab.publish(content_sha256=lab.sha256("other"), stimuli=[lab.stimulus(9)])
    set_status(lab, "closed")
    assert held_back(lab) == images(lab) | {lab.stimulus(9).image_id}


def test_who_has_not_begun_or_has_finished_or_left_holds_nothing_back(lab):
    version = lab.open()
    lab.consent(version)
    lab.finish(lab.admit(version))
    gone = lab.admit(version)
    lab.database.write(lambda s: repo.withdraw(s, participant_id=gone.id, now=lab.now))
    out, _ = lab.consent(version)
    lab.database.write(
        lambda s: repo.conclude(
            s, participant_id=out.id, status="screened_out", completion_code=None, now=lab.now
        )
    )
    set_status(lab, "closed")
    assert held_back(lab) == set()


@pytest.mark.parametrize("status", [*STATUSES, "live"])
@pytest.mark.parametrize(
    "silent", [timedelta(), HOUR - MOMENT, HOUR, HOUR + MOMENT, HOUR + LEEWAY, 30 * HOUR]
)
def test_whoever_may_go_on_has_nothing_shown_to_the_public(lab, status, silent):
    person = lab.admit(lab.open())
    set_status(lab, status)
    may = state_of(lab, person, silent) == "admitted"
    assert may == (status == "live" or silent <= HOUR)
    if may:
        # Also a little later, when an answer taken in time has been committed.
        assert held_back(lab, silent) == held_back(lab, silent + LEEWAY / 2) == images(lab)


def test_a_latecomer_is_ended_for_good_and_the_others_go_on_when_the_study_opens_again(lab):
    version = lab.open()
    came_back, stayed_away = lab.admit(version), lab.admit(version)
    set_status(lab, "closed")
    lab.later(hours=1, seconds=1)
    seen = came_back.last_seen_at
    assert end(lab, came_back)
    with lab.database.read() as s:
        ended = repo.participant(s, came_back.id)
    assert (ended.status, ended.last_seen_at, ended.completed_at) == ("timed_out", seen, None)
    assert state_of(lab, stayed_away) == "timed_out"
    set_status(lab, "live")
    assert end(lab, came_back)
    assert not end(lab, stayed_away)
    assert status_of(lab, stayed_away) == "admitted"


def test_whoever_is_late_in_a_live_study_goes_on(lab):
    person = lab.admit(lab.open())
    lab.later(days=30)
    assert not end(lab, person)
    assert status_of(lab, person) == "admitted"


def test_nobody_is_admitted_once_the_study_is_closed(lab):
    person, _ = lab.consent(lab.open())
    set_status(lab, "closed")
    with pytest.raises(StudyClosedError):
        admit(lab, person)
    assert status_of(lab, person) == "consented"
    assert held_back(lab) == set()
    set_status(lab, "live")
    assert admit(lab, person).status == "admitted"


def test_simulated_versions_are_always_open(lab):
    person, _ = lab.consent(lab.publish(stage="simulated"))
    assert admit(lab, person).status == "admitted"


def test_admitted_people_are_not_turned_away_by_a_second_request(lab):
    person = lab.admit(lab.open())
    set_status(lab, "closed")
    assert admit(lab, person).plan_hash == person.plan_hash


def test_the_embargo_says_who_is_under_way_and_until_when(lab):
    version = lab.open()
    lab.admit(version)
    lab.later(minutes=30)
    lab.admit(version)
    last = lab.now
    lab.finish(lab.admit(version))
    set_status(lab, "closed")

    def embargo():
        with lab.database.read() as s:
            return repo.embargo(s, version.study_id, now=lab.now)

    until = last + HOUR + LEEWAY
    assert embargo() == repo.Embargo(4, 2, until, ())
    lab.later(minutes=31)
    assert embargo() == repo.Embargo(4, 1, until, ())
    lab.now = last + HOUR + LEEWAY / 2
    assert embargo() == repo.Embargo(4, 0, until, ())
    lab.now = until + MOMENT
    assert embargo() == repo.Embargo(0, 0, None, ())
    lab.open("other", stimuli=lab.stimuli[:1])
    assert embargo() == repo.Embargo(1, 0, None, ("other",))


def test_ending_changes_one_person(lab):
    version = lab.open()
    people = [lab.admit(version) for _ in range(2)]
    set_status(lab, "closed")
    lab.later(hours=2)
    end(lab, people[0])
    with lab.database.read() as s:
        ended = s.query(Participant).where(Participant.status == "timed_out").all()
    assert [person.id for person in ended] == [people[0].id]


def test_the_image_whose_map_is_shown_as_a_placebo_is_held_back_too(lab):
    """The gallery has the same map, to the bit, at that other image."""
    plain, other = lab.stimulus(0), lab.stimulus(7).image_id
    facts = {"placebo": True, "shown_index": 7, "shown_image_id": other}
    passport = json.loads(plain.passport_json) | {"saliency": facts}
    placebo = replace(
        plain,
        stimulus_id=lab.sha256("placebo"),
        passport_json=json.dumps(passport, sort_keys=True, separators=(",", ":")),
    )
    version = lab.open(stimuli=[placebo])
    assert held_back(lab) == {plain.image_id, other}
    with lab.database.read() as s:
        assert repo.embargo(s, version.study_id, now=lab.now).images == 2
    set_status(lab, "closed")
    assert held_back(lab) == set()
