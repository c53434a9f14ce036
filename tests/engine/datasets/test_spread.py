"""Some images of a split: spread over the classes, and the fewer among the more."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets import spread

labellings = st.lists(st.integers(0, 5), min_size=1, max_size=80).map(np.array)


@given(labellings, st.integers(1, 100))
def test_every_class_has_its_share_and_at_least_one(labels, count):
    chosen = spread(labels, count)
    assert (np.diff(chosen) > 0).all()
    assert len(chosen) == min(count, len(labels))
    present, own = np.unique(labels, return_counts=True)
    taken = np.array([(labels[chosen] == k).sum() for k in present])
    if count >= len(present):
        assert (taken >= 1).all()
    if count >= 3 * len(present):
        share = own * len(chosen) / len(labels)
        assert (np.abs(taken - np.maximum(1, share)) <= len(present)).all()


@given(labellings, st.integers(1, 80), st.integers(1, 80))
def test_fewer_are_among_more(labels, one, other):
    few, many = sorted((one, other))
    assert set(spread(labels, few)) <= set(spread(labels, many))


def test_of_equal_classes_as_many_and_far_apart():
    labels = np.repeat(np.arange(4), 32)
    chosen = spread(labels, 16)
    assert np.bincount(labels[chosen]).tolist() == [4, 4, 4, 4]
    assert np.diff(chosen).tolist() == [8] * 15
    # Five hundred of one class and five of the other: a rare class is there.
    assert spread(np.repeat([0, 1], [500, 5]), 2).tolist() == [0, 500]


def test_none_and_more_than_there_are_mean_all():
    for count in (None, 7, 8, 1000):
        assert spread(np.zeros(7, np.int64), count).tolist() == list(range(7))
