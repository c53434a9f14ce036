"""Rates and their intervals against simulation, and the human table from made-up ratings."""

from io import StringIO

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from engine.analysis.exclusions import Excluded, exclusions
from engine.analysis.human_table import attention, human_table
from engine.statistics import crossed_rate, wilson


@pytest.mark.parametrize(("successes", "count"), [(0, 20), (3, 7), (50, 100), (9, 9)])
def test_wilson_is_scipys(successes, count):
    ours = wilson(successes, count)
    theirs = binomtest(successes, count).proportion_ci(method="wilson")
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def simulate(rng, people=12, images=20, spread=1.0):
    """Crossed random effects on the logit scale; the true rate is their average."""
    who, what = (a.ravel() for a in np.meshgrid(range(people), range(images), indexing="ij"))
    logit = (rng.normal(0, spread, people)[who] + rng.normal(0, spread, images)[what]) - 0.5
    return rng.random(len(who)) < 1 / (1 + np.exp(-logit)), who, what


def true_rate(spread=1.0):
    draws = np.random.default_rng(1).normal(0, np.sqrt(2) * spread, 400_000) - 0.5
    return float((1 / (1 + np.exp(-draws))).mean())


def test_the_interval_covers_as_often_as_it_says_where_the_binomial_one_does_not():
    rng, truth = np.random.default_rng(0), true_rate()
    covered = {"crossed": 0, "wilson": 0}
    rounds = 200
    for number in range(rounds):
        yes, who, what = simulate(rng)
        rate = crossed_rate(yes, who, what, seed=number, resamples=300)
        low, high = wilson(int(yes.sum()), len(yes))
        covered["crossed"] += rate.low <= truth <= rate.high
        covered["wilson"] += low <= truth <= high
    assert covered["crossed"] / rounds >= 0.88
    assert covered["wilson"] / rounds < 0.75


def test_equal_answers_do_not_give_a_certain_rate():
    rate = crossed_rate(np.zeros(20, bool), np.arange(20) % 4, np.arange(20))
    assert rate.value == 0
    assert rate.high > 0.1


def test_no_ratings_say_nothing():
    rate = crossed_rate(np.zeros(0, bool), np.zeros(0), np.zeros(0))
    assert (rate.value, rate.low, rate.high) == (None, 0, 1)


def test_the_same_seed_gives_the_same_interval():
    yes, who, what = simulate(np.random.default_rng(3))
    assert crossed_rate(yes, who, what, seed=1) == crossed_rate(yes, who, what, seed=1)


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
