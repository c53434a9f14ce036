"""The counts of exclusions and of catch trials, from made-up ratings."""

import pandas as pd

from engine.analysis.attention import attention
from engine.analysis.exclusions import Excluded, exclusions


def test_what_rules_exclude_is_counted_as_it_is_marked():
    marks = ["fast", None, "catch;fast", "catch", None, "catch"]
    people = ["a", "a", "b", "b", "c", "d"]
    for dtype in ("string", "object"):  # from the database, and read back from a file
        rows = pd.DataFrame(
            {"participant_id": people, "exclusion_rule": pd.Series(marks, dtype=dtype)}
        )
        assert exclusions(rows) == [Excluded("catch", 2, 3), Excluded("fast", 2, 2)]
        nothing = rows[rows["exclusion_rule"].isna()]
        assert exclusions(nothing) == []
    assert exclusions(rows, ["slow", "fast"]) == [
        Excluded("slow", 0, 0),
        Excluded("fast", 2, 2),
        Excluded("catch", 2, 3),
    ]


def catch(*rows):
    """Ratings (kind, task, response, expected), each of a person and an image of their own."""
    made = [
        {
            "trial_type": kind,
            "task": task,
            "response": response,
            "correct_option": expected,
            "participant_id": f"who{number}",
            "source_image_id": f"image{number}",
            "excluded": bool(number % 2),
        }
        for number, (kind, task, response, expected) in enumerate(rows)
    ]
    return pd.DataFrame(made).astype({"response": "string", "correct_option": "string"})


def test_attention_counts_catch_trials_alone_and_everybody():
    """One without an answer in time was missed; one without an expected answer is no test."""
    label, plausible = attention(
        catch(
            ("catch", "label_nafc", "3", "3"),
            ("catch", "label_nafc", "5", "3"),
            ("catch", "label_nafc", "timed_out", "3"),
            ("catch", "label_nafc", "3", "3"),
            ("catch", "target_plausible", "yes", "yes"),
            ("catch", "rating_scale", "4", None),
            ("main", "target_plausible", "no", "yes"),
            ("practice", "target_plausible", "no", "yes"),
        )
    )
    assert (label.task, label.expected.value, label.expected.ratings) == ("label_nafc", 0.5, 4)
    assert (plausible.task, plausible.expected.value) == ("target_plausible", 1.0)
    assert attention(catch(("main", "rank", "1", None))) == []
