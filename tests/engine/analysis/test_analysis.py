"""The human table and the counts of exclusions, from made-up ratings."""

from io import StringIO

import pandas as pd

from engine.analysis.exclusions import Excluded, exclusions
from engine.analysis.human_table import attention, human_table

# A class's name, its translation and its index are never the same text.
ENGLISH = ["aeroplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "lorry"]
GERMAN = ["Flugzeug", "Auto", "Vogel", "Katze", "Hirsch", "Hund", "Frosch", "Pferd", "Schiff",
          "Lastwagen"]  # fmt: skip


def ratings(rows):
    trials = []
    for number, (kind, condition, label, shown, plausible, expected) in enumerate(rows):
        common = {
            "presentation_id": f"p{number}",
            "participant_id": f"who{number % 3}",
            "source_image_id": f"image{number % 5}",
            "condition": condition,
            "trial_type": kind,
            "excluded": False,
        }
        value = "cant_tell" if label is None else label
        button = "Weiß nicht" if label is None else GERMAN[int(label)]
        first = {"task": "label_nafc", "response": value, "response_label": button}
        first |= {"shown_label": None, "shown_label_index": None}
        second = {"task": "target_plausible", "response": plausible, "response_label": "Ja"}
        second |= {"shown_label": ENGLISH[int(shown)], "shown_label_index": int(shown)}
        trials.append({**common, **first, "correct_option": expected[0]})
        trials.append({**common, **second, "correct_option": expected[1]})
    return pd.DataFrame(trials)


UNKNOWN = (None, None)


def test_the_human_table_scores_both_ways():
    table = human_table(
        ratings(
            [
                ("main", "none", "3", "4", "no", UNKNOWN),
                ("main", "none", "4", "4", "yes", UNKNOWN),
                ("main", "none", None, "4", "no", UNKNOWN),
                ("main", "none", None, "4", "yes", UNKNOWN),
                ("main", "clean", "3", "4", "no", UNKNOWN),
                ("practice", "none", "4", "4", "yes", UNKNOWN),
                ("catch", "none", "4", "4", "yes", UNKNOWN),
            ]
        )
    )
    clean, none = table
    assert (clean.condition, none.condition) == ("clean", "none")
    assert none.fooled.value == 0.25
    assert none.plausible.value == 0.5
    assert none.reasonable.value == 0.75
    assert none.cant_tell.value == 0.5
    assert (none.fooled.ratings, none.fooled.participants, none.fooled.images) == (4, 3, 4)
    assert clean.fooled.value == 0


def test_the_human_table_is_the_same_from_a_database_and_read_back_from_a_file():
    rows = ratings([("main", "none", "4", "4", "yes", UNKNOWN), ("main", "none", "3", "4", "no",
                    UNKNOWN)])  # fmt: skip
    typed = rows.assign(
        response=rows["response"].astype("string"),
        shown_label_index=rows["shown_label_index"].astype("Int64"),
    )
    assert human_table(typed) == human_table(pd.read_csv(StringIO(rows.to_csv(index=False))))
    assert human_table(typed)[0].fooled.value == 0.5


def test_the_human_table_leaves_out_a_presentation_with_an_excluded_answer():
    rows = ratings([("main", "none", "4", "4", "yes", UNKNOWN)] * 3)
    rows.loc[0, "excluded"] = True  # the first question of one, the second of another
    rows.loc[3, "excluded"] = True
    (left,) = human_table(rows)
    assert (left.fooled.ratings, left.plausible.ratings) == (1, 1)
    (every,) = human_table(rows, with_excluded=True)
    assert every.fooled.ratings == 3
    assert human_table(rows.assign(excluded=True)) == []


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


def test_attention_counts_catch_trials_alone():
    found = attention(
        ratings(
            [
                ("catch", "catch", "3", "3", "yes", ("3", "yes")),
                ("catch", "catch", "5", "0", "no", ("3", "no")),
                ("main", "none", "1", "4", "yes", UNKNOWN),
            ]
        )
    )
    assert found.label.value == 0.5
    assert found.plausible.value == 1.0
