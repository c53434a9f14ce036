"""Which class a targeted attack aims at."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.attacks import choose_target

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
