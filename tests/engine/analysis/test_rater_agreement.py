"""Krippendorff's alpha, the noise ceiling and error consistency, with intervals that hold."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from engine.analysis.rater_agreement import agreement, error_consistency
from engine.statistics.reliability import (
    alpha,
    alpha_influence,
    noise_ceiling,
)
from tests.support import simulated_judgements as simulated

NA = np.nan
DATA_C = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3],
        [NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA],
    ]
)
"""Krippendorff (2011), "Computing Krippendorff's alpha-reliability", data C."""
KINDS = {"nominal": "choice", "ordinal": "ordinal", "interval": "continuous"}


def ratings(table):
    """Ratings of a table (people, units); NaN is missing."""
    rows = [
        (f"p{person}", f"u{unit}", value)
        for person, row in enumerate(table)
        for unit, value in enumerate(row)
    ]
    return simulated.table(rows, ["participant_id", "source_image_id", "judged"])


@pytest.mark.parametrize(
    ("level", "known"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_of_the_published_example(level, known):
    (found,) = agreement(ratings(DATA_C), simulated.outcome(KINDS[level]))
    assert found.alpha == pytest.approx(known, abs=0.0005)
    assert found.level == level
    assert (found.units, found.people) == (11, 4)  # the last unit was rated by one
    assert found.low < found.alpha < found.high < 1
    assert "Only 4 people" in found.note


@pytest.mark.parametrize("level", KINDS)
def test_alpha_is_the_librarys_for_any_table_and_missing_is_no_disagreement(level):
    import krippendorff

    rng = np.random.default_rng(3)
    table = np.round(rng.normal(0, 1, 12) + rng.normal(0, 1, (9, 12)))
    table[rng.random(table.shape) < 0.4] = NA
    (found,) = agreement(ratings(table), simulated.outcome(KINDS[level]))
    oracle = krippendorff.alpha(table, level_of_measurement=level)
    assert found.alpha == pytest.approx(oracle, abs=1e-12)


@pytest.mark.parametrize("level", KINDS)
def test_the_influence_of_a_rating_is_the_derivative_of_alpha_by_its_weight(level):
    rng = np.random.default_rng(1)
    whole = np.round(rng.normal(0, 1, 6) + rng.normal(0, 1, (8, 6)))
    person, unit = np.nonzero(rng.random(whole.shape) < 0.7)
    values = whole[person, unit]

    def weighted(weight):
        kinds, code = np.unique(values, return_inverse=True)
        counts = np.zeros((6, len(kinds)))
        np.add.at(counts, (unit, code), weight)
        every = counts.sum(0)
        place = kinds if level == "interval" else np.cumsum(every) - every / 2
        apart = (place[:, None] - place) ** 2
        if level == "nominal":
            apart = 1.0 - np.eye(len(kinds))
        size = counts.sum(1)
        others = size**2 - np.bincount(unit, weight**2)
        observed = (size * np.einsum("uc,cd,ud->u", counts, apart, counts) / others).sum()
        scale = (len(values) - 1) / len(values)
        return 1 - scale * observed * every.sum() / (every @ apart @ every)

    found, influence = alpha_influence(values, unit, level)
    assert found == pytest.approx(weighted(np.ones(len(values))))
    for which in range(0, len(values), 5):
        step = np.zeros(len(values))
        step[which] = 1e-5
        slope = (weighted(1 + step) - weighted(1 - step)) / 2e-5
        assert influence[which] == pytest.approx(slope, abs=1e-7)


def test_the_noise_ceiling_is_the_reliability_of_the_mean_of_all_people():
    """Of u + e with variances 1 and 4, the mean of 16 people has reliability 1 / (1 + 4 / 16)."""
    rng = np.random.default_rng(0)
    table = rng.normal(0, 1, 3000) + rng.normal(0, 2, (16, 3000))
    person, unit = np.nonzero(np.isfinite(table))
    found = noise_ceiling(table[person, unit], person, unit, unit, seed=0, splits=5)
    assert found is not None
    value, low, high = found
    assert value == pytest.approx(0.8, abs=0.02)
    assert low < value < high


def test_what_cannot_be_told_says_why():
    binary = simulated.outcome("binary")

    def one(table):
        (found,) = agreement(ratings(np.array(table, dtype=float)), binary)
        return found

    same = one([[1, 1, 1], [1, 1, 1]])
    assert same.alpha is None
    assert "Everybody gave the same answer" in same.note
    alone = one([[1, NA], [NA, 0]])
    assert alone.alpha is None
    assert alone.note == "No stimulus was rated by two people."
    agreed = one([[1, 0, 1], [1, 0, 1]])
    assert (agreed.alpha, agreed.low, agreed.high) == (1, -np.inf, 1)
    assert "Nobody disagreed" in agreed.note
    assert agreed.ceiling is None
    assert agreement(ratings(DATA_C), simulated.outcome("text")) == []
    choice = agreement(ratings(DATA_C), simulated.outcome("choice"))[0]
    assert choice.ceiling is None


def test_arms_are_never_pooled_and_a_person_counts_once():
    one, two = ratings(DATA_C).assign(arm="one"), ratings(1 + 0 * DATA_C).assign(arm="two")
    again = one[(one["participant_id"] == "p0") & one["judged"].notna()].assign(judged=5)
    found = agreement(pd.concat([one, two, again]), simulated.outcome("ordinal"))
    assert [each.arm for each in found] == ["one", "two"]
    assert found[0].alpha == pytest.approx(0.815, abs=0.0005)
    assert found[1].alpha is None


def test_a_hundred_people_and_forty_stimuli_take_no_time():
    rng = np.random.default_rng(0)
    table = ratings(rng.normal(0, 1, 40) + rng.normal(0, 1, (100, 40)))  # 4000 different numbers
    begun = time.process_time()
    (found,) = agreement(table, simulated.outcome("continuous"))
    assert time.process_time() - begun < 2
    assert found.ceiling == pytest.approx(0.99, abs=0.01)


def test_intervals_hold_the_alpha_and_ceiling_of_all_people_and_images():
    """The whole of it is in benchmarks/preferences.py."""
    held = []
    for kind, level, people, images, each in (
        ("binary", "nominal", 40, 30, 10),
        ("ordinal", "ordinal", 12, 20, None),
        ("continuous", "interval", 100, 8, None),
    ):
        rng = np.random.default_rng(4)
        values, _, unit = simulated.units(rng, kind, 300, 1000)
        truth = alpha_influence(values, unit, level)[0]
        wide = None if each is None else each * 1500 // images
        many = [simulated.units(rng, kind, people, 1500, wide) for _ in range(4)]
        limit = np.mean([noise_ceiling(*made, made[2], seed=0, splits=6)[0] for made in many])
        for _ in range(70):
            made = simulated.units(rng, kind, people, images, each)
            _, low, high = alpha(*made, made[2], level)
            _, lowest, highest = noise_ceiling(*made, made[2], seed=0, splits=12)
            held.append((low <= truth <= high, lowest <= limit <= highest))
    for share in np.mean(held, axis=0):
        assert 0.9 <= share <= 0.985


def decisions(people, model, **columns):
    """One person per row of `people` (P, N) of booleans, with one model's answers (N,)."""
    people = np.atleast_2d(people)
    rows = [
        (f"p{who}", f"s{what}", bool(people[who, what]), 0 if model[what] else 1)
        for who in range(len(people))
        for what in range(len(model))
    ]
    made = simulated.table(
        rows, ["participant_id", "source_image_id", "chose_true", "model_pred"]
    ).assign(
        model_id="net", true_label=0, stimulus_kind="clean", selected_by_answer=False, **columns
    )
    return made.astype({"chose_true": "boolean", "selected_by_answer": "boolean"})


