"""Which class a targeted attack aims at."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.attacks import choose_target, random_targets

LOGITS = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 5.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
LABELS = torch.tensor([0, 3, 1])


def test_each_rule_on_known_logits():
    def chosen(rule):
        return choose_target(rule, LABELS, LOGITS).tolist()

    assert chosen("next_class") == [1, 0, 2]
    assert chosen("least_likely") == [3, 0, 0]
    assert chosen("second_choice") == [1, 2, 0]


@given(
    st.sampled_from(["next_class", "least_likely", "second_choice"]),
    st.lists(st.lists(st.floats(-1024, 1024, width=32), min_size=3, max_size=3), min_size=1),
    st.integers(0, 2),
)
def test_the_truth_is_never_aimed_at(rule, logits, label):
    labels = torch.full((len(logits),), label)
    chosen = choose_target(rule, labels, torch.tensor(logits))
    assert chosen.dtype == torch.int64
    assert ((chosen != labels) & (chosen >= 0) & (chosen < 3)).all()


@given(
    st.integers(2, 7).flatmap(
        lambda classes: st.tuples(
            st.just(classes), st.lists(st.integers(0, classes - 1), max_size=60)
        )
    ),
    st.integers(0, 2**62),
)
def test_random_targets_are_balanced_within_every_class_also_in_the_first_images(drawn, seed):
    classes, labels = drawn
    y = np.array(labels, dtype=np.int64)
    found = random_targets(y, classes, seed)
    assert found.dtype == np.int64
    for count in (len(y), len(y) // 2):
        for label in set(labels[:count]):
            aims = np.bincount(found[:count][y[:count] == label], minlength=classes)
            assert aims[label] == 0
            assert np.ptp(np.delete(aims, label)) <= 1
    assert (random_targets(y[: len(y) // 2], classes, seed) == found[: len(y) // 2]).all()


def test_random_targets_follow_their_seed_and_not_the_label():
    y = np.repeat(np.arange(10), 40)
    found, again, other = (random_targets(y, 10, seed) for seed in (0, 0, 1))
    assert (found == again).all()
    assert (found == other).mean() < 0.3
    shifts = np.bincount((found - y) % 10, minlength=10)[1:]
    assert shifts.max() < 0.2 * len(y)


def test_what_no_model_decides_is_not_asked_of_one():
    with pytest.raises(ValueError, match="random_targets"):
        choose_target("random", LABELS, LOGITS)
    with pytest.raises(ValueError, match="two classes or more, not 1"):
        random_targets(np.zeros(2, np.int64), 1, 0)
