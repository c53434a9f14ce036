"""d' and criterion: values by hand, lme4's probit model, and known truths."""

from __future__ import annotations

import json
from math import inf, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from engine.analysis.detection import detections, two_afc, two_choices, yes_no
from engine.analysis.outcomes import Outcome
from tests.support import simulated_ratings

LME4 = Path(__file__).parents[1] / "statistics" / "lme4"
DETECTED = Outcome("detected", "detection", "said changed", "saw it", "detect", signal="changed")
PLAUSIBLE = Outcome(
    "said_plausible", "binary", "said plausible", "called plausible", "target_plausible"
)


def test_textbook_values():
    assert yes_no(0.9, 0.2) == (pytest.approx(2.1232, abs=1e-4), pytest.approx(-0.2200, abs=1e-4))
    assert yes_no(0.5, 0.5) == (0, 0)
    assert yes_no(1, 0.2)[0] == inf
    assert two_afc(0.76) == pytest.approx(0.9989, abs=1e-4)
    assert two_afc(0.5) == 0


def rows(yes, signal, person, image, condition=None, arm="all") -> pd.DataFrame:
    signal = np.asarray(signal, dtype=bool)
    labels = np.where(signal, "attack", "clean") if condition is None else condition
    return pd.DataFrame(
        {
            "participant_id": [f"p{n:03d}" for n in person],
            "source_image_id": [f"image {n:03d}" for n in image],
            "condition": labels,
            "arm": arm,
            "detected": pd.array(np.asarray(yes, dtype=bool), dtype="boolean"),
            "changed": pd.array(signal, dtype="boolean"),
        }
    )


def observers(
    rng, people, images, sensitivity, criterion, *, criteria=0.5, sensitivities=0.3, spread=0.3
):
    """Every person sees each image once, half of them with the signal."""
    person, image = np.divmod(np.arange(people * images), images)
    signal = (person + image) % 2 == 0
    z = np.where(signal, 0.5, -0.5)
    of_people = rng.normal(sensitivity, sensitivities, people)
    of_images = rng.normal(0, spread, (2, images))
    logits = z * (of_people[person] + of_images[0, image]) + of_images[1, image]
    logits -= rng.normal(criterion, criteria, people)[person]
    return rows(rng.random(len(person)) < norm.cdf(logits), signal, person, image)


def test_the_model_is_the_probit_of_lme4():
    table = pd.read_csv(LME4 / "slopes.csv")
    expected = json.loads((LME4 / "expected.json").read_text())["slopes probit both"]
    (found,) = detections(
        rows(table["y"] == 1, table["c"] == 1, table["who"], table["img"]), DETECTED
    )
    (below, slope), (error, slope_error) = expected["fixed"], expected["joint_errors"]
    assert (found.signal, found.noise, found.arm, found.note) == ("attack", "clean", "all", "")
    assert found.sensitivity == pytest.approx(slope, abs=0.02 * slope_error)
    assert found.criterion == pytest.approx(-below, abs=0.02 * error)
    width = 2 * t.ppf(0.975, 19)  # 40 people, 20 images
    assert found.high - found.low == pytest.approx(width * slope_error, rel=0.02)
    assert found.criterion_high - found.criterion_low == pytest.approx(width * error, rel=0.02)
    assert found.low < found.sensitivity < found.high
    assert found.criterion_low < found.criterion < found.criterion_high


def test_shares_are_means_of_people_and_people_have_their_own_values_from_eight_trials():
    """p0: 8 and 8 trials, p1: 10 and 7, p2: 2 and 2 with all yes."""
    person = np.repeat([0, 1, 2], [16, 17, 4])
    signal = np.concatenate([np.arange(16) < 8, np.arange(17) < 10, np.arange(4) < 2])
    yes = np.concatenate([np.arange(16) < 9, np.arange(17) % 2 == 0, np.ones(4)])
    image = np.arange(len(person)) % 12
    (found,) = detections(rows(yes, signal, person, image), DETECTED)
    assert found.hits == pytest.approx((8 / 8 + 5 / 10 + 1) / 3)
    assert found.false_alarms == pytest.approx((1 / 8 + 4 / 7 + 1) / 3)
    ((who, sensitivity, criterion),) = found.people
    assert who == "p000"
    hit, alarm = norm.ppf(8.5 / 9), norm.ppf(1.5 / 9)
    assert sensitivity == pytest.approx(hit - alarm)
    assert criterion == pytest.approx(-(hit + alarm) / 2)
    assert "3 people" in found.note


def test_the_sensitivity_is_that_of_the_typical_person_not_of_pooled_answers():
    """Where criteria differ much, pooled shares give a far smaller d'."""
    table = observers(np.random.default_rng(3), 60, 40, 2.0, 0.4, criteria=1.2)
    (found,) = detections(table, DETECTED)
    pooled = table.groupby("changed")["detected"].mean()
    small, _ = yes_no(pooled[True], pooled[False])
    assert small < 1.7
    assert found.low < 2.0 < found.high
    assert small < found.low