def test_chance_of_accuracies_of_nine_and_eight_tenths():
    """.9 x .8 + .1 x .2 = .74; with errors at random, kappa is 0."""
    model = np.arange(100) % 10 < 8
    person = np.arange(100) // 10 > 0
    found, _ = error_consistency(decisions(person, model))
    assert found.accuracies == (0.9, 0.8)
    assert found.expected == pytest.approx(0.74)
    assert found.observed == pytest.approx(0.74)
    assert found.kappa == pytest.approx(0, abs=1e-12)
    assert (found.first, found.second, found.pairs) == ("people", "net", 100)


def test_identical_errors_are_kappa_one_and_opposite_ones_below_chance():
    right = np.arange(20) % 4 > 0
    with_model, each_other = error_consistency(decisions([right] * 7, right))
    assert with_model.kappa == pytest.approx(1)
    assert each_other.kappa == pytest.approx(1)
    assert (each_other.second, each_other.pairs) == ("people", 20 * 21)
    opposite, _ = error_consistency(decisions([right] * 7, ~right))
    assert opposite.observed == 0
    assert opposite.kappa < -0.5


def test_consistency_is_not_defined_at_a_ceiling():
    right = np.arange(20) % 4 > 0
    found, _ = error_consistency(decisions([right] * 3, np.ones(20, dtype=bool)))
    assert found.kappa is None
    assert found.expected == pytest.approx(0.75)
    assert "not defined" in found.note


