"""Strengths: as choix has them, with ties, sides and rankings; their intervals; what has none."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from engine.analysis.outcomes import ORDER, TIE
from engine.analysis.preferences import strengths
from tests.support import simulated_judgements as simulated

THETA = (0.0, 0.5, 1.0, 1.5)
PAIRS, RANKING = simulated.outcome("preference"), simulated.outcome("ranking")


def answers(*rows, arm="all"):
    """(person, items shown, answer); each is of an image of its own."""
    made = [(who, n, json.dumps(shown), answer) for n, (who, shown, answer) in enumerate(rows)]
    columns = ["participant_id", "source_image_id", "items_json", "judged"]
    return simulated.table(made, columns).assign(arm=arm)


def values(found):
    return {item.item: item.value for item in found.items}


@pytest.fixture(scope="module")
def alike():
    """6000 pairs of people who are all the same, without a side bias."""
    rng = np.random.default_rng(0)
    return simulated.preferences(rng, THETA, 100, 60, side=0, person=0, image=0)


def test_strengths_of_pairs_are_those_of_choix(alike):
    import choix

    (found,) = strengths(alike, PAIRS)
    mine = np.array([values(found)[f"i{n}"] for n in range(4)])
    pairs = []
    for shown, best in zip(alike["items_json"], alike["judged"], strict=True):
        pairs += [(int(best[1:]), int(item[1:])) for item in json.loads(shown) if item != best]
    fitted = choix.ilsr_pairwise(4, pairs)
    np.testing.assert_allclose(mine, fitted - fitted.mean(), atol=0.002)
    np.testing.assert_allclose(mine - mine[0], THETA, atol=0.1)
    assert found.side is not None
    assert found.side[1] < 0 < found.side[2]
    assert found.tie is None
    assert found.note == ""


def test_strengths_of_rankings_are_those_of_choix():
    import choix

    rng = np.random.default_rng(1)
    table = simulated.preferences(rng, THETA, 30, 10, shown=3, ranked=True, person=0, image=0)
    (found,) = strengths(table, RANKING)
    orders = [[int(item[1:]) for item in answer.split(ORDER)] for answer in table["judged"]]
    fitted = choix.opt_rankings(4, orders)
    np.testing.assert_allclose([values(found)[f"i{n}"] for n in range(4)], fitted, atol=0.001)
    assert found.side is None


def test_a_full_ranking_says_as_much_as_its_choices():
    ranked = answers(("p", ["a", "b", "c"], "a > c > b"), ("q", ["b", "c", "a"], "b > a > c"))
    (found,) = strengths(ranked, RANKING)
    assert found.pairs == {
        ("a", "b"): 1, ("a", "c"): 2, ("b", "a"): 1, ("b", "c"): 1, ("c", "a"): 0, ("c", "b"): 1,
    }  # fmt: skip
    assert {item.item: (item.chosen, item.offered) for item in found.items} == {
        "a": (1, 2), "b": (1, 2), "c": (0, 2),
    }  # fmt: skip


def test_ties_and_the_first_place_do_not_bend_strengths():
    """Davidson's tie and a strong favour for the left: the strengths are found all the same."""
    rng = np.random.default_rng(2)
    table = simulated.preferences(rng, THETA, 60, 60, side=1.2, tie=0.3, person=0, image=0)
    (found,) = strengths(table, PAIRS)
    mine = np.array([values(found)[f"i{n}"] for n in range(4)])
    np.testing.assert_allclose(mine, np.array(THETA) - np.mean(THETA), atol=0.12)
    assert found.side is not None
    assert found.side[0] == pytest.approx(1.2, abs=0.15)
    assert found.side[1] > 0.5
    assert found.tie == pytest.approx((table["judged"] == TIE).mean())
    assert sum(item.chosen for item in found.items) == pytest.approx(len(table))


def test_of_two_items_the_strength_is_the_log_odds_of_those_who_prefer_one():
    """With both orders alike: 30 of 40 without ties is log 3, half of it on either side of 0."""
    rows = [
        (f"p{n}", shown, "a" if n % 4 else "b")
        for n in range(20)
        for shown in (["a", "b"], ["b", "a"])
    ]
    (found,) = strengths(answers(*rows), PAIRS)
    assert values(found)["a"] == pytest.approx(np.log(3) / 2, abs=1e-8)
    assert found.side[0] == pytest.approx(0, abs=1e-8)
    rows += [(f"p{n}", shown, TIE) for n in range(5) for shown in (["a", "b"], ["b", "a"])]
    (tied,) = strengths(answers(*rows), PAIRS)
    assert tied.pairs == {("a", "b"): 35, ("b", "a"): 15}
    assert tied.tie == pytest.approx(10 / 50)
    assert values(tied)["a"] == pytest.approx(np.log(3) / 2, abs=1e-8)


