"""Exclusion rules against a naive reading of them, and from the database to the tables."""

from typing import get_args

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from db import repository as repo
from db.errors import ExportError
from db.export import exclusions, participants, ratings, write_csv
from study_app.study import Exclusion

CATCH, FAST = {"rule": "catch_below", "share": 0.75}, {"rule": "too_fast", "ms": 200}
HIDDEN, INCOMPLETE = {"rule": "hidden_too_long", "ms": 10_000}, {"rule": "incomplete"}

RULES = st.one_of(
    st.builds(
        lambda share: {"rule": "catch_below", "share": share},
        st.sampled_from([0.1, 0.5, 2 / 3, 0.7, 0.75, 1]),
    ),
    st.builds(
        lambda name, ms: {"rule": name, "ms": ms},
        st.sampled_from(["too_fast", "hidden_too_long"]),
        st.sampled_from([150, 200, 200.5]),
    ),
    st.just(INCOMPLETE),
)
TRIALS = st.fixed_dictionaries(
    {
        "trial_type": st.sampled_from(["practice", "main", "catch", "catch"]),
        "correct_option": st.sampled_from([None, "yes", "no"]),
        "response": st.sampled_from(["yes", "no", "timed_out"]),
        "rt_ms": st.sampled_from([None, 149.9, 150.0, 199.9, 200.0, 200.4, 900.0]),
        "hidden_ms": st.sampled_from([None, 0.0, 150.0, 200.0, 200.1, 5000.0]),
    }
)
PEOPLE = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from(["complete", "complete", "admitted", "returned", "screened_out"]),
        st.lists(TRIALS, max_size=8),
    ),
    max_size=5,
)
DTYPES = {
    "participant_id": "string",
    "study_version": "Int64",
    "trial_type": "string",
    "correct_option": "string",
    "response": "string",
    "rt_ms": "Float64",
    "hidden_ms": "Float64",
}


def excluding(rules, status, trials, row):
    """Names of the rules that exclude `row` of somebody's `trials`; of the person if None."""
    asked = [t for t in trials if t["trial_type"] == "catch" and t["correct_option"] is not None]
    right = [t for t in asked if t["response"] == t["correct_option"]]
    names = []
    for rule in rules:
        name = rule["rule"]
        if name == "catch_below":
            out = asked and len(right) / len(asked) < rule["share"]
        elif name == "incomplete":
            out = status != "complete"
        elif row is None:
            out = False
        elif name == "too_fast":
            out = row["rt_ms"] is not None and row["rt_ms"] < rule["ms"]
        else:
            out = row["hidden_ms"] is not None and row["hidden_ms"] > rule["ms"]
        if out and name not in names:
            names.append(name)
    return ";".join(names)


SEEN = {"trial_type": "catch", "correct_option": "yes", "rt_ms": None, "hidden_ms": None}
# Seven of ten: a share that no binary fraction is.
SEVEN = [{**SEEN, "response": "yes" if number < 7 else "no"} for number in range(10)]


@settings(max_examples=40)
@example([(1, "complete", SEVEN)], {1: [{"rule": "catch_below", "share": 0.7}], 2: [], 3: []})
@given(PEOPLE, st.fixed_dictionaries({n: st.lists(RULES, max_size=5) for n in (1, 2, 3)}))
def test_the_marks_are_those_of_a_naive_reading(people, rules):
    rows, status, expected = [], {}, []
    for number, (version, how, trials) in enumerate(people):
        status[f"p{number}"] = how
        for trial in trials:
            rows.append({"participant_id": f"p{number}", "study_version": version, **trial})
            expected.append(excluding(rules[version], how, trials, trial))
    table = pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)
    before = table.copy()
    marked = exclusions.mark_ratings(table, status, rules)
    pd.testing.assert_frame_equal(marked[list(DTYPES)], before)
    assert marked["exclusion_rule"].fillna("").tolist() == expected
    assert marked["excluded"].tolist() == [name != "" for name in expected]

    persons = pd.DataFrame(
        {"participant_id": list(status), "status": list(status.values())}, dtype="string"
    ).assign(study_version=pd.array([version for version, _, _ in people], dtype="Int64"))
    of_people = exclusions.mark_participants(persons, table, rules)
    assert of_people["exclusion_rule"].fillna("").tolist() == [
        excluding(rules[version], how, trials, None) for version, how, trials in people
    ]


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
        people, rows = participants(s, "demo"), ratings(s, "demo")
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
            table(s, "demo")
    with pytest.raises(ExportError, match=said):
        write_csv(lab.database, "demo", tmp_path / "out", lab.now)
    assert not (tmp_path / "out").exists()


def test_every_rule_of_a_study_file_can_be_applied():
    union, _ = get_args(Exclusion)
    offered = {
        get_args(model.model_fields["rule"].annotation)[0]: set(model.model_fields)
        for model in get_args(union)
    }
    assert offered == {name: {"rule", *rule.parameters} for name, rule in exclusions.KNOWN.items()}
