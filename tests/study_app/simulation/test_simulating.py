"""Simulated people over HTTP beside a live study, and what is told of them."""

from __future__ import annotations

import dataclasses
import json
import random
from datetime import UTC, datetime

import pytest

from db import export, repository
from engine.errors import UsageError
from study_app import providers
from study_app import study as studies
from study_app.api import Context, create_api
from study_app.design import publish
from study_app.exclusions import judge
from study_app.outcomes.scoring import score
from study_app.participation import load as texts
from study_app.simulation.in_memory import Everything, seed_for, take_part
from study_app.simulation.rater_file import Raters
from study_app.simulation.simulating import simulate
from study_app.simulation.taking_part import identity_for
from study_app.study import Study, study_of

ATTENTIVE = Raters(title="Attentive", lapse=0.0)
SOME_OF_ALL = Raters(
    title="Some of all",
    lapse=0.05,
    inattentive=0.2,
    straight_lining=0.1,
    withdraws=0.3,
    second_tab=0.5,
    twice=0.1,
    drop_out={"hazard": 0.02},
    times={"too_fast": 0.05},
)


def changed(study: Study, **keys) -> Study:
    return Study(**{**{name: getattr(study, name) for name in type(study).model_fields}, **keys})


@pytest.fixture(scope="session")
def small() -> Study:
    """The shipped demo with a form before and after, and few trials."""
    demo = studies.load("demo")
    items = {
        "age": {"name": "age", "kind": "number", "prompt": "How old are you?", "low": 18},
        "task": {
            "name": "task",
            "kind": "choice",
            "prompt": "What is asked?",
            "options": [{"value": "digit", "label": "Digit"}, {"value": "other", "label": "Other"}],
            "correct": "digit",
        },
        "words": {"name": "words", "kind": "text", "prompt": "Anything else?"},
    }
    return changed(
        demo,
        translations={},
        image_sets=1,
        practice=1,
        catch=1,
        conditions={
            label: condition.model_copy(update={"presentations": 1})
            for label, condition in demo.conditions.items()
            if label in ("none", "distillation", "clean")
        },
        screening={"items": [items["age"]]},
        comprehension={"items": [items["task"]]},
        demographics={"items": [items["words"]]},
        quota={"participants": 2},
        exclusions=(),
        analysis=None,
    )


def responses(lab, stage="simulated"):
    """What was answered, without ids: in the order of people and trials."""
    with lab.database.read() as s:
        return export.ratings(s, "demo", judge=judge, score=score, stage=stage)


def test_people_take_part_over_http_in_a_stage_of_their_own(lab, small):
    made = simulate(small, ATTENTIVE, lab.state, people=4, seed=1)
    assert (made.version.stage, made.version.version, made.version.name) == ("simulated", 2, "demo")
    assert made.fates() == {"complete": 4}  # beyond the quota of 2 people
    rows = responses(lab)
    assert len(rows) == sum(person["answers"] for person in made.people) == 4 * 5 * 2
    assert set(rows["stage"]) == {"simulated"}
    with lab.database.read() as s:
        forms = export.forms(s, "demo", stage="simulated")
        simulated = repository.newest_version(s, "demo", simulated=True)
    assert len(forms) == 4 * 3
    assert study_of(simulated).quota.participants == 2
    catch = rows[rows["trial_type"].isin(["catch", "practice"])]
    assert (catch["response"] == catch["correct_option"]).all()
    ids = {person["participant_id"] for person in made.people}
    assert set(rows["participant_id"]) == ids


def test_a_live_study_beside_is_left_alone(lab, small):
    person = lab.participant()
    person.finish()
    before = responses(lab, "main")
    simulate(small, ATTENTIVE, lab.state, people=2, seed=1)
    with lab.database.read() as s:
        main = repository.study(s, "demo")
        counts = repository.counts(s, "demo")
        embargo = repository.embargo(s, main.study_id, now=datetime.now(UTC))
    assert (main.version, main.stage, main.status) == (1, "main", "live")
    assert [(row.stage, row.completed) for row in counts] == [("main", 1), ("simulated", 2)]
    assert embargo.under_way == 0
    assert responses(lab, "main").equals(before)
    # Whoever comes now consents to what was launched, and is asked that.
    came = lab.participant()
    assert came.trials()["total"] == before["participant_id"].size
    with lab.database.read() as s:
        stages = [row.started for row in repository.counts(s, "demo")]
    assert stages == [2, 2]


def test_no_public_address_leads_into_a_simulation(lab, small, monkeypatch):
    alone = changed(small, name="only-simulated")
    simulate(alone, ATTENTIVE, lab.state, people=1, seed=1)
    assert lab.consent(study="only-simulated").status_code == 404
    monkeypatch.setattr(texts, "app_state", lambda: lab.state)
    assert texts.load_texts("only-simulated") is None
    assert texts.load_texts("demo").consent_version == "1"
    with lab.database.read() as s:
        assert repository.study(s, "only-simulated").status == "draft"
    version = publish.publish(alone, lab.state.store, lab.database)
    assert (version.version, version.stage, version.status) == (2, "main", "live")
    assert texts.load_texts("only-simulated").consent_version == "2"


def test_a_closed_study_can_be_simulated_and_stays_closed(lab, small):
    lab.database.write(lambda s: repository.set_study_status(s, name="demo", status="closed"))
    made = simulate(small, ATTENTIVE, lab.state, people=1, seed=1)
    assert made.fates() == {"complete": 1}
    with lab.database.read() as s:
        assert repository.study(s, "demo").status == "closed"
        assert repository.embargoed_image_ids(s, now=datetime.now(UTC)) == set()


