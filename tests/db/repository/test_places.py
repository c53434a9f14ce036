"""Places: whoever falls silent frees theirs in time, and nobody keeps many by consenting alone."""

import heapq
import random
from collections import Counter
from datetime import timedelta

import pytest
from databases import on_sqlite
from sqlalchemy import update
from sqlalchemy.orm import Session
from stored_study import STIMULI

from db import repository as repo
from db.errors import StudyFullError
from db.models import Participant
from db.repository.places import CONSENTED_WITHIN

pytestmark = on_sqlite
LISTS = [("all", number) for number in range(10)]
QUOTA = repo.Quota(participants=100)
MINUTE = timedelta(minutes=1)


def plan(arm, list_index, seed):
    trial = repo.PlannedTrial(task="label_nafc", view={"prompt": "", "layout": "", "options": []})
    return [repo.PlannedPresentation(STIMULI[0].stimulus_id, "main", "main", "none", 1, (trial,))]


def given(lab, number):
    digest = lab.sha256(str(number))
    return repo.GivenConsent(
        digest, digest, "direct", None, None, "en", lab.sha256("text"), "1", seed=number
    )


def session(lab, s: Session, version, *, people, within, silent, rng):
    """Let people come in `within` minutes; return how many of each list completed it.

    Each answers five questions in about five minutes, or falls silent after some of them.
    """
    start, events, done, full = lab.now, [], Counter(), 0

    def come(number, now):
        nonlocal full
        person, _ = repo.create_participant(
            s, study_version_id=version.id, given=given(lab, number), quota=QUOTA, now=now
        )
        person = repo.admit(
            s, participant_id=person.id, slots=LISTS, draw=plan, quota=QUOTA, now=now
        )
        stays = rng.randrange(5) if number in silent else 5
        pace = rng.uniform(3, 6) * MINUTE / 5
        for n in range(1, stays + 1):
            heapq.heappush(events, (now + n * pace, number, n, person))

    def answer(person, number, now):
        if number < 5:
            own = Participant.id == person.id
            s.execute(update(Participant).where(own).values(last_seen_at=now))
            return
        repo.conclude(s, participant_id=person.id, status="complete", completion_code=None, now=now)
        done[person.arm, person.list_index] += 1

    for number in range(people):
        arrives = start + within * number / people
        heapq.heappush(events, (arrives, number, 0, None))
    while events:
        now, number, step, person = heapq.heappop(events)
        try:
            come(number, now) if person is None else answer(person, step, now)
        except StudyFullError:
            full += 1
    lab.now = now
    return done, full


def test_people_who_fall_silent_are_made_up_for_in_every_list(lab):
    rng = random.Random(1)
    version = lab.open(silence=5 * MINUTE)
    silent = set(rng.sample(range(200), 60))
    done, full = lab.database.write(
        lambda s: session(lab, s, version, people=200, within=60 * MINUTE, silent=silent, rng=rng)
    )
    assert sum(done.values()) == 100
    assert max(done[slot] for slot in LISTS) - min(done[slot] for slot in LISTS) <= 2
    assert full > 20


def test_who_all_sit_down_at_once_leave_lists_short_and_it_is_known_which(lab):
    rng = random.Random(3)
    version = lab.open(silence=5 * MINUTE)
    silent = set(rng.sample(range(100), 30))
    done, full = lab.database.write(
        lambda s: session(lab, s, version, people=120, within=MINUTE, silent=silent, rng=rng)
    )
    assert (sum(done.values()), full) == (70, 20)
    with lab.database.read() as s:
        held = repo.places(s, version.id, now=lab.now)
        later = repo.places(s, version.id, now=lab.now + 5 * MINUTE)
    assert {(place.arm, place.list_index): place.complete for place in held} == done
    assert sum(place.under_way for place in held) > 0
    assert sum(place.under_way for place in later) == 0


def test_a_place_is_kept_as_long_as_the_version_says_and_never_longer_than_people_may_go_on(lab):
    lengths = {"short": 5 * MINUTE, "long": 50 * MINUTE, "endless": 500 * MINUTE, "before": None}
    versions = {name: lab.open(name, silence=length) for name, length in lengths.items()}
    for version in versions.values():
        lab.admit(version)
    held = {}
    for passed in (5, 6, 50, 51, 60, 61):
        now = lab.now + passed * MINUTE
        with lab.database.read() as s:
            held[passed] = {n for n, v in versions.items() if repo.slot_counts(s, v.id, now=now)}
    assert held == {
        5: {"short", "long", "endless", "before"},
        6: {"long", "endless", "before"},
        50: {"long", "endless", "before"},
        51: {"endless", "before"},
        60: {"endless", "before"},
        61: set(),
    }


def test_versions_of_a_stage_keep_their_own_length(lab):
    quota = repo.Quota(participants=2)
    lab.admit(lab.open(silence=50 * MINUTE))  # who keeps theirs
    newer = lab.open(content_sha256="other", silence=5 * MINUTE)
    lab.admit(newer)
    with pytest.raises(StudyFullError):
        lab.consent(newer, quota=quota)
    lab.later(minutes=6)
    admit(lab, lab.consent(newer, quota=quota)[0], quota)
    with pytest.raises(StudyFullError):
        lab.consent(newer, quota=quota)


def admit(lab, person, quota):
    return lab.database.write(
        lambda s: repo.admit(
            s, participant_id=person.id, slots=LISTS, draw=plan, quota=quota, now=lab.now
        )
    )


def test_consents_alone_keep_at_most_a_fifth_of_the_open_places(lab):
    version, quota = lab.open(), repo.Quota(participants=10)
    idle = [lab.consent(version, quota=quota)[0] for _ in range(12)]
    lab.later(seconds=1)
    come = [lab.consent(version, quota=quota)[0] for _ in range(10)]
    for person in come[:9]:
        assert admit(lab, person, quota).status == "admitted"
    # The last one is kept for who consented first, for so long as they may be filling in forms.
    with pytest.raises(StudyFullError):
        admit(lab, come[9], quota)
    lab.later(seconds=CONSENTED_WITHIN.total_seconds() + 1)
    assert admit(lab, come[9], quota).status == "admitted"
    with pytest.raises(StudyFullError):
        admit(lab, idle[0], quota)
    with pytest.raises(StudyFullError):
        lab.consent(version, quota=quota)


def test_who_consented_first_gets_the_last_place(lab):
    version, quota = lab.open(), repo.Quota(participants=1)
    first, _ = lab.consent(version, quota=quota)
    lab.later(seconds=1)
    second, _ = lab.consent(version, quota=quota)
    with pytest.raises(StudyFullError):
        admit(lab, second, quota)
    assert admit(lab, first, quota).status == "admitted"
