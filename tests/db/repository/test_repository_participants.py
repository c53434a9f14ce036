"""Consent, admission and withdrawal."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from databases import on_sqlite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from stored_study import draw

from db import repository as repo
from db.errors import (
    NotAdmissibleError,
    NotInvitedError,
    ParticipantNotFoundError,
    PlanError,
    StudyFullError,
    StudyNotFoundError,
    StudyNotOpenError,
)
from db.models import (
    Base,
    Consent,
    Erasure,
    FormResponse,
    FurtherPicture,
    Invitation,
    Participant,
    Presentation,
    ProviderIdentity,
    RefusedResponse,
    Response,
    Tombstone,
    Trial,
)
from study_app.installation import erasing

PERSONAL = (
    Participant,
    Consent,
    FormResponse,
    ProviderIdentity,
    Presentation,
    FurtherPicture,
    Trial,
    Response,
    RefusedResponse,
)


def withdraw(lab, person):
    lab.database.write(lambda s: repo.withdraw(s, participant_id=person.id, now=lab.now))


def send_form(lab, person, form="screening", attempt=1, passed=True, **changes):
    arguments = {"answers": {"age": 33.0}, "device": {"touch": False}, "now": lab.now} | changes
    lab.database.write(
        lambda s: repo.record_form(
            s,
            participant_id=person.id,
            form=form,
            attempt=attempt,
            passed=passed,
            **arguments,
        )
    )


def invite(lab, *code_hmacs):
    lab.database.write(
        lambda s: repo.add_invitations(s, study_name="demo", code_hmacs=code_hmacs, now=lab.now)
    )


def two_pictures(arm, list_index, seed):
    """Each stimulus with its neighbour beside it."""
    plan = draw(arm, list_index, seed)
    ids = [planned.stimulus_id for planned in plan]
    return [
        replace(planned, further=(neighbour,))
        for planned, neighbour in zip(plan, [*ids[1:], ids[0]], strict=True)
    ]


def admit(lab, person, **changes):
    arguments = {"slots": lab.slots, "draw": lab.draw, "now": lab.now} | changes
    return lab.database.write(lambda s: repo.admit(s, participant_id=person.id, **arguments))


def slot_counts(lab, version):
    with lab.database.read() as s:
        filled = repo.slot_counts(s, version.id, now=lab.now)
    return {slot: filled.get(slot, 0) for slot in lab.slots}


def test_consent_is_recorded_with_its_text(lab):
    person, created = lab.consent(lab.open())
    assert created
    assert (person.status, person.arm, person.plan_hash) == ("consented", None, None)
    assert (person.study_name, person.stage, person.created_at) == ("demo", "main", lab.start)
    with lab.database.read() as s:
        (consent,) = s.query(Consent).all()
        assert (consent.participant_id, consent.version, consent.given_at) == (
            person.id,
            "1",
            lab.start,
        )


def test_the_same_nonce_is_the_same_person(lab):
    version = lab.open()
    person, _ = lab.consent(version, "nonce")
    again, created = lab.consent(version, "nonce", now=lab.later(minutes=1), seed=99)
    assert (again, created) == (person, False)
    assert lab.count(Consent) == lab.count(Participant) == 1


def test_the_same_nonce_in_another_study_is_another_person(lab):
    one, _ = lab.consent(lab.open("one"), "nonce", token_sha256="a")
    two, created = lab.consent(lab.open("two"), "nonce", token_sha256="b")
    assert created
    assert one.id != two.id


def test_the_same_provider_id_is_the_same_person_and_the_last_browser_holds_it(lab):
    version = lab.open()
    crowd = {"provider": "prolific", "provider_id": "P1", "provider_id_hmac": "hmac of P1"}
    person, _ = lab.consent(version, "laptop", **crowd)
    again, created = lab.consent(version, "phone", token_sha256="phone", **crowd)
    assert (again.id, created) == (person.id, False)
    with lab.database.read() as s:
        assert repo.participant_by_token(s, "phone") == again
        assert s.query(Participant).count() == 1
        assert s.query(ProviderIdentity).one().provider_id == "P1"


def test_people_without_a_provider_id_are_not_confused(lab):
    version = lab.open()
    assert lab.consent(version)[0].id != lab.consent(version)[0].id


def test_raw_provider_ids_expire(lab):
    lab.consent(lab.open(), provider_id="P1", provider_id_hmac="hmac")
    expire = repo.delete_expired_identities
    assert lab.database.write(lambda s: expire(s, now=lab.start + timedelta(days=89))) == 0
    assert lab.database.write(lambda s: expire(s, now=lab.start + timedelta(days=90))) == 1
    assert lab.count(ProviderIdentity) == 0
    assert lab.count(Participant) == 1


def test_consent_needs_an_open_study(lab):
    version = lab.publish()
    with pytest.raises(StudyNotOpenError, match="is draft"):
        lab.consent(version)
    lab.consent(lab.publish("rehearsal", stage="simulated"))
    with lab.database.read() as s:
        unknown = repo.study_version(s, version.id)
    with pytest.raises(StudyNotFoundError):
        lab.consent(type(unknown)(**(vars(unknown) | {"id": 99})))


def test_somebody_who_consented_comes_back_after_the_study_closed(lab):
    version = lab.open()
    person, _ = lab.consent(version, "nonce")
    lab.database.write(lambda s: repo.set_study_status(s, name="demo", status="closed"))
    assert lab.consent(version, "nonce") == (replace(person, study_status="closed"), False)


def test_an_unknown_token_is_nobody(lab):
    with lab.database.read() as s:
        assert repo.participant_by_token(s, "nothing") is None
        with pytest.raises(ParticipantNotFoundError):
            repo.participant(s, "nobody")


def test_admission_draws_the_whole_plan_once(lab):
    version = lab.open()
    person = lab.admit(version)
    trials = lab.trials(person)
    again = lab.database.write(
        lambda s: repo.admit(
            s, participant_id=person.id, slots=lab.slots, draw=lab.draw, now=lab.now
        )
    )
    assert again == person
    assert lab.trials(person) == trials
    assert (person.status, person.admitted_at) == ("admitted", lab.start)
    expected = lab.draw(person.arm, person.list_index, person.seed)
    assert person.plan_hash == repo.plan_hash(person.arm, person.list_index, expected)
    assert [trial.position for trial in trials] == list(range(8))
    assert [trial.presentation_index for trial in trials] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len({trial.presentation_id for trial in trials}) == 4


def test_the_plan_depends_on_slot_and_seed_only(lab):
    plan = lab.draw("only", 0, 1)
    assert repo.plan_hash("only", 0, plan) == repo.plan_hash("only", 0, lab.draw("only", 0, 1))
    assert repo.plan_hash("only", 0, plan) != repo.plan_hash("only", 1, plan)


def test_trials_tell_the_browser_nothing_it_must_not_know(lab):
    person = lab.admit(lab.open())
    with lab.database.read() as s:
        held = {row.opaque_id: row for row in repo.stimuli_of(s, person.study_version_id)}
    for trial in lab.trials(person):
        (picture,) = trial.pictures
        stimulus = held[picture.opaque_id]
        assert (picture.file_sha256, picture.width) == (stimulus.file_sha256, 28)
        secrets = (stimulus.stimulus_id, stimulus.image_id, "gradient_penalty", person.id)
        assert not any(secret in repr(trial) for secret in secrets)


def test_a_bad_plan_admits_nobody(lab):
    version = lab.open()
    person, _ = lab.consent(version)
    unknown = [*lab.draw("only", 0, 0), repo.PlannedPresentation("?", "main", "main", "c", 1, ())]
    for plan in ([], unknown):
        with pytest.raises(PlanError):
            lab.database.write(
                lambda s, plan=plan: repo.admit(
                    s,
                    participant_id=person.id,
                    slots=lab.slots,
                    draw=lambda *_: plan,
                    now=lab.now,
                )
            )
    assert lab.count(Trial) == lab.count(Presentation) == 0
    with lab.database.read() as s:
        assert repo.participant(s, person.id) == person


def test_a_plan_may_not_show_what_the_version_does_not_have(lab):
    version = lab.open(stimuli=[])
    with pytest.raises(PlanError, match="does not have"):
        lab.admit(version)


def test_those_who_left_are_not_admitted(lab):
    version = lab.open()
    person, _ = lab.consent(version)
    lab.database.write(lambda s: s.execute(text("UPDATE participant SET status = 'returned'")))
    with pytest.raises(NotAdmissibleError):
        lab.database.write(
            lambda s: repo.admit(
                s, participant_id=person.id, slots=lab.slots, draw=lab.draw, now=lab.now
            )
        )


def test_the_next_slot_cannot_be_guessed(lab):
    version = lab.open()
    first_round = [lab.admit(version).list_index for _ in range(12)]
    rounds = {tuple(first_round[start : start + 3]) for start in range(0, 12, 3)}
    assert all(sorted(order) == [0, 1, 2] for order in rounds)
    assert len(rounds) > 1


@settings(
    max_examples=10,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.sampled_from(["admit", "admit", "finish"]), max_size=12))
def test_admissions_without_dropouts_stay_balanced(lab, steps):
    lab.open("balance", content_sha256=str(lab.count(Base.metadata.tables["study_version"])))
    with lab.database.read() as s:
        version = repo.study(s, "balance")
    people = []
    for step in steps:
        if step == "admit":
            nonce = f"{version.id} {len(people)}"
            people.append(lab.admit(version, nonce=nonce, seed=len(people)))
        elif people:
            lab.finish(people[len(people) // 2])
        filled = slot_counts(lab, version)
        assert sum(filled.values()) == len(people)
        assert max(filled.values()) - min(filled.values()) <= 1


@settings(
    max_examples=10,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(gone=st.lists(st.integers(0, 5), max_size=6, unique=True))
def test_withdrawn_slots_are_refilled_first(lab, gone):
    lab.open("refill", content_sha256=str(lab.count(Base.metadata.tables["study_version"])))
    with lab.database.read() as s:
        version = repo.study(s, "refill")
    people = [lab.admit(version, nonce=f"{version.id} {n}", seed=n) for n in range(6)]
    freed = [(people[n].arm, people[n].list_index) for n in gone]
    for n in gone:
        withdraw(lab, people[n])
    taken = []
    for n in range(len(gone)):
        before = slot_counts(lab, version)
        person = lab.admit(version, nonce=f"{version.id} late {n}", seed=100 + n)
        taken.append((person.arm, person.list_index))
        assert before[taken[-1]] == min(before.values())
    assert Counter(taken) == Counter(freed)


def test_the_slot_of_a_silent_participant_goes_to_another(lab):
    version = lab.open()
    silent, active, done = (lab.admit(version) for _ in range(3))
    lab.finish(done)
    lab.later(minutes=61)
    lab.answer(active, lab.trials(active)[0].trial_id)
    newcomer = lab.admit(version)
    assert newcomer.list_index == silent.list_index
    lab.answer(silent, lab.trials(silent)[0].trial_id)
    assert slot_counts(lab, version)["only", silent.list_index] == 2


def test_withdrawal_deletes_everything_and_leaves_only_a_tombstone(lab):
    version = lab.open()
    stays = lab.admit(version)
    rows_of_one = [lab.count(table) for table in PERSONAL]
    invite(lab, "hmac")
    person, _ = lab.consent(version, provider_id="P1", provider_id_hmac="hmac", invited=True)
    send_form(lab, person)
    person = lab.database.write(
        lambda s: repo.admit(
            s, participant_id=person.id, slots=lab.slots, draw=two_pictures, now=lab.now
        )
    )
    trial = lab.trials(person)[0].trial_id
    lab.answer(person, trial, "3")
    assert lab.answer(person, trial, "4", event_id="other").status == "refused"
    export = {"study_name": "demo", "format": "csv", "rows": 1, "sha256": "x", "now": lab.now}
    lab.database.write(lambda s: repo.record_export(s, **export))
    assert all(lab.count(table) >= 1 for table in PERSONAL)
    lab.later(minutes=5)
    withdraw(lab, person)
    assert [lab.count(table) for table in PERSONAL] == rows_of_one
    with lab.database.read() as s:
        (tombstone,) = s.query(Tombstone).all()
        assert (tombstone.arm, tombstone.list_index) == (person.arm, person.list_index)
        assert (tombstone.study_version_id, tombstone.withdrawn_at) == (version.id, lab.now)
        assert [record.stale for record in repo.exports(s, "demo")] == [True]
        assert repo.participant(s, stays.id) == stays
    assert slot_counts(lab, version)["only", person.list_index] == 0
    with lab.database.read() as s:
        assert s.query(Invitation).one().used_by is None
    lab.database.write(lambda s: repo.record_export(s, **export))
    with lab.database.read() as s:
        assert [record.stale for record in repo.exports(s, "demo")] == [True, False]
    with pytest.raises(ParticipantNotFoundError):
        withdraw(lab, person)


def test_several_pictures_come_in_the_order_of_the_plan(lab):
    version = lab.open()
    person, _ = lab.consent(version)
    ids = [row.stimulus_id for row in lab.stimuli]

    def everything(arm, list_index, seed):
        plan = draw(arm, list_index, seed)
        return [replace(plan[0], stimulus_id=ids[2], further=(ids[0], ids[3], ids[0])), *plan[1:]]

    admit(lab, person, draw=everything)
    with lab.database.read() as s:
        opaque = {row.stimulus_id: row for row in repo.stimuli_of(s, version.id)}
    first, second, third, *_ = lab.trials(person)
    shown = [opaque[ids[place]] for place in (2, 0, 3, 0)]
    expected = tuple(repo.Picture(row.opaque_id, row.file_sha256, 28, 28) for row in shown)
    assert first.pictures == second.pictures == expected
    assert len(third.pictures) == 1
    assert (first.block, third.block) == (0, 1)


def test_further_pictures_belong_to_the_plan_hash_and_to_the_version(lab):
    plan = draw("only", 0, 1)
    assert repo.plan_hash("only", 0, plan) != repo.plan_hash("only", 0, two_pictures("only", 0, 1))
    person, _ = lab.consent(lab.open(stimuli=lab.stimuli[:3]))
    stray = [replace(plan[0], further=(lab.stimuli[3].stimulus_id,))]
    with pytest.raises(PlanError, match="does not have"):
        admit(lab, person, draw=lambda *_: stray)


def test_forms_are_kept_by_attempt(lab):
    person, _ = lab.consent(lab.open())
    send_form(lab, person, "comprehension", 1, passed=False)
    send_form(lab, person, "comprehension", 2, now=lab.later(minutes=3))
    send_form(lab, person, "demographics", passed=None, device=None)
    with lab.database.read() as s:
        assert repo.form_attempts(s, person.id) == [
            repo.FormAttempt("comprehension", 1, False),
            repo.FormAttempt("comprehension", 2, True),
            repo.FormAttempt("demographics", 1, None),
        ]
        assert repo.form_attempts(s, "nobody") == []
        assert repo.participant(s, person.id).last_seen_at == lab.now
        assert s.query(FormResponse).filter_by(attempt=2).one().answers_json == '{"age":33.0}'
    with pytest.raises(IntegrityError):
        send_form(lab, person, "demographics", passed=None)
    with pytest.raises(ValueError, match="not JSON compliant"):
        send_form(lab, person, answers={"age": float("nan")})


@pytest.mark.parametrize("status", ["screened_out", "failed_check"])
def test_who_was_sent_home_is_not_admitted_and_counted_apart(lab, status):
    version = lab.open()
    person, _ = lab.consent(version)
    ended = lab.database.write(
        lambda s: repo.conclude(
            s, participant_id=person.id, status=status, completion_code="OUT", now=lab.now
        )
    )
    assert (ended.status, ended.completion_code, ended.completed_at) == (status, "OUT", None)
    with pytest.raises(NotAdmissibleError):
        admit(lab, person)
    with lab.database.read() as s:
        (counts,) = repo.counts(s, "demo")
    assert (counts.started, counts.admitted, counts.completed) == (1, 0, 0)
    assert {getattr(counts, name) for name in ("screened_out", "failed_check")} == {0, 1}
    assert getattr(counts, status) == 1


def test_a_quota_counts_those_under_way_until_they_are_gone(lab):
    version, quota = lab.open(), repo.Quota(participants=2)
    done, _ = lab.consent(version, quota=quota)
    lab.finish(admit(lab, done, quota=quota))
    admit(lab, lab.consent(version, quota=quota)[0], quota=quota)
    with pytest.raises(StudyFullError):
        lab.consent(version, quota=quota)
    lab.later(minutes=61)
    newcomer, _ = lab.consent(version, quota=quota)
    admit(lab, newcomer, quota=quota)
    with pytest.raises(StudyFullError):
        lab.consent(version, quota=quota)


def test_admission_keeps_to_the_quota_whoever_consented(lab):
    version, quota = lab.open(), repo.Quota(participants=2)
    people = [lab.consent(version, now=lab.later(seconds=1))[0] for _ in range(3)]
    for person in people[:2]:
        admit(lab, person, quota=quota)
    with pytest.raises(StudyFullError):
        admit(lab, people[2], quota=quota)
    assert admit(lab, people[0], quota=quota).status == "admitted"
    withdraw(lab, people[0])
    assert admit(lab, people[2], quota=quota).status == "admitted"


def test_a_quota_counts_all_versions_of_a_stage(lab):
    quota = repo.Quota(participants=1)
    lab.admit(lab.open(stage="pilot"))
    admit(lab, lab.consent(lab.open(), quota=quota)[0], quota=quota)
    with pytest.raises(StudyFullError):
        lab.consent(lab.open(content_sha256="other"), quota=quota)


@settings(
    max_examples=8,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.sampled_from(["admit", "admit", "finish", "leave"]), max_size=14))
def test_arms_never_exceed_their_quota_and_stay_balanced(lab, steps):
    lab.open("arms", content_sha256=str(lab.count(Base.metadata.tables["study_version"])))
    lab.open(f"arms {lab.count(Base.metadata.tables['study'])}")
    with lab.database.read() as s:
        version = repo.study(s, repo.study_names(s)[-1])
    slots = [(arm, index) for arm in ("maps", "none") for index in (0, 1)]
    quota = repo.Quota(per_arm=3)
    people = []
    for number, step in enumerate(steps):
        if step == "admit":
            person, _ = lab.consent(version, nonce=f"{version.id} {number}", seed=number)
            try:
                people.append(admit(lab, person, slots=slots, quota=quota))
            except StudyFullError:
                assert len(people) == 6
        elif people and step == "finish":
            lab.finish(people[0])
        elif people:
            withdraw(lab, people.pop())
        arms = Counter(person.arm for person in people)
        assert max(arms.values(), default=0) <= 3


def test_an_invitation_is_for_one_new_person(lab):
    version = lab.open()
    invite(lab, "a", "b")
    person, _ = lab.consent(version, provider_id_hmac="a", invited=True)
    again, created = lab.consent(version, provider_id_hmac="a", invited=True)
    assert (again.id, created) == (person.id, False)
    with pytest.raises(NotInvitedError, match="not known"):
        lab.consent(version, provider_id_hmac="c", invited=True)
    with lab.database.read() as s:
        assert repo.invitation_counts(s, "demo") == repo.InvitationCounts(2, 1)
        assert s.query(Invitation).filter_by(code_hmac="a").one().used_by == person.id
    withdraw(lab, person)
    with pytest.raises(NotInvitedError, match="used"):
        lab.consent(version, provider_id_hmac="a", invited=True)
    with pytest.raises(StudyNotFoundError):
        lab.database.write(
            lambda s: repo.add_invitations(s, study_name="no", code_hmacs=["x"], now=lab.now)
        )


def test_invitations_are_of_one_study(lab):
    lab.open()
    invite(lab, "a")
    with pytest.raises(NotInvitedError):
        lab.consent(lab.open("other"), provider_id_hmac="a", invited=True)


def test_one_browser_is_not_two_people(lab):
    version = lab.open()
    lab.consent(version, "nonce", provider_id_hmac="one")
    for hmac in ("two", None):
        with pytest.raises(NotInvitedError, match="private window"):
            lab.consent(version, "nonce", provider_id_hmac=hmac, token_sha256="other")


def test_the_raw_id_is_there_until_it_expires(lab):
    person, _ = lab.consent(
        lab.open(), provider_id="P1", provider_session="S1", provider_id_hmac="hmac"
    )
    with lab.database.read() as s:
        assert repo.provider_id(s, person.id) == "P1"
        assert s.query(ProviderIdentity).one().session == "S1"
    lab.database.write(lambda s: repo.delete_expired_identities(s, now=lab.later(days=90)))
    with lab.database.read() as s:
        assert repo.provider_id(s, person.id) is None


@on_sqlite
def test_withdrawn_data_is_not_left_in_the_file(lab):
    version = lab.open()
    secret = "5f8d2a-raw-provider-id"
    person, _ = lab.consent(version, provider_id=secret, provider_id_hmac="hmac")
    withdraw(lab, person)
    lab.database.close()
    assert secret.encode() not in lab.database.path.read_bytes()


def test_what_a_withdrawal_owes_is_forgotten_once_it_is_done(lab):
    person = lab.admit(lab.open())
    withdraw(lab, person)
    with lab.database.read() as s:
        (owed,) = repo.owed_erasures(s).people
    assert owed == lab.sha256(person.id)
    assert erasing.wipe(lab.database, lab.now)
    assert lab.count(Erasure) == 0
    assert erasing.wipe(lab.database, lab.now)
