"""Rates and their intervals against simulation, published values and a plain loop."""

import numpy as np
import pytest

from engine import seeds
from engine.statistics import crossed, crossed_rate, wilson


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [
        # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_is_as_published(successes, count, low, high):
    assert wilson(successes, count) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_says_nothing():
    assert wilson(0, 0) == (0, 1)


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


def test_the_interval_keeps_its_ends():
    """Printed tables must come out again: the random numbers and their order are fixed."""
    yes, who, what = simulate(np.random.default_rng(3))
    rate = crossed_rate(yes, who, what, seed=1)
    assert (rate.low, rate.high) == pytest.approx((0.2165625, 0.5584375), abs=1e-12)


@pytest.mark.parametrize("share", [1.0, 0.05])
def test_the_interval_is_that_of_a_loop_over_resamples(share):
    """Of all pairs of people and images, and of few of them, some met more than once."""
    rng = np.random.default_rng(5)
    yes, who, what = simulate(rng)
    kept = rng.choice(len(yes), int(share * len(yes)), replace=share < 1)
    yes, who, what = yes[kept], who[kept], what[kept]
    rate = crossed_rate(yes, who, what, resamples=200)
    people, images = (np.unique(each, return_inverse=True)[1] for each in (who, what))
    of_people, of_images = crossed.draw(
        seeds.derive(0, "crossed_rate"), (people.max() + 1, images.max() + 1), 200
    )
    shares = []
    for row in range(200):
        weight = of_people[row, people].astype(int) * of_images[row, images]
        if weight.sum():
            shares.append(weight[yes].sum() / weight.sum())
    low, high = np.quantile(shares, [0.025, 0.975])
    binomial = wilson(int(yes.sum()), len(yes))
    assert rate.low == pytest.approx(min(low, binomial[0]), abs=1e-12)
    assert rate.high == pytest.approx(max(high, binomial[1]), abs=1e-12)