def test_arms_are_never_pooled():
    table = pd.concat(
        [
            answers(*[(f"p{n}", ["x", "y"], "x" if n % 3 else "y") for n in range(9)], arm="one"),
            answers(*[(f"q{n}", ["x", "y"], "y" if n % 3 else "x") for n in range(9)], arm="two"),
        ]
    )
    one, two = strengths(table, PAIRS)
    assert (one.arm, two.arm) == ("one", "two")
    assert values(one)["x"] == pytest.approx(-values(two)["x"])
    assert one.items[0].item == "x"
    assert two.items[0].item == "y"


def test_an_item_that_always_wins_has_a_finite_strength_and_the_note_says_why():
    rows = [(f"p{n}", shown, "a") for n in range(8) for shown in (["a", "b"], ["c", "a"])]
    rows += [(f"p{n}", ["b", "c"], "bc"[n % 2]) for n in range(8)]
    (found,) = strengths(answers(*rows), PAIRS)
    assert "weak prior" in found.note
    assert found.items[0].item == "a"
    assert 2 < found.items[0].value < 5
    assert found.items[0].high - found.items[0].low > 1.5
    (other,) = strengths(answers(*rows, ("p0", ["b", "a"], "b"), ("p1", ["a", "c"], "c")), PAIRS)
    assert "prior" not in other.note


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("p", ["a", "b"], "a"), ("q", ["c", "d"], "d")], "2 groups that were never compared"),
        ([("p", ["a", "b"], TIE), ("q", ["b", "a"], TIE)], "all answers are ties"),
        ([("p", ["a", "a"], "a")], "Nobody was asked about two items that differ"),
    ],
)
def test_what_has_no_strengths_says_why(rows, said):
    (found,) = strengths(answers(*rows), PAIRS)
    assert not found.items
    assert found.side is None
    assert said in found.note


def test_a_place_that_is_always_the_same_has_no_side():
    rows = [(f"p{n}", ["a", "b"], "a" if n % 3 else "b") for n in range(9)]
    (found,) = strengths(answers(*rows), PAIRS)
    assert found.side is None
    assert "same place" in found.note
    assert values(found)["a"] == pytest.approx(np.log(2) / 2)


def test_one_person_says_nothing_of_others_and_few_are_told():
    rows = [("p", ["a", "b"], "ab"[n % 3 > 0]) for n in range(9)]
    rows += [("p", ["b", "a"], "ab"[n % 3 > 0]) for n in range(9)]
    (one,) = strengths(answers(*rows), PAIRS)
    assert one.items[0].low == -np.inf
    assert one.note == "One person: says nothing of others."
    again = answers(*rows, *[("q", shown, who) for _, shown, who in rows])
    (two,) = strengths(again, PAIRS)
    assert two.note == "Only 2 people."
    (image,) = strengths(again.assign(source_image_id="one"), PAIRS)
    assert image.note.startswith("One image")
    assert np.isfinite(image.items[0].low)


def test_an_answer_about_what_was_not_shown_is_named():
    with pytest.raises(ValueError, match=r"'c' is no answer about the items \['a', 'b'\]"):
        strengths(answers(("p", ["a", "b"], "c")), PAIRS)


def test_intervals_hold_the_truth_of_other_people_and_images():
    """The whole of it is in benchmarks/preferences.py."""
    held, width = [], []
    for people, each, images, how in (
        (12, 12, 20, {}),
        (40, 6, 20, {"tie": -0.5}),
        (30, 8, 12, {"shown": 3, "ranked": True}),
    ):
        outcome = RANKING if how.get("ranked") else PAIRS
        rng = np.random.default_rng(7)
        made = simulated.preferences(rng, THETA, 800, 5, images=800, **how)
        truth = values(strengths(made, outcome)[0])
        found_at, wide = [], []
        for _ in range(25):
            table = simulated.preferences(rng, THETA, people, each, images=images, **how)
            (found,) = strengths(table, outcome)
            held += [item.low <= truth[item.item] <= item.high for item in found.items]
            wide += [item.high - item.low for item in found.items]
            found_at.append([values(found)[item] for item in truth])
        width.append(np.mean(wide) / (2 * 1.96 * np.std(found_at, axis=0).mean()))
    assert 0.9 <= np.mean(held) <= 0.985
    assert max(width) <= 1.45
    assert np.mean(width) <= 1.25
