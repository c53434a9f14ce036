"""Answers: each stored once, the first one holds, and completion comes once."""

import random
from itertools import count

import pytest

from db import repository as repo
from db.errors import InvalidAttemptError, TrialNotFoundError
from db.models import RefusedResponse, Response


@pytest.fixture
def person(lab):
    return lab.admit(lab.open())


def test_an_answer_moves_the_pointer(lab, person):
    trials = lab.trials(person)
    outcome = lab.answer(person, trials[0].trial_id, "3")
    assert outcome == repo.Outcome(
        status="stored",
        progress=repo.Progress(position=1, answered=1, total=8, presentations=4, complete=False),
        complete=False,
        phase="practice",
        role="practice",
        task="label_nafc",
        correct_option="3",
    )
    with lab.database.read() as s:
        held = s.query(Response).one()
        assert (held.answer, held.rt_ms, held.received_at) == ("3", 612.5, lab.now)
        assert repo.participant(s, person.id).last_seen_at == lab.now


def test_the_same_answer_again_is_a_duplicate(lab, person):
    trial = lab.trials(person)[0].trial_id
    assert lab.answer(person, trial, "3").status == "stored"
    assert lab.answer(person, trial, "3").status == "duplicate"
    assert lab.answer(person, trial, "3", event_id="retyped").status == "duplicate"
    assert lab.answer(person, trial, "3", event_id="later", attempt=2).status == "duplicate"
    assert lab.count(Response) == 1
    assert lab.count(RefusedResponse) == 0


def test_another_answer_is_refused_and_logged_once(lab, person):
    trial = lab.trials(person)[0].trial_id
    lab.answer(person, trial, "3")
    for _ in range(2):
        outcome = lab.answer(person, trial, "4", event_id="other")
        assert (outcome.status, outcome.progress.position) == ("refused", 1)
    assert lab.answer(person, trial, "5", event_id="second", attempt=2).status == "refused"
    with lab.database.read() as s:
        assert s.query(Response).one().answer == "3"
        logged = s.query(RefusedResponse).order_by(RefusedResponse.answer).all()
        assert [(row.event_id, row.attempt, row.answer) for row in logged] == [
            ("other", 1, "4"),
            ("second", 2, "5"),
        ]


def test_an_event_id_belongs_to_one_answer(lab, person):
    one, two = (trial.trial_id for trial in lab.trials(person)[:2])
    lab.answer(person, one, "3", event_id="event")
    assert lab.answer(person, two, "3", event_id="event").status == "refused"
    assert lab.answer(person, one, "4", event_id="event").status == "refused"
    assert lab.count(Response) == 1
    assert lab.count(RefusedResponse) == 2


def test_only_ones_own_trials_can_be_answered(lab, person):
    other = lab.admit(lab.open())
    for trial_id in (lab.trials(other)[0].trial_id, "unknown"):
        with pytest.raises(TrialNotFoundError):
            lab.answer(person, trial_id)
        with lab.database.read() as s, pytest.raises(TrialNotFoundError):
            repo.asked(s, participant_id=person.id, trial_id=trial_id)
    assert lab.count(Response) == 0


def test_attempts_are_bounded(lab, person):
    trial = lab.trials(person)[0].trial_id
    for attempt in (0, 2):
        with pytest.raises(InvalidAttemptError):
            lab.answer(person, trial, attempt=attempt)
    assert lab.count(Response) == 0


def test_answers_may_arrive_in_any_order(lab, person):
    trials = lab.trials(person)
    shuffled = random.Random(0).sample(trials, len(trials))
    answered: set[int] = set()
    for trial in shuffled:
        progress = lab.answer(person, trial.trial_id).progress
        answered.add(trial.position)
        assert progress.answered == len(answered)
        assert progress.position == next(n for n in count() if n not in answered)
    assert progress.complete


def test_completion_comes_with_the_last_answer_and_once(lab, person):
    codes = (f"CODE{n}" for n in count())
    trials = lab.trials(person)
    for trial in trials[:-1]:
        outcome = lab.answer(person, trial.trial_id, completion_code=lambda: next(codes))
        assert not outcome.progress.complete
    lab.later(minutes=3)
    last = trials[-1].trial_id
    assert lab.answer(person, last, completion_code=lambda: next(codes)).progress.complete
    finished_at = lab.now
    lab.later(minutes=3)
    assert lab.answer(person, last, completion_code=lambda: next(codes)).status == "duplicate"
    with lab.database.read() as s:
        done = repo.participant(s, person.id)
        assert repo.progress(s, person.id) == repo.Progress(8, 8, 8, 4, True)
    assert (done.status, done.completion_code, done.completed_at) == (
        "complete",
        "CODE0",
        finished_at,
    )


def test_what_a_question_makes_of_an_answer_is_kept(lab, person):
    trial = lab.trials(person)[0].trial_id
    lab.answer(person, trial, "yes:2", values={"detected": True, "confidence": 2})
    with lab.database.read() as s:
        assert s.query(Response).one().values_json == '{"confidence":2,"detected":true}'
        rated = s.connection().exec_driver_sql("SELECT values_json FROM rating").scalar_one()
    assert rated == '{"confidence":2,"detected":true}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        lab.answer(person, lab.trials(person)[1].trial_id, values={"x": float("inf")})


def test_somebody_with_a_form_to_come_is_not_complete(lab, person):
    trials = lab.trials(person)
    codes = [lab.answer(person, t.trial_id, completion_code=lambda: None) for t in trials]
    assert (codes[-1].progress.complete, codes[-1].complete) == (True, False)
    with lab.database.read() as s:
        assert repo.participant(s, person.id).status == "admitted"
    done = lab.database.write(
        lambda s: repo.conclude(
            s, participant_id=person.id, status="complete", completion_code="CODE", now=lab.now
        )
    )
    assert (done.status, done.completion_code, done.completed_at) == ("complete", "CODE", lab.now)
    late = lab.answer(person, trials[-1].trial_id, completion_code=lambda: "OTHER")
    assert (late.status, late.complete) == ("duplicate", True)
    with lab.database.read() as s:
        assert repo.participant(s, person.id).completion_code == "CODE"


def test_trials_come_in_pieces(lab, person):
    everything = lab.trials(person)
    with lab.database.read() as s:
        piece = repo.trials_from(s, participant_id=person.id, start=3, count=2)
        beyond = repo.trials_from(s, participant_id=person.id, start=8, count=5)
        task, view = repo.asked(s, participant_id=person.id, trial_id=everything[5].trial_id)
    assert piece == everything[3:5]
    assert beyond == []
    assert (task, view) == (everything[5].task, everything[5].view)
    assert view["prompt"] == "Could it be a 4?"


def test_before_admission_there_is_nothing_to_do(lab):
    person, _ = lab.consent(lab.open())
    with lab.database.read() as s:
        assert repo.progress(s, person.id) == repo.Progress(0, 0, 0, 0, False)
    assert lab.trials(person) == []


def test_not_a_number_is_refused(lab, person):
    with pytest.raises(ValueError, match="not JSON compliant"):
        lab.answer(person, lab.trials(person)[0].trial_id, timing={"onset_ms": float("nan")})
    assert lab.count(Response) == 0
