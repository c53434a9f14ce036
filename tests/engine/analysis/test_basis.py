"""Every rating is counted once, and each empty state has a true sentence."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.analysis.basis import basis, other_stages, sentences

COLUMNS = {
    "trial_type": "string",
    "task": "string",
    "timed_out": "boolean",
    "excluded": "boolean",
}


def row(task="rank", kind="main", *, late=False, excluded=False):
    return dict(zip(COLUMNS, (kind, task, True if late else None, excluded), strict=True))


def table(*rows):
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def said(*rows, people=1, **options):
    return sentences(basis(table(*rows), stage="pilot", people=people, **options))


LATE = "Not answered in time, and missing in all estimates: 1 of 2 ratings."


@pytest.mark.parametrize(
    ("rows", "people", "expected"),
    [
        ((), 0, ["Nobody has taken part in the stage pilot yet."]),
        ((), 1, ["1 person has begun in the stage pilot, and nobody has answered anything yet."]),
        (
            (),
            3,
            ["3 people have begun in the stage pilot, and nobody has answered anything yet."],
        ),
        (
            (row(kind="practice"), row(kind="catch")),
            1,
            [
                "2 ratings so far, all in practice or catch trials: "
                "there is nothing to estimate from yet."
            ],
        ),
        (
            (row(excluded=True), row(excluded=True)),
            1,
            ["All answers so far are left out by the study's exclusion rules."],
        ),
        ((row(late=True), row(late=True)), 1, ["None of the answers so far came in time."]),
        (
            (row(excluded=True), row(late=True)),
            1,
            ["Left out by exclusion rules: 1 of 2 ratings.", LATE],
        ),
        ((row(), row(late=True)), 1, [LATE]),
        ((row(), row(excluded=True)), 1, []),
        ((row(), row("accept_reject")), 1, []),
    ],
)
def test_each_state_has_its_own_true_sentence(rows, people, expected):
    assert said(*rows, people=people) == expected


def test_with_excluded_answers_nothing_is_left_out():
    assert said(row(excluded=True), row(excluded=True), with_excluded=True) == []


def test_every_question_type_is_counted_by_its_name():
    found = basis(table(row(), row(), row("accept_reject")), stage="main", people=1)
    assert found.counted == {"accept_reject": 1, "rank": 2}


def test_other_stages_are_named_with_what_they_hold():
    held = {"pilot": 0, "main": 1200, "simulated": 1}
    assert other_stages("pilot", held) == {
        "main": "The stage main holds 1200 ratings",
        "simulated": "The stage simulated holds 1 rating",
    }
    assert other_stages("main", held) == {"simulated": "The stage simulated holds 1 more rating"}
    assert other_stages("main", {"main": 3, "pilot": 0}) == {}


ROWS = st.builds(
    row,
    st.sampled_from(["label_nafc", "target_plausible", "rank"]),
    st.sampled_from(["main", "main", "practice", "catch"]),
    late=st.booleans(),
    excluded=st.booleans(),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(ROWS, max_size=30), st.booleans())
def test_every_rating_is_counted_once_and_no_state_is_without_words(rows, with_excluded):
    found = basis(table(*rows), stage="main", people=1, with_excluded=with_excluded)
    assert found.ratings == len(rows) == found.practice + found.catch + found.main
    assert found.main == found.excluded + found.timed_out + sum(found.counted.values())
    if not found.counted:
        assert sentences(found)
        assert not any("Nobody" in sentence for sentence in sentences(found)) or not rows
