"""The crossed bootstrap: what is drawn, its means, and that memory stays bounded."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from engine.statistics import crossed, interval, median_interval


@pytest.fixture(autouse=True)
def forgetful():
    crossed.draw.cache_clear()
    yield
    crossed.draw.cache_clear()


def test_as_many_are_drawn_as_there_are():
    people, images = crossed.draw(1, (7, 300), 50)
    assert (people.shape, images.shape) == ((50, 7), (50, 300))
    assert (people.sum(1) == 7).all()
    assert (images.sum(1) == 300).all()


def test_what_is_drawn_is_numpys_multinomial_kind_after_kind():
    rng = np.random.default_rng(1)
    expected = [rng.multinomial(n, np.full(n, 1 / n), 50) for n in (7, 300)]
    for drawn, counts in zip(crossed.draw(1, (7, 300), 50), expected, strict=True):
        np.testing.assert_array_equal(drawn, counts)


def scores(rng, *shape):
    return np.where(rng.random(shape) < 0.2, np.nan, rng.normal(size=shape))


def quantities():
    rng = np.random.default_rng(2)
    several = [scores(rng, 3, 40) for _ in range(4)]
    return interval(several, resamples=500), median_interval(several[0], resamples=500)


def test_how_many_resamples_are_worked_on_at_once_changes_nothing(monkeypatch):
    expected = quantities()
    crossed.draw.cache_clear()
    monkeypatch.setattr(crossed, "_CELLS", 130)
    for found, at_once in zip(quantities(), expected, strict=True):
        assert (found.value, found.low, found.high) == pytest.approx(
            (at_once.value, at_once.low, at_once.high), abs=1e-12
        )


def test_intervals_keep_their_ends():
    """Published tables must come out again: the random numbers and their order are fixed."""
    mean, median = quantities()
    assert (mean.value, mean.low, mean.high) == pytest.approx(
        (-0.08276983583718076, -0.4181607041538602, 0.03620773482366537), abs=1e-12
    )
    assert (median.value, median.low, median.high) == pytest.approx(
        (0.10185328474395018, -0.3840544504961268, 0.4289462445148908), abs=1e-12
    )


def test_a_table_may_be_sparse_and_a_resample_empty():
    total, count = np.array([[3.0, 0], [0, 0]]), np.array([[4.0, 0], [0, 0]])
    rows, columns = np.array([[1.0, 1], [0, 2]]), np.array([[2.0, 0], [1, 1]])
    for kind in (np.asarray, sparse.csr_array):
        means = crossed.weighted_means([(kind(total), kind(count))], rows, columns)
        np.testing.assert_array_equal(means, [[0.75, np.nan]])


def test_memory_does_not_grow_with_resamples_times_images():
    """20,000 images and 2000 resamples are 320 MB of weights; they are never there at once."""
    table = np.zeros((1, 20_000))
    drawn = [np.ones((2000, count), np.uint8) for count in table.shape]
    tracemalloc.start()
    means = crossed.resampled_means([(table, table + 1)], *drawn)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert means.shape == (1, 2000)
    assert peak < 64e6