def test_a_server_for_simulated_people_takes_no_consent_to_another_version(lab):
    from starlette.testclient import TestClient

    client = TestClient(create_api(Context(lab.state, simulated=True)))
    lab.client = client
    assert lab.consent().status_code == 404


def test_equal_seeds_give_equal_answers_and_those_of_memory(lab, small):
    first = simulate(small, SOME_OF_ALL, lab.state, people=4, seed=3)
    columns = ["trial_index", "condition", "response", "rt_ms", "source_image_id", "task"]
    answers = responses(lab)
    kept = answers[columns].sort_values(columns, ignore_index=True)
    with pytest.raises(UsageError, match=r"4 simulated people already.*add --replace"):
        simulate(small, ATTENTIVE, lab.state, people=1, seed=3)
    again = simulate(small, first.raters, lab.state, people=4, seed=3, replace=True)
    rows = responses(lab)
    assert rows[columns].sort_values(columns, ignore_index=True).equals(kept)
    assert not set(rows["participant_id"]) & set(answers["participant_id"])
    assert again.shares == first.shares
    without_ids = [{**p, "participant_id": None} for p in again.people]
    assert without_ids == [{**p, "participant_id": None} for p in first.people]
    # The same people without a server.
    drawn = publish.design(small, publish.results.find(lab.state.store, "demo"))
    everything = Everything(small, again.version.design, drawn.stimuli, first.raters,
                            first.resolved_seed)  # fmt: skip
    in_memory = [
        (given.question.position, given.answer, given.rt_ms)
        for took in take_part(everything, 4)
        if not took.done.withdraws
        for given in took.done.answers
    ]
    over_http = [
        (int(row.trial_index), row.response, None if row.rt_ms is None else float(row.rt_ms))
        for row in rows.itertuples()
    ]
    assert sorted(in_memory, key=str) == sorted(over_http, key=str)
    assert seed_for(4, again.version.content_sha256) != first.resolved_seed
    other = dataclasses.replace(everything, seed=first.resolved_seed + 1)
    answers = [[a.answer for a in took.done.answers] for took in take_part(other, 4)]
    assert answers != [[a.answer for a in took.done.answers] for took in take_part(everything, 4)]


def test_what_people_do_is_stored_and_told(lab, small):
    made = simulate(small, SOME_OF_ALL, lab.state, people=12, seed=3)
    fates = made.fates()
    assert set(fates) == {"withdrew", "dropped_out", "complete"}
    with lab.database.read() as s:
        (counts,) = (row for row in repository.counts(s, "demo") if row.stage == "simulated")
        assert repository.withdrawals(s, "demo") == 0
    assert counts.withdrawn == fates["withdrew"]
    assert counts.completed == fates["complete"]
    rows = responses(lab)
    answers = {p["participant_id"]: p["answers"] for p in made.people if p["fate"] != "withdrew"}
    assert dict(rows.groupby("participant_id").size()) == {k: n for k, n in answers.items() if n}
    assert all(p["participant_id"] is None for p in made.people if p["fate"] == "withdrew")
    with lab.database.read() as s:
        events = export.events(s, "demo", stage="simulated")
    assert len(events) > len(rows)  # a second tab's answers are only in the log
    told = json.loads(json.dumps(made.to_json()))
    assert told["simulated"] is True
    assert {p["kind"] for p in told["people"]} == {"attends", "inattentive", "straight_lines"}


def test_who_fails_a_form_is_not_admitted(lab, small):
    fail = Raters(title="Fail", fails_screening=0.5, fails_comprehension=0.5)
    made = simulate(small, fail, lab.state, people=8, seed=2)
    fates = made.fates()
    assert set(fates) == {"screened_out", "failed_check", "complete"}
    with lab.database.read() as s:
        (row,) = (row for row in repository.counts(s, "demo") if row.stage == "simulated")
    assert (row.screened_out, row.failed_check) == (fates["screened_out"], fates["failed_check"])
    assert row.admitted == fates["complete"]


def test_people_come_by_invitation_without_using_one_up(lab, small):
    by_invitation = changed(small, provider={"name": "invitation"})
    assert simulate(by_invitation, ATTENTIVE, lab.state, people=2, seed=1).fates()["complete"] == 2
    with lab.database.read() as s:
        assert repository.invitation_counts(s, "demo").made == 0


@pytest.mark.parametrize(
    "provider",
    [
        {"name": "direct"},
        {"name": "prolific", "complete": "C0DE"},
        {"name": "invitation"},
        {"name": "sona", "credit": "https://school.example/credit?survey_code={id}"},
    ],
    ids=lambda provider: provider["name"],
)
def test_every_provider_takes_an_identity_of_nobody(provider):
    made = providers.registry.from_config(provider)
    found = [identity_for(made, random.Random(seed)) for seed in (1, 2)]
    assert [made.refusal(identity) for identity in found] == [None, None]
    assert (found[0] == found[1]) == (provider["name"] == "direct")
    assert set(providers.registry.names()) == {"direct", "prolific", "invitation", "sona"}


def test_no_two_studies_have_the_same_events(lab, small):
    seen = set()
    for study in (small, changed(small, name="another")):
        simulate(study, ATTENTIVE, lab.state, people=1, seed=1)
        with lab.database.read() as s:
            seen |= set(export.events(s, study.name, stage="simulated")["event_id"])
    assert len(seen) == 2 * 10
