"""Exclusion rules from the database to the tables."""

import pandas as pd
import pytest
from stored_study import participants, ratings, scores_nothing, write_csv

from db import export
from db import repository as repo
from db.errors import ExportError
from db.export import Verdict
from db.export.judging import ANSWERS, PEOPLE
from study_app.exclusions import judge

CATCH, FAST = {"rule": "catch_below", "share": 0.75}, {"rule": "too_fast", "ms": 200}
HIDDEN, INCOMPLETE = {"rule": "hidden_too_long", "ms": 10_000}, {"rule": "incomplete"}


def planned(roles):
    """One question on each of the stimuli; "3" is expected of catch presentations."""

    def draw(lab):
        return lambda arm, list_index, seed: [
            repo.PlannedPresentation(
                stimulus_id=lab.stimuli[number % 4].stimulus_id,
                phase="practice" if role == "practice" else "main",
                role=role,
                condition="c",
                block=1,
                trials=(
                    repo.PlannedTrial(
                        "label_nafc",
                        {"layout": "grid", "options": []},
                        correct_option="3" if role == "catch" else None,
                    ),
                ),
            )
            for number, role in enumerate(roles)
        ]

    return draw


def take_part(lab, version, answers, roles=("practice", "main", "catch", "catch")):
    """Somebody who gives `answers` to the first trials: a value, and what differs about it."""
    person, _ = lab.consent(version)
    draw = planned(roles)(lab)
    lab.database.write(
        lambda s: repo.admit(s, participant_id=person.id, slots=lab.slots, draw=draw, now=lab.now)
    )
    for trial, (value, changes) in zip(lab.trials(person), answers, strict=False):
        lab.answer(person, trial.trial_id, value, **changes)
    return person.id


def tables(lab):
    """{participant: their rules} and {participant: the rules of each answer}."""
    with lab.database.read() as s:
        people, rows = participants(s, "demo", judge=judge), ratings(s, "demo", judge=judge)
    for table in (people, rows):
        assert (table["excluded"] == table["exclusion_rule"].notna()).all()
        assert table.dtypes["excluded"] == "boolean"
    of_person = people.set_index("participant_id")["exclusion_rule"].fillna("").to_dict()
    answers = rows["exclusion_rule"].fillna("").groupby(rows["participant_id"]).agg(list)
    return of_person, answers.to_dict()


RIGHT, WRONG = ("3", {}), ("8", {})


def test_rules_mark_people_with_all_their_rows_and_answers_alone(lab):
    version = lab.open(config={"exclusions": [FAST, CATCH, INCOMPLETE, HIDDEN]})
    quick, slow = ("1", {"rt_ms": 199.5}), ("1", {"rt_ms": 200.0})
    away = ("1", {"timing": {"hidden_ms": 10_001}})
    late = ("timed_out", {"rt_ms": None, "values": {"timed_out": True}})
    good = take_part(lab, version, [quick, slow, RIGHT, RIGHT])
    bad = take_part(lab, version, [quick, away, RIGHT, WRONG])
    missed = take_part(lab, version, [slow, slow, RIGHT, late])
    stopped = take_part(lab, version, [slow, away, RIGHT])
    early = take_part(lab, version, [slow])
    nobody = take_part(lab, version, [])
    screened_out, _ = lab.consent(version)
    of_person, answers = tables(lab)
    assert of_person == {
        good: "",
        bad: "catch_below",
        missed: "catch_below",
        stopped: "incomplete",
        early: "incomplete",
        nobody: "incomplete",
        screened_out.id: "incomplete",
    }
    assert answers == {
        good: ["too_fast", "", "", ""],
        bad: ["too_fast;catch_below", "catch_below;hidden_too_long", "catch_below", "catch_below"],
        missed: ["catch_below"] * 4,
        stopped: ["incomplete", "incomplete;hidden_too_long", "incomplete"],
        early: ["incomplete"],
    }


def test_everybody_is_judged_by_the_rules_of_their_own_version(lab):
    first = lab.open(config={"exclusions": [CATCH]})
    one = take_part(lab, first, [RIGHT, RIGHT, RIGHT, WRONG])
    stopped = take_part(lab, first, [RIGHT])
    second = lab.publish(
        config={"exclusions": [INCOMPLETE, {**CATCH, "share": 0.5}]},
        content_sha256=lab.sha256("second"),
    )
    two = take_part(lab, second, [RIGHT, RIGHT, RIGHT, WRONG])
    stopped_too = take_part(lab, second, [RIGHT])
    third = lab.publish(config={"title": "no rules"}, content_sha256=lab.sha256("third"))
    three = take_part(lab, third, [WRONG, WRONG, WRONG, WRONG])
    of_person, answers = tables(lab)
    expected = {one: "catch_below", stopped: "", two: "", stopped_too: "incomplete", three: ""}
    assert of_person == expected
    assert {person: set(rules) for person, rules in answers.items()} == {
        person: {rule} for person, rule in expected.items()
    }


