"""Every exclusion rule keeps its contract; together they mark what a naive reading marks."""

import json
from collections import Counter

import jsonschema
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from db.errors import ExportError
from db.export import Evidence
from db.export.judging import ANSWERS_COLUMNS, PEOPLE_COLUMNS
from engine.errors import UsageError
from study_app import exclusions
from study_app.exclusions import registry
from study_app.study import schema

CATCH, FAST = {"rule": "catch_below", "share": 0.75}, {"rule": "too_fast", "ms": 200}
HIDDEN, INCOMPLETE = {"rule": "hidden_too_long", "ms": 10_000}, {"rule": "incomplete"}


EXAMPLES = {rule["rule"]: rule for rule in (CATCH, FAST, HIDDEN, INCOMPLETE)}


def frame(rows, columns):
    """The rows by the columns that the database gives; what they do not have is empty."""
    return pd.DataFrame(
        {c.name: pd.array([row.get(c.name) for row in rows], dtype=c.dtype) for c in columns}
    )


def people(rows):
    return frame(rows, PEOPLE_COLUMNS)


def answers(rows):
    return frame(rows, ANSWERS_COLUMNS)


PERSON = {"participant_id": "p0", "study_version": 1, "status": "complete"}


@pytest.fixture(params=registry.names())
def rule(request):
    return registry.from_config(EXAMPLES[request.param])


def test_it_says_what_it_judges_and_what_it_excludes(rule):
    assert rule.judges in ("people", "answers")
    assert type(rule).__doc__.startswith(rule.judges.capitalize() + " ")


def test_it_is_rebuilt_from_its_config_and_its_repr(rule):
    stored = json.loads(json.dumps(rule.config()))
    assert stored == EXAMPLES[rule.name]
    assert registry.from_config(stored) == rule
    assert eval(repr(rule), {"exclusions": exclusions}) == rule


def test_the_schema_of_a_study_file_describes_it(rule):
    whole = schema.study()
    part = {"$defs": whole["$defs"], "$ref": "#/$defs/exclusion"}
    jsonschema.validate(rule.config(), part)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**rule.config(), "cause": 1}, part)


def test_a_parameter_out_of_its_range_is_refused(rule):
    for name in type(rule).model_fields:
        with pytest.raises(UsageError, match=name):
            registry.from_config({**rule.config(), name: -1})


def test_nobody_has_nothing_to_exclude(rule):
    nothing = people([]), answers([])
    assert rule.excludes(*nothing).tolist() == []


def test_what_is_not_known_excludes_nobody_who_finished(rule):
    unknown = {"participant_id": "p0", "study_version": 1, "trial_type": "catch"}
    hit = rule.excludes(people([PERSON]), answers([unknown]))
    assert hit.fillna(False).tolist() == [False]


def test_each_of_those_judged_gets_a_word_and_no_table_is_changed(rule):
    """By the tables' own index, of which a version of the study has a part."""
    given = (
        people([PERSON, {**PERSON, "participant_id": "p1"}, PERSON]).iloc[1:],
        answers([PERSON, {**PERSON, "rt_ms": 1.0, "hidden_ms": 1e9}]).iloc[1:],
    )
    before = [table.copy() for table in given]
    hit = rule.excludes(*given)
    assert hit.index.equals(given[rule.judges == "answers"].index)
    for table, was in zip(given, before, strict=True):
        pd.testing.assert_frame_equal(table, was)


def test_a_rule_without_its_name_is_refused():
    for wrong in ({"share": 0.5}, {"name": "too_fast", "ms": 200}, 3, {"rule": "too_fast", 1: 2}):
        with pytest.raises(UsageError, match="exclusion"):
            registry.from_config(wrong)


def test_a_stored_rule_that_is_not_known_is_refused_in_a_sentence():
    config = {"exclusions": [FAST, {"rule": "sleepy", "share": 0.5}]}
    with pytest.raises(ExportError) as refused:
        exclusions.declared(config, "demo", 2)
    assert str(refused.value) == (
        'Version 2 of study \'demo\' excludes by the rule {"rule": "sleepy", "share": 0.5}, '
        f"which this program does not know; known: {', '.join(registry.names())}. "
        "Use the newer program that published it."
    )


RULES = st.one_of(
    st.builds(
        lambda share, per: {"rule": "catch_below", "share": share, "per": per},
        st.sampled_from([0.1, 0.5, 2 / 3, 0.7, 0.75, 1]),
        st.sampled_from(["all", "question"]),
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
        "task": st.sampled_from(["label_nafc", "target_plausible"]),
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


def excluding(rules, status, trials, row):
    """Names of the rules that exclude `row` of somebody's `trials`; of the person if None."""
    asked = [t for t in trials if t["trial_type"] == "catch" and t["correct_option"] is not None]
    right = [t for t in asked if t["response"] == t["correct_option"]]
    names = []
    for rule in rules:
        name = rule["rule"]
        if name == "catch_below":
            shares = [len(right) / len(asked)] if asked else []
            if rule["per"] == "question":
                shares = [
                    sum(t in right for t in asked if t["task"] == task)
                    / sum(t["task"] == task for t in asked)
                    for task in {t["task"] for t in asked}
                ]
            out = any(share < rule["share"] for share in shares)
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
@example(
    [(1, "complete", SEVEN)],
    {1: [{"rule": "catch_below", "share": 0.7, "per": "all"}], 2: [], 3: []},
)
@given(PEOPLE, st.fixed_dictionaries({n: st.lists(RULES, max_size=5) for n in (1, 2, 3)}))
def test_the_marks_are_those_of_a_naive_reading(told, rules):
    rows, persons, expected = [], [], []
    for number, (version, how, trials) in enumerate(told):
        known = {"participant_id": f"p{number}", "study_version": version}
        persons.append({**known, "status": how})
        for trial in trials:
            rows.append({**known, **trial})
            expected.append(excluding(rules[version], how, trials, trial))
    configs = {version: {"exclusions": listed} for version, listed in rules.items()}
    verdict = exclusions.judge(Evidence("demo", configs, people(persons), answers(rows)))
    assert [";".join(names) for names in verdict.answers] == expected
    assert [";".join(names) for names in verdict.people] == [
        excluding(rules[version], how, trials, None) for version, how, trials in told
    ]


@settings(max_examples=60, deadline=None)
@given(RULES, st.lists(st.tuples(st.sampled_from(["q1", "q2"]), st.booleans()), max_size=9))
def test_what_a_rule_passes_is_what_it_does_not_exclude(config, given_answers):
    rule = registry.from_config(config)
    if not rule.needs_catch:
        assert rule.passes({}, {})
        return
    rows = [
        {"participant_id": "p0", "study_version": 1, "trial_type": "catch", "task": question,
         "correct_option": "yes", "response": "yes" if right else "no"}
        for question, right in given_answers
    ]  # fmt: skip
    hit = rule.excludes(people([PERSON]), answers(rows)).fillna(False).tolist()
    asked = Counter(question for question, _ in given_answers)
    right = Counter(question for question, is_right in given_answers if is_right)
    assert hit == [not rule.passes(right, asked)]