def test_the_inclination_to_yes_is_in_the_criterion():
    """Who says yes more often to everything has higher shares and the same d'."""
    strict, loose = (
        detections(observers(np.random.default_rng(5), 40, 20, 1.0, c), DETECTED)[0]
        for c in (0.6, -0.6)
    )
    assert loose.hits - strict.hits > 0.2
    assert abs(loose.sensitivity - strict.sensitivity) < 0.35
    assert strict.criterion_low > 0 > loose.criterion_high


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """A part of benchmarks/mixed.py; neither too narrow nor too wide."""
    rng = np.random.default_rng(8)
    found = [detections(observers(rng, 30, 16, 1.2, 0.3), DETECTED)[0] for _ in range(30)]
    for truth, values in (
        (1.2, [(f.sensitivity, f.low, f.high) for f in found]),
        (0.3, [(f.criterion, f.criterion_low, f.criterion_high) for f in found]),
    ):
        value, low, high = np.array(values).T
        assert np.sum((low <= truth) & (truth <= high)) >= 25
        assert 0.75 < (high - low).mean() / (2 * 1.96 * value.std(ddof=1)) < 1.35
        assert abs(value.mean() - truth) < 3.5 * value.std(ddof=1) / sqrt(30)


def test_a_detection_has_a_row_for_each_condition_with_signal_in_each_arm():
    table = observers(np.random.default_rng(1), 24, 16, 1.5, 0)
    number = table["participant_id"].str[1:].astype(int)
    table["arm"] = np.where(number % 4 < 2, "one", "two")
    image = table["source_image_id"].str[-3:].astype(int)
    table["condition"] = np.select(
        [image < 6, image < 12, table["changed"].astype(bool)], ["a", "b", "c"], "clean"
    )
    table.loc[table["arm"] == "two", "detected"] = True
    found = detections(table, DETECTED)
    assert [(f.arm, f.signal, f.noise) for f in found] == [
        (arm, condition, "a + b + clean") for arm in ("one", "two") for condition in "abc"
    ]
    assert all(f.sensitivity is not None for f in found[:3])
    assert all(f.sensitivity is None and "are yes" in f.note for f in found[3:])


def test_a_binary_outcome_is_told_from_the_noise_conditions():
    shares = {"noise": 0.2, "clean": 0.2, "attack": 0.5}
    table = simulated_ratings.frame(shares, 40, 24, each=4, seed=2)
    (found,) = detections(table, PLAUSIBLE, ["noise", "clean"])
    assert (found.signal, found.noise) == ("attack", "clean + noise")
    assert found.sensitivity is not None
    assert 0.5 < found.sensitivity < 2
    assert found.hits == pytest.approx(
        table[table["condition"] == "attack"]
        .groupby("participant_id")["said_plausible"]
        .mean()
        .mean()
    )
    assert detections(table, PLAUSIBLE) == []
    assert detections(table, PLAUSIBLE, ["elsewhere"]) == []


def test_missing_answers_are_left_out():
    table = observers(np.random.default_rng(4), 20, 12, 1, 0)
    without = table.copy()
    without.loc[::3, "detected"] = pd.NA
    rest = table.drop(table.index[::3])
    assert detections(without, DETECTED) == detections(rest, DETECTED)
    assert detections(rest.set_axis([0] * len(rest)), DETECTED) == detections(rest, DETECTED)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"detected": True}, "answers of the signal are yes"),
        ({"participant_id": "p1"}, "one person"),
        ({"source_image_id": "one"}, "one image"),
        ({"changed": True}, "noise has no ratings"),
    ],
)
def test_without_a_model_there_is_a_reason(change, said):
    table = observers(np.random.default_rng(4), 20, 12, 1, 0).assign(**change)
    for found in detections(table, DETECTED):
        assert said in found.note
        assert (found.sensitivity, found.low, found.high) == (None, -inf, inf)
        assert (found.criterion, found.criterion_low, found.criterion_high) == (None, -inf, inf)
        assert found.hits is not None


def test_another_kind_is_refused():
    scale = Outcome("rating", "ordinal", "a rating", "rating", "scale")
    table = observers(np.random.default_rng(4), 4, 4, 1, 0)
    with pytest.raises(ValueError, match="'rating' is ordinal"):
        detections(table, scale)
    with pytest.raises(ValueError, match="'rating' is ordinal"):
        two_choices(table, scale)
    with pytest.raises(ValueError, match="names no signal"):
        detections(table, Outcome("detected", "detection", "", "", "detect"))


def test_a_choice_of_two():
    """60 people with d' 1 +- .4 by image; the interval holds it, the note says what it is."""
    rng = np.random.default_rng(6)
    person, image = np.divmod(np.arange(60 * 30), 30)
    mean = (1 + rng.normal(0, 0.4, 30)[image] + rng.normal(0, 0.4, 60)[person]) / sqrt(2)
    right = rng.random(len(person)) < norm.cdf(mean)
    table = rows(right, np.ones(len(person)), person, image)
    outcome = Outcome("detected", "binary", "", "", "two_image_choice")
    (found,) = two_choices(table, outcome)
    assert (found.signal, found.noise, found.false_alarms) == ("attack", "", None)
    assert found.hits == pytest.approx(right.mean())
    assert found.low < 1 < found.high
    assert 0.15 < found.high - found.low < 0.6
    assert found.sensitivity > two_afc(right.mean())  # a pooled share is nearer to chance
    assert (found.criterion, found.people) == (None, [])
    assert "square root of 2" in found.note
    (alike,) = two_choices(table.assign(detected=True), outcome)
    assert alike.sensitivity is None
    assert "alike" in alike.note
    (alone,) = two_choices(table.assign(source_image_id="x"), outcome)
    assert "one image" in alone.note
