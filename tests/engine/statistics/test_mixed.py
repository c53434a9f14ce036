"""Mixed models against lme4 (fixtures and the script that made them: lme4/), and by simulation."""

from __future__ import annotations

import json
from math import inf, log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.statistics._laplace import Laplace
from engine.statistics._links import likelihood
from engine.statistics.mixed import RandomEffect, fit, mixed_test
from tests.support import simulated_ratings

HERE = Path(__file__).parent / "lme4"
EXPECTED = json.loads((HERE / "expected.json").read_text())
NAMES = {"who": "person", "img": "image", "who z": "person slope", "img z": "image slope"}


def crossed(name: str) -> tuple[pd.DataFrame, list[RandomEffect]]:
    table = pd.read_csv(HERE / f"{name}.csv")
    z = table["c"] - 0.5
    return table.assign(z=z), [
        RandomEffect("person", table["who"]),
        RandomEffect("person slope", table["who"], z),
        RandomEffect("image", table["img"]),
        RandomEffect("image slope", table["img"], z),
    ]


def compare(found, expected):
    assert found.converged
    assert found.deviance == pytest.approx(expected["deviance"], abs=0.01)
    errors = np.atleast_1d(expected["errors"])
    assert (np.abs(found.fixed - expected["fixed"]) < 0.02 * errors).all()
    assert found.errors == pytest.approx(errors, rel=0.02)
    named = {NAMES.get(name, name): value for name, value in expected["deviations"].items()}
    assert found.deviations == {
        name: pytest.approx(value, rel=0.02, abs=0.01) for name, value in named.items()
    }
    assert found.singular == expected["singular"]


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_counts_with_one_grouping_are_those_of_lme4(link):
    herds = pd.read_csv(HERE / "cbpp.csv")
    fixed = np.column_stack([np.ones(len(herds)), *(herds["period"] == p for p in (2, 3, 4))])
    random = [RandomEffect("herd", herds["herd"])]
    found = fit(herds["incidence"], fixed, random, trials=herds["size"], link=link)
    compare(found, EXPECTED[f"cbpp {link}"])


@pytest.mark.parametrize(
    "case",
    [
        "crossed logit intercepts",
        "crossed probit both",
        "slopes logit both",
        "slopes logit none",
        "slopes probit both",
        "singular logit both",
        "singular logit none",
    ],
)
def test_crossed_groupings_are_those_of_lme4(case):
    name, link, kind = case.split()
    table, random = crossed(name)
    ones = np.ones(len(table))
    fixed = np.column_stack([ones] if kind == "none" else [ones, table["z"]])
    random = [each for each in random if kind != "intercepts" or each.slope is None]
    compare(fit(table["y"], fixed, random, link=link), EXPECTED[case])


@pytest.mark.parametrize("case", ["slopes logit both", "slopes probit both"])
def test_errors_may_count_that_deviations_are_estimated(case):
    """lme4's `use.hessian = TRUE`."""
    table, random = crossed("slopes")
    fixed = np.column_stack([np.ones(len(table)), table["z"]])
    found = fit(table["y"], fixed, random, link=case.split()[1], joint=True)
    assert found.errors == pytest.approx(EXPECTED[case]["joint_errors"], rel=0.005)
    assert found.errors != pytest.approx(EXPECTED[case]["errors"], rel=0.005)


@pytest.mark.parametrize("name", ["slopes", "singular"])
def test_the_test_is_the_likelihood_ratio_of_lme4(name):
    table, _ = crossed(name)
    found = mixed_test(
        table["y"] == 1,
        table["c"] == 1,
        table["who"],
        table["img"],
        paired_people=True,
        paired_images=True,
        interval=False,
    )
    whole, null = (EXPECTED[f"{name} logit {kind}"] for kind in ("both", "none"))
    oracle = stats.chi2.sf(null["deviance"] - whole["deviance"], 1)
    assert found.p == pytest.approx(oracle, rel=0.01)
    assert found.p != pytest.approx(2 * stats.norm.sf(found.log_odds / found.error), rel=0.05)
    assert found.odds_ratio == pytest.approx(np.exp(whole["fixed"][1]), rel=0.005)
    assert found.singular == whole["singular"]
    assert set(found.deviations) == {
        "person",
        "image",
        "person x condition",
        "image x condition",
    }
    assert (found.low, found.high) == (0, inf)  # nothing was asked for


def test_the_interval_is_the_profile_of_lme4_not_wald():
    table, _ = crossed("slopes")
    found = mixed_test(
        table["y"] == 1,
        table["c"] == 1,
        table["who"],
        table["img"],
        paired_people=True,
        paired_images=True,
    )
    profile = EXPECTED["slopes logit both"]["profile"]
    assert [log(found.low), log(found.high)] == pytest.approx(profile, abs=0.005)
    wald = [found.log_odds + side * 1.96 * found.error for side in (-1, 1)]
    assert max(abs(a - b) for a, b in zip(wald, profile, strict=True)) > 0.03


def test_the_groups_turned_round_give_the_inverse():
    table, _ = crossed("slopes")
    both = {"paired_people": True, "paired_images": True, "interval": False}
    columns = table["who"], table["img"]
    one = mixed_test(table["y"] == 1, table["c"] == 1, *columns, **both)
    other = mixed_test(table["y"] == 1, table["c"] == 0, *columns, **both)
    assert other.log_odds == pytest.approx(-one.log_odds, abs=2e-3)
    assert other.p == pytest.approx(one.p, rel=0.01)


