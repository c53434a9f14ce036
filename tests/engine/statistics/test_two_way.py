"""Two-way means against values by hand and scipy, and how often they are wrong by simulation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy import stats

from engine.statistics import (
    Estimate,
    equivalent,
    every_above,
    holm,
    mean,
    some_above,
)
from engine.statistics.crossed import TAILS, draw, resampled_means

NAN = float("nan")


def test_a_complete_table_by_hand():
    """Row means 2, 4, 9; column means 4, 6; the interaction is what these leave over."""
    table = np.array([[1.0, 3.0], [4.0, 4.0], [7.0, 11.0]])
    of_rows = np.var([2, 4, 9], ddof=1) / 3
    of_columns = np.var([4, 6], ddof=1) / 2
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    of_rest = (rest**2).sum() / ((3 - 1) * (2 - 1)) / 6
    variance = of_rows + of_columns - of_rest
    assert variance > table.var(ddof=1) / 6  # so that it is not the floor that is compared
    df = variance**2 / (of_rows**2 / 2 + of_columns**2 / 1 + of_rest**2 / 2)
    found = mean(table)
    assert (found.value, found.rows, found.columns) == (5, 3, 2)
    assert found.error**2 == pytest.approx(variance)
    assert found.df == pytest.approx(df)
    assert found.interval() == pytest.approx(stats.t.interval(0.95, df, 5, variance**0.5))
    assert found.p_above(4) == pytest.approx(stats.t.sf(1 / variance**0.5, df))
    assert found.p_below(4) == pytest.approx(1 - found.p_above(4))


@pytest.mark.parametrize("turned", [False, True])
def test_one_column_is_student_over_the_rows(turned):
    values = np.array([0.1, 0.4, 0.2, 0.9, 0.5])
    table = values[None] if turned else values[:, None]
    oracle = stats.ttest_1samp(values, 0.3)
    found = mean(table)
    assert found.df == 4
    assert 2 * min(found.p_above(0.3), found.p_below(0.3)) == pytest.approx(oracle.pvalue)
    assert found.interval() == pytest.approx(tuple(oracle.confidence_interval()))


def test_rows_that_agree_give_the_interval_over_columns():
    """Seeds that are copies of each other are one seed: five of them tell nothing more."""
    once = np.random.default_rng(0).normal(size=300)
    found = mean(np.tile(once, (5, 1)))
    assert found.error == pytest.approx(once.std(ddof=1) / 300**0.5)
    assert found.df == pytest.approx(299)


def test_a_missing_cell_is_left_out():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(6, 1)) + rng.normal(size=(1, 30)) + rng.normal(size=(6, 30))
    whole, padded = mean(table), mean(np.pad(table, ((1, 0), (0, 2)), constant_values=NAN))
    assert vars(padded) == pytest.approx(vars(whole))
    table[2, 3] = NAN
    found = mean(table)
    assert found.value == pytest.approx(np.nanmean(table))
    assert found.error == pytest.approx(whole.error, rel=0.05)


def test_columns_that_each_belong_to_one_row_are_clusters():
    """Nothing is crossed then: equal clusters are Student over the means of rows."""
    values = np.array([[1.0, 2.0, 4.0], [5.0, 6.0, 6.0], [9.0, 7.0, 5.0], [0.0, 3.0, 3.0]])
    table = np.full((4, 12), NAN)
    for row in range(4):
        table[row, 3 * row : 3 * row + 3] = values[row]
    for given in (table, table.T):
        assert mean(given).error == pytest.approx(values.mean(1).std(ddof=1) / 2)
    alone = mean(np.where(np.eye(5) > 0, np.arange(5.0), NAN))
    assert alone.error == pytest.approx(np.std(np.arange(5), ddof=1) / 5**0.5)


@pytest.mark.parametrize(
    ("table", "value", "interval"),
    [
        (np.full((3, 4), NAN), None, (-np.inf, np.inf)),
        ([[0.2]], 0.2, (-np.inf, np.inf)),
        (np.full((5, 1), 0.1), 0.1, (0.1, 0.1)),
        (np.full((3, 7), 0.1), 0.1, (0.1, 0.1)),
    ],
)
def test_too_little_and_nothing_that_differs(table, value, interval):
    found = mean(table)
    assert (found.value, found.interval()) == (value, interval)
    decided = found.error == 0
    assert found.p_above(0) == (0 if decided else 1)
    assert found.p_above(0.1) == (0.5 if decided else 1)  # exactly on its bound is undecided
    assert found.p_below(0) == 1
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        mean(np.zeros(3))


def test_holm_against_published_and_hand_computed_values():
    assert holm([0.01, 0.02, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    # R: p.adjust(c(.04, .005, .03, .9), "holm")
    assert holm([0.04, 0.005, 0.03, 0.9]) == pytest.approx([0.09, 0.02, 0.09, 0.9])
    assert holm([0.7, 0.6]) == pytest.approx([1, 1])
    assert len(holm([])) == 0


def normal(value, error=1.0):
    return Estimate(value, error, 1e9, 5, 100)


def test_every_must_be_above_and_one_below_is_enough_with_a_correction():
    found = every_above([normal(3.0), normal(2.5), normal(7.0)])
    assert (found.value, found.at) == (2.5, 1)
    assert found.p_above == pytest.approx(stats.norm.sf(2.5))
    assert found.low == pytest.approx(2.5 - 1.96, abs=1e-3)
    found = every_above([normal(1.0), normal(-2.3), normal(0.0)])
    assert found.p_below == pytest.approx(3 * stats.norm.sf(2.3))
    assert found.high == pytest.approx(-2.3 + stats.norm.isf(0.025 / 3))
    # Alone it would have been decided.
    assert every_above([normal(-2.3)]).p < 0.05 < found.p


def test_some_above_is_the_mirror_of_every_above():
    values = (1.2, -2.3, 0.3)
    some, every = (
        some_above([normal(value) for value in values], 0.1),
        every_above([normal(-value) for value in values], -0.1),
    )
    assert (some.value, some.low, some.high) == (-every.value, -every.high, -every.low)
    assert (some.p_above, some.p_below, some.at) == (every.p_below, every.p_above, every.at)


def test_what_was_chosen_by_other_images_is_judged_and_still_corrected():
    found = some_above([normal(5.0), normal(2.5)], chosen=1)
    assert (found.value, found.at) == (2.5, 1)
    assert found.p_above == pytest.approx(2 * stats.norm.sf(5))  # some one is above
    half = stats.norm.isf(0.0125)
    assert (found.low, found.high) == pytest.approx((2.5 - half, 2.5 + half))
    assert found.p_below == pytest.approx(stats.norm.cdf(5))  # that none is above needs all
    assert some_above([normal(5.0), normal(-0.1)], chosen=1).p == 1


def test_two_one_sided_tests_by_hand():
    inside, outside = normal(0.02, 0.04), normal(-0.4, 0.1)
    found = equivalent([inside, normal(0.0, 0.01)], 0.15)
    assert found.p_below == pytest.approx(stats.norm.sf((0.15 - 0.02) / 0.04))
    assert (found.value, found.low) == (0.02, 0)
    assert found.high == pytest.approx(0.02 + 1.96 * 0.04, abs=1e-4)
    found = equivalent([inside, outside], 0.15)
    assert (found.value, found.at) == (0.4, 1)
    assert found.p_above == pytest.approx(4 * stats.norm.sf(2.5))
    assert found.low == pytest.approx(0.4 - stats.norm.isf(0.025 / 4) * 0.1)
    # Not being different is not being equal: wide intervals decide nothing.
    assert equivalent([normal(0.0, 1.0)], 0.15).p > 0.5


@pytest.mark.parametrize("how", [every_above, some_above, partial(equivalent, margin=0.3)])
@pytest.mark.parametrize("seed", range(20))
def test_intervals_and_p_values_decide_alike(how, seed):
    rng = np.random.default_rng(seed)
    estimates = [normal(value, 0.15) for value in rng.normal(0, 0.5, 3)]
    bound = 0.3 if isinstance(how, partial) else 0.0
    found = how(estimates)
    assert (found.low > bound) == (found.p_above < 0.025)
    assert (found.high < bound) == (found.p_below < 0.025)
    assert found.p == min(1, 2 * min(found.p_above, found.p_below))


def test_a_mean_of_nothing_is_not_compared():
    with pytest.raises(ValueError, match="no known cell"):
        every_above([Estimate(None, np.inf, 1, 0, 0)])


def crossed(rng, rows, columns, *, of_rows, of_columns, rest):
    return (
        rng.normal(0, of_rows, (rows, 1))
        + rng.normal(0, of_columns, (1, columns))
        + rng.normal(0, rest, (rows, columns))
    )


def coverage(tables):
    """How often the interval holds 0, and its mean width over that of the known spread."""
    found = [mean(table) for table in tables]
    ends = np.array([each.interval() for each in found])
    held = ((ends[:, 0] <= 0) & (ends[:, 1] >= 0)).mean()
    spread = np.std([each.value for each in found])
    return held, np.diff(ends).mean() / (2 * 1.96 * spread)


@pytest.mark.parametrize(
    ("of_rows", "of_columns", "most"), [(0.1, 0.15, 1.5), (0.02, 0.3, 1.2), (0.0, 0.0, 1.6)]
)
def test_the_interval_covers_and_is_not_wide_for_nothing(of_rows, of_columns, most):
    """Five seeds; the last has neither a seed's nor an image's effect, the floor's case."""
    rng = np.random.default_rng(3)
    held, width = coverage(
        crossed(rng, 5, 100, of_rows=of_rows, of_columns=of_columns, rest=0.3) for _ in range(600)
    )
    assert 0.93 <= held <= (0.985 if of_rows else 1)
    assert 0.97 <= width <= most


def test_the_interval_covers_where_most_cells_are_missing():
    """Forty people see two of twenty images each, ten lists: the design of a study here."""
    rng = np.random.default_rng(4)
    seen = np.zeros((40, 20), bool)
    for person in range(40):
        seen[person, [person % 20, (person + 10) % 20]] = True
    held, width = coverage(
        np.where(seen, crossed(rng, 40, 20, of_rows=1, of_columns=1, rest=2), NAN)
        for _ in range(500)
    )
    assert 0.93 <= held <= 0.98
    assert 0.95 <= width <= 1.2


def test_it_agrees_with_the_bootstrap_where_that_has_enough():
    """Sixty people and images, shares in the middle: the two ways must say the same."""
    rng = np.random.default_rng(5)
    yes = crossed(rng, 60, 60, of_rows=1, of_columns=1, rest=1) > 0
    tables = [(yes.astype(float), np.ones(yes.shape))]
    (shares,) = resampled_means(tables, *draw(5, yes.shape, 500))
    found = mean(yes)
    assert found.value == pytest.approx(yes.mean())
    assert found.interval() == pytest.approx(np.quantile(shares, TAILS), abs=0.02)
