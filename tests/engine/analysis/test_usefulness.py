"""Utility: the accuracy with explanations over that without, each person counting equally."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.analysis.usefulness import usefulness
from tests.support import simulated_judgements as simulated


def predictions(**arms):
    """Of each arm a table (people, images) of right predictions; NaN: not seen."""
    rows = [
        (f"{arm}{who}", f"s{what}", arm, bool(right))
        for arm, table in arms.items()
        for who, row in enumerate(table)
        for what, right in enumerate(row)
        if right == right
    ]
    columns = ["participant_id", "source_image_id", "arm", "correct"]
    return pd.DataFrame(rows, columns=columns).astype({"correct": "boolean"})


def test_utility_is_the_ratio_of_accuracies_by_people():
    nan = np.nan
    maps = [[1, 1, 1, 0], [1, nan, nan, nan]]  # .75 and 1: .875, and .8 of the ratings
    none = [[1, 0, 1, 0], [1, 1, 0, 0]]
    (found,) = usefulness(predictions(maps=maps, none=none), "none", ["maps"])
    assert found.accuracy.value == pytest.approx(0.875)
    assert found.baseline_accuracy.value == pytest.approx(0.5)
    assert found.utility == pytest.approx(1.75)
    assert found.low < found.utility < found.high
    assert found.low * found.high == pytest.approx(1.75**2)
    assert (found.arm, found.baseline) == ("maps", "none")
    assert found.note


def test_each_arm_is_compared_with_the_same_baseline_in_the_order_asked():
    rng = np.random.default_rng(0)
    made = predictions(
        a=rng.random((9, 8)) < 0.9, none=rng.random((9, 8)) < 0.5, b=rng.random((9, 8)) < 0.5
    )
    b, a = usefulness(made, "none", ["b", "a"])
    assert (b.arm, a.arm) == ("b", "a")
    assert b.low < 1 < b.high
    assert a.low > 1
    assert a.baseline_accuracy == b.baseline_accuracy
    assert a.note == ""


def test_images_that_both_arms_saw_count_as_the_same():
    """Hard and easy images, equal in both arms: the ratio is sharper than of different images."""
    rng = np.random.default_rng(1)
    easy = np.tile([0.95, 0.2], 10)
    tables = {arm: rng.random((30, 20)) < easy for arm in ("maps", "none")}
    same = predictions(**tables)
    other = same.assign(source_image_id=same["source_image_id"] + same["arm"])
    (shared,), (apart,) = (usefulness(made, "none", ["maps"]) for made in (same, other))
    assert shared.utility == apart.utility
    assert np.log(shared.high / shared.low) < 0.6 * np.log(apart.high / apart.low)


@pytest.mark.parametrize(
    ("maps", "none", "utility", "said"),
    [
        ([[1, 0]] * 3, [[0, 0]] * 3, None, "Nobody in the arm none was ever right."),
        ([[0, 0]] * 3, [[1, 0]] * 3, 0.0, "Nobody in the arm maps was ever right."),
        ([[1, 0, 1]], [[1, 0, 0]] * 3, 2.0, "One person: they say nothing of others."),
        ([], [[1, 0]] * 3, None, "Nobody in the arm maps predicted anything."),
        ([[1, 1]] * 3, [[1, 1]] * 3, 1.0, "Everybody was always right"),
        ([[1], [0]], [[1], [0]], 1.0, "One image: it says nothing of others."),
    ],
)
def test_what_has_no_ratio_or_interval_says_why(maps, none, utility, said):
    (found,) = usefulness(predictions(maps=maps, none=none), "none", ["maps"])
    assert found.utility == (utility and pytest.approx(utility))
    assert found.high == np.inf
    assert said in found.note


@pytest.mark.parametrize("plan", [(12, 20, None), (30, 40, 8)])
def test_intervals_hold_the_utility_of_all_people_and_images(plan):
    """The whole of it is in benchmarks/preferences.py."""
    spread = np.random.default_rng(0).normal(0, np.hypot(0.7, 0.9), 200_000)
    truth = np.divide(*((1 / (1 + np.exp(-at - spread))).mean() for at in (1.0, 0.2)))
    rng = np.random.default_rng(6)
    held, width, at = [], [], []
    for _ in range(50):
        (found,) = usefulness(simulated.predictions(rng, *plan), "none", ["maps"])
        held.append(found.low <= truth <= found.high)
        width.append(np.log(found.high / found.low))
        at.append(np.log(found.utility))
    assert 0.88 <= np.mean(held) <= 0.99
    assert np.mean(width) <= 1.3 * 2 * 1.96 * np.std(at)
