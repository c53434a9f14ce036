"""Every rating of a main trial is counted once, and each empty state has a true sentence."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.analysis.basis import basis, other_stages, sentences
from engine.analysis.human_table import human_table

Q1, Q2 = "label_nafc", "target_plausible"
COLUMNS = {
    "trial_type": "string",
    "task": "string",
    "response": "string",
    "response_label": "string",
    "presentation_id": "string",
    "participant_id": "string",
    "source_image_id": "string",
    "condition": "string",
    "shown_label_index": "Int64",
    "correct_option": "string",
    "excluded": "boolean",
}


def row(task, presentation="a", response="yes", kind="main", excluded=False, expected=None):
    return dict(
        zip(
            COLUMNS,
            (kind, task, response, response, presentation, "p", "s", "c", 4, expected, excluded),
            strict=True,
        )
    )


def table(*rows):
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def said(*rows, people=1, **options):
    return sentences(basis(table(*rows), stage="pilot", people=people, **options))


PAIR = (row(Q1), row(Q2))


@pytest.mark.parametrize(
    ("rows", "people", "expected"),
    [
        ((), 0, ["Nobody has taken part in the stage pilot yet."]),
        (
            (),
            1,
            ["1 person has begun in the stage pilot, and nobody has answered anything yet."],
        ),
        (
            (),
            3,
            ["3 people have begun in the stage pilot, and nobody has answered anything yet."],
        ),
        (
            (row(Q1, kind="practice"), row(Q1, kind="catch", expected="3")),
            1,
            [
                "2 ratings so far, all in practice or catch trials: "
                "there is nothing to estimate from yet."
            ],
        ),
        (
            (row(Q1, excluded=True), row(Q2, excluded=True)),
            1,
            ["All answers so far are left out by the study's exclusion rules."],
        ),
        (
            (row(Q1, response="timed_out"), row(Q2, response="timed_out")),
            1,
            ["None of the answers so far came in time."],
        ),
        (
            (row(Q1, excluded=True), row(Q2, response="timed_out")),
            1,
            [
                "Left out by exclusion rules: 1 of 2 ratings.",
                "Not answered in time: 1 of 2 ratings.",
            ],
        ),
        (
            (row("pair_preference"), row("pair_preference", "b"), row("rank")),
            1,
            [
                "No estimate for these question types yet: pair_preference (2 ratings), "
                "rank (1 rating). The export has them."
            ],
        ),
        (
            (row(Q1), row(Q1, "b")),
            1,
            [
                "Not in the table: 2 ratings whose other question about the same picture "
                "(label_nafc or target_plausible) has no answer that counts."
            ],
        ),
        (PAIR, 1, []),
        (
            (
                *PAIR,
                row("accept_reject", "b"),
                row("accept_reject", "c", "no", "catch", False, "no"),
            ),
            1,
            [
                "No estimate for these question types yet: accept_reject (1 rating). "
                "The export has them.",
                "Catch trials of these question types are not scored here yet: "
                "accept_reject (1 rating).",
            ],
        ),
        (
            (row("rank", excluded=True), row("rank", "b")),
            1,
            [
                "No estimate for these question types yet: rank (1 rating). The export has them.",
                "Left out by exclusion rules: 1 of 2 ratings.",
            ],
        ),
    ],
)
def test_each_state_has_its_own_true_sentence(rows, people, expected):
    assert said(*rows, people=people) == expected


def test_with_excluded_answers_nothing_is_left_out():
    rows = (row(Q1, excluded=True), row(Q2, excluded=True))
    assert said(*rows, with_excluded=True) == []


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
    st.sampled_from([Q1, Q2, "rank", "accept_reject"]),
    st.sampled_from("abcdefg"),
    st.sampled_from(["yes", "no", "timed_out"]),
    st.sampled_from(["main", "main", "practice", "catch"]),
    st.booleans(),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(ROWS, max_size=30, unique_by=lambda r: (r["task"], r["presentation_id"])))
def test_every_main_rating_is_counted_once_and_no_state_is_without_words(rows):
    ratings = table(*rows)
    found = basis(ratings, stage="main", people=1)
    assert found.main == (
        found.excluded
        + found.timed_out
        + found.estimated
        + found.partnerless
        + sum(found.no_estimate.values())
    )
    shown = human_table(ratings)
    assert found.estimated == 2 * sum(result.fooled.ratings for result in shown)
    if not shown:
        assert sentences(found)
        assert not any("Nobody" in sentence for sentence in sentences(found)) or not rows