def test_without_rules_nothing_is_marked(lab):
    lab.finish(lab.admit(lab.open()))
    lab.admit(lab.open())
    of_person, answers = tables(lab)
    assert set(of_person.values()) == {""}
    assert list(answers.values()) == [[""] * 8]


def test_without_an_answered_catch_trial_there_is_nothing_to_judge_by(lab):
    version = lab.open(config={"exclusions": [CATCH, INCOMPLETE]})
    person = take_part(lab, version, [WRONG], roles=("main",))
    _, answers = tables(lab)
    assert answers == {person: [""]}


@pytest.mark.parametrize(
    "rule",
    [
        {"rule": "sleepy", "share": 0.5},
        {"rule": "too_fast", "ms": 200, "tasks": ["label_nafc"]},
        {"rule": "catch_below", "below": 0.75},
    ],
)
def test_a_rule_from_a_newer_program_is_refused_by_name(lab, tmp_path, rule):
    lab.open(config={"exclusions": [FAST]})
    lab.publish(config={"exclusions": [FAST, rule]}, content_sha256=lab.sha256("second"))
    said = f'Version 2 of study \'demo\' .*"rule": "{rule["rule"]}".* does not know'
    for table in (ratings, participants):
        with lab.database.read() as s, pytest.raises(ExportError, match=said):
            table(s, "demo", judge=judge)
    with pytest.raises(ExportError, match=said):
        write_csv(lab.database, "demo", tmp_path / "out", lab.now, judge=judge)
    assert not (tmp_path / "out").exists()


def test_both_tables_ask_the_judge_by_the_same_evidence(lab):
    """A rule that judged by another column in one of them would mark them differently."""
    version = lab.open(config={"exclusions": [FAST]})
    take_part(lab, version, [RIGHT, WRONG, ("1", {"timing": {"hidden_ms": 7}})])
    lab.consent(version)
    given = []

    def witness(evidence):
        given.append(evidence)
        return judge(evidence)

    with lab.database.read() as s:
        ratings(s, "demo", judge=witness)
        participants(s, "demo", judge=witness)
    first, second = given
    assert first.study == second.study == "demo"
    assert first.configs == second.configs == {1: {"exclusions": [FAST]}}
    assert list(first.people.columns) == list(PEOPLE)
    assert sorted(first.answers.columns) == sorted(ANSWERS)
    for name, by in (("people", []), ("answers", ["trial_index"])):
        order = ["participant_id", *by]
        one, two = (getattr(each, name).sort_values(order, ignore_index=True) for each in given)
        pd.testing.assert_frame_equal(one, two[list(one.columns)])


def test_the_database_marks_what_the_judge_says_and_knows_no_rule(lab):
    version = lab.open(config={"exclusions": [{"rule": "unheard of"}]})
    person = take_part(lab, version, [RIGHT, WRONG])

    def says(evidence):
        return Verdict([["one", "two"]], [[], ["two"]])

    with lab.database.read() as s:
        people, rows = participants(s, "demo", judge=says), ratings(s, "demo", judge=says)
    assert people["exclusion_rule"].tolist() == ["one;two"]
    assert rows["participant_id"].tolist() == [person] * 2
    assert rows["excluded"].tolist() == [False, True]
    assert rows["exclusion_rule"].fillna("").tolist() == ["", "two"]


def test_no_table_with_marks_can_be_had_without_a_judge_nor_answers_without_a_scorer(lab, tmp_path):
    """A forgotten judge would leave everybody in, and nobody would see it."""
    with lab.database.read() as s:
        for table in (export.ratings, export.participants):
            with pytest.raises(TypeError, match="judge"):
                table(s, "demo", **({"score": scores_nothing} if table is export.ratings else {}))
        with pytest.raises(TypeError, match="score"):
            export.ratings(s, "demo", judge=judge)
    with pytest.raises(TypeError, match="judge"):
        export.write_csv(lab.database, "demo", tmp_path / "out", lab.now, score=scores_nothing)
    with pytest.raises(TypeError, match="score"):
        export.write_csv(lab.database, "demo", tmp_path / "out", lab.now, judge=judge)