def test_what_is_not_shared_has_no_slope():
    table, _ = crossed("slopes")
    apart = np.where(table["who"] % 2 == 0, table["c"] == 1, table["c"] == 0)
    table = table[apart]
    found = mixed_test(
        table["y"] == 1,
        table["c"] == 1,
        table["who"],
        table["img"],
        paired_people=False,
        paired_images=True,
        interval=False,
    )
    assert list(found.deviations) == ["person", "image", "image x condition"]
    assert 0 < found.p < 1


@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("places", [[0, 1, 2, 3], [2, 0, 1], [0]])
def test_derivatives_of_the_deviance_are_those_of_differences(link, places):
    """Along every standard deviation, of either sign, and every fixed effect."""
    table, effects = crossed("slopes")
    count = len(table)
    fixed = np.column_stack([np.ones(count), table["z"]])
    y, ones = table["y"].to_numpy(float), np.ones(count)
    random = [effects[place] for place in places]
    model = Laplace(y, ones, fixed, random, link, 0.1 * ones)
    at = np.array([*[0.8, -0.5, 1.1, 0.3][: len(random)], -0.4, 0.6])
    _, slope = model.deviance(at)
    step = 1e-5 * np.eye(len(at))
    oracle = [(model.deviance(at + h)[0] - model.deviance(at - h)[0]) / 2e-5 for h in step]
    assert slope == pytest.approx(oracle, abs=1e-3, rel=1e-5)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_derivatives_of_the_likelihood_are_those_of_differences(link):
    """Far out too, where a probability is 0 in double precision."""
    predictor = np.array([-30.0, -5, -0.3, 0.0, 2, 9, 40])
    yes, trials = np.array([0.0, 1, 2, 1, 3, 2, 4]), np.array([1.0, 4, 5, 1, 3, 3, 4])

    def one(at, place):
        part = slice(place, place + 1)
        return likelihood(link, at[part], yes[part], trials[part])

    found = likelihood(link, predictor, yes, trials)
    for place in range(len(predictor)):
        up, down = one(predictor + 1e-5, place), one(predictor - 1e-5, place)
        close = {"rel": 1e-4, "abs": 1e-6}
        assert found.score[place] == pytest.approx((up.log - down.log) / 2e-5, **close)
        curve = -(up.score[0] - down.score[0]) / 2e-5
        assert found.observed[place] == pytest.approx(curve, **close)
        steep = (up.expected[0] - down.expected[0]) / 2e-5
        assert found.slope[place] == pytest.approx(steep, **close)


def test_a_model_that_there_is_not_is_named():
    y, ones = np.array([0, 1, 1, 0]), np.ones((4, 1))
    person, image, other = [1, 1, 2, 2], [1, 2, 1, 2], [1, 1, 1, 2]
    three = [RandomEffect(str(n), each) for n, each in enumerate((person, image, other))]
    with pytest.raises(ValueError, match="3 groupings"):
        fit(y, ones, three)
    with pytest.raises(ValueError, match="0 groupings"):
        fit(y, ones, [])
    with pytest.raises(ValueError, match="depend on each other"):
        fit(y, np.ones((4, 2)), three[:1])
    with pytest.raises(ValueError, match="between 0 and trials"):
        fit(2 * y, ones, three[:1])
    with pytest.raises(ValueError, match="of the same N"):
        fit(y, np.ones((3, 1)), three[:1])
    with pytest.raises(ValueError, match="3 levels"):
        fit(y, ones, [RandomEffect("person", [1, 1, 2])])


def ask(yes, first, participant, image):
    return mixed_test(
        np.array(yes, dtype=bool),
        np.array(first, dtype=bool),
        participant,
        image,
        paired_people=True,
        paired_images=True,
    )


@pytest.mark.parametrize(
    ("yes", "first", "participant", "image", "said"),
    [
        ([1, 1, 0, 1], [1, 1, 0, 0], [1, 2, 1, 2], [1, 2, 2, 1], "All 2 answers of the first"),
        ([1, 0, 0, 0], [1, 1, 0, 0], [1, 2, 1, 2], [1, 2, 2, 1], "of the second group are no"),
        ([1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 1, 1], [1, 2, 2, 1], "one person"),
        ([1, 0, 0, 1], [1, 1, 0, 0], [1, 2, 1, 2], [1, 1, 1, 1], "one image"),
        ([1, 0, 0, 1], [1, 1, 1, 1], [1, 2, 1, 2], [1, 2, 2, 1], "has no ratings"),
        ([], [], [], [], "has no ratings"),
    ],
)
def test_without_a_model_there_is_a_reason(yes, first, participant, image, said):
    found = ask(yes, first, participant, image)
    assert said in found.refused
    assert (found.odds_ratio, found.low, found.high, found.p) == (None, 0, inf, 1)


def test_people_who_each_say_one_thing_are_refused():
    """Half of the people always say yes, half always no: their standard deviation is infinite."""
    people, images = np.divmod(np.arange(12 * 40), 40)
    yes = people % 2 == 0
    yes[:2] = False, True
    found = ask(yes, images % 2 == 0, people, images)
    assert "no finite optimum" in found.refused


def test_null_studies_are_rejected_as_often_as_the_level_says():
    """A part of benchmarks/mixed.py: 40 studies, of which at size .05 up to 6 (but once in 250)."""
    rng = np.random.default_rng(12)
    below = []
    for _ in range(40):
        yes, asked = simulated_ratings.answers(rng, (0.3, 0.3), 40, 20, each=4)
        condition, person, image = np.nonzero(asked)
        found = mixed_test(
            yes[condition, person, image],
            condition == 0,
            person,
            image,
            paired_people=True,
            paired_images=True,
            interval=False,
        )
        assert not found.refused
        below.append(found.p)
    assert np.sum(np.array(below) < 0.05) <= 6
    assert 0.3 < np.mean(below) < 0.65  # and p is spread over 0 to 1