def test_a_model_counts_only_where_its_answer_did_not_choose_the_stimulus():
    rng = np.random.default_rng(0)
    clean = decisions(rng.random((6, 30)) < 0.8, rng.random(30) < 0.8)
    mistakes = decisions(rng.random((6, 30)) < 0.5, np.zeros(30, dtype=bool)).assign(
        condition="mistake", selected_by_answer=pd.array([True] * 180, dtype="boolean")
    )
    mistakes["stimulus_id"] = "m" + mistakes["stimulus_id"]
    unknown = mistakes.assign(
        condition="unknown", selected_by_answer=pd.array([None] * 180, dtype="boolean")
    )
    unknown["stimulus_id"] = "u" + unknown["stimulus_id"]
    found = error_consistency(pd.concat([clean, mistakes, unknown]))
    assert [(each.second, each.conditions) for each in found] == [
        ("net", "clean"),
        ("people", "clean"),
        ("people", "clean + mistake + unknown"),
    ]
    assert found[0] == error_consistency(clean)[0]
    assert len(error_consistency(mistakes)) == 1


def test_a_hard_and_an_easy_condition_make_no_consistency():
    """Both err more where it is hard, each at random: pooled, kappa would be .3."""
    rng = np.random.default_rng(1)
    easy = decisions(rng.random((8, 400)) < 0.95, rng.random(400) < 0.95)
    hard = decisions(rng.random((8, 400)) < 0.4, rng.random(400) < 0.4).assign(condition="hard")
    hard["stimulus_id"] = "h" + hard["stimulus_id"]
    hard["source_image_id"] = hard["stimulus_id"]
    found = error_consistency(pd.concat([easy, hard]))
    assert [each.conditions for each in found] == ["clean + hard"] * 2
    for each in found:
        assert each.low < 0 < each.high
        assert abs(each.kappa) < 0.05


@pytest.mark.parametrize("plan", [(12, 20, None), (30, 30, 8)])
def test_intervals_hold_the_consistency_of_all_people_and_images(plan):
    """The whole of it is in benchmarks/preferences.py."""
    rng = np.random.default_rng(2)
    truth = [each.kappa for each in error_consistency(simulated.decisions(rng, 200, 1000))]
    held = []
    for _ in range(40):
        found = error_consistency(simulated.decisions(rng, *plan))
        held.append([one.low <= true <= one.high for one, true in zip(found, truth, strict=True)])
    assert (np.mean(held, axis=0) >= 0.87).all()
    assert np.mean(held) <= 0.99
