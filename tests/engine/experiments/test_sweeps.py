"""Sweeps in experiment files: the values they stand for, and what they refuse."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import defenses
from engine.defenses import Combined
from engine.errors import UsageError
from engine.experiments import sweeps
from engine.experiments.sweeps import MOST, Derived, Sweep


def penalty(strength):
    return {"name": "gradient_penalty", "strength": strength}


def values(strength) -> tuple[float, ...]:
    read = sweeps.read(penalty(strength))
    assert isinstance(read, Sweep)
    return read.values


def test_a_defense_without_a_sweep_is_a_defense():
    assert sweeps.read("none") == defenses.create("none")
    assert sweeps.read(penalty(2)) == defenses.create("gradient_penalty", strength=2)
    both = sweeps.read([penalty(2), "adversarial_training"])
    assert isinstance(both, Combined)


def test_the_papers_sweep_is_thirteen_strengths_evenly_on_a_log_scale():
    found = values({"log": [0.195, 195, 13]})
    assert len(found) == 13
    assert (found[0], found[-1]) == (0.195, 195.0)
    for low, high in pairwise(found):
        assert high / low == pytest.approx(1000 ** (1 / 12), rel=1e-3)


@given(
    st.floats(1e-6, 1e6, allow_nan=False),
    st.floats(1.5, 1e6),
    st.integers(2, MOST),
)
def test_log_values_rise_from_the_first_to_the_last(first, factor, count):
    last = first * factor
    found = values({"log": [first, last, count]})
    assert len(found) == count
    assert (found[0], found[-1]) == (first, last)
    assert list(found) == sorted(set(found))
    for i, value in enumerate(found):
        assert value == pytest.approx(first * factor ** (i / (count - 1)), rel=6e-4)


def test_two_values_are_the_ends_and_are_not_rounded():
    assert values({"log": [0.123456, 7.654321, 2]}) == (0.123456, 7.654321)


def test_values_are_taken_in_their_order_as_floats():
    found = values({"values": [10, 0.1, 1]})
    assert found == (10.0, 0.1, 1.0)
    assert all(isinstance(value, float) for value in found)


def test_candidates_differ_in_the_one_parameter():
    sweep = sweeps.read([{**penalty({"values": [1, 2]}), "target": "uniform"}, "distillation"])
    one, two = sweep.candidates()
    assert one == defenses.combine([{**penalty(1), "target": "uniform"}, "distillation"])
    assert two == defenses.combine([{**penalty(2), "target": "uniform"}, "distillation"])


@pytest.mark.parametrize("part", [0, 1])
def test_a_sweep_may_be_in_any_part_of_a_combination(part):
    parts = [penalty({"values": [1, 2]}), {"name": "adversarial_training", "eps": 0.3}]
    sweep = sweeps.read(parts[::-1] if part else parts)
    assert isinstance(sweep, Sweep)
    assert (sweep.template.part, sweep.template.parameter) == (part, "strength")
    assert sweep.candidates()[1].parts[part] == defenses.create("gradient_penalty", strength=2)


def test_the_chosen_value_is_filled_in_later():
    derived = sweeps.read([penalty({"chosen": "tuned"}), "adversarial_training"])
    assert isinstance(derived, Derived)
    assert derived.of == "tuned"
    assert derived.template.fill(0.5) == defenses.combine([penalty(0.5), "adversarial_training"])


def test_filling_changes_nothing_in_the_template():
    derived = sweeps.read(penalty({"chosen": "tuned"}))
    derived.template.fill(1)
    assert derived.template.fill(2) == defenses.create("gradient_penalty", strength=2)


BAD = [
    {},
    {"log": []},
    {"log": [1, 10]},
    {"log": [1, 10, 3, 4]},
    {"log": [1, 10, 1]},
    {"log": [1, 10, 0]},
    {"log": [1, 10, -3]},
    {"log": [1, 10, 2.5]},
    {"log": [1, 10, True]},
    {"log": [1, 10, "3"]},
    {"log": [1, 10, 10**9]},
    {"log": [10, 1, 3]},
    {"log": [1, 1, 3]},
    {"log": [0, 1, 3]},
    {"log": [-1, 1, 3]},
    {"log": ["1", 10, 3]},
    {"log": [True, 10, 3]},
    {"log": [1, math.inf, 3]},
    {"log": [math.nan, 10, 3]},
    {"log": [1, 10**400, 3]},
    {"log": [1, 1.0001, 13]},
    {"log": 3},
    {"log": None},
    {"log": [1, 10, 3], "values": [1]},
    {"values": []},
    {"values": 1},
    {"values": "12"},
    {"values": [1, 1]},
    {"values": [1, 1.0]},
    {"values": [1, 1.00000001]},
    {"values": [1, None]},
    {"values": [1, "2"]},
    {"values": [False, 1]},
    {"values": [1, math.nan]},
    {"values": [1, -math.inf]},
    {"values": [10**400]},
    {"values": list(range(MOST + 1))},
    {"values": [1], "chosen": "tuned"},
    {"chosen": None},
    {"chosen": 3},
    {"chosen": ["tuned"]},
    {"linear": [1, 2, 3]},
    {3: 4},
]


@pytest.mark.parametrize("value", BAD, ids=str)
def test_what_is_no_sweep_is_refused_with_the_parameter(value):
    with pytest.raises(UsageError, match="strength"):
        sweeps.read(penalty(value))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["log", "values", "chosen", "name", "strength"]) | st.integers(),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
def test_anything_is_read_or_refused_in_words(value):
    for document in (value, penalty(value), [penalty(value), "none"]):
        try:
            read = sweeps.read(document)
        except UsageError:
            continue
        assert isinstance(read, defenses.Defense | Sweep | Derived)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (penalty({"values": [1, -1]}), "strength = -1.0: .*greater than or equal to 0"),
        ({"name": "gradient_penalty", "lambda": {"values": [1]}}, "unknown parameter 'lambda'"),
        ({"name": "gradient_penalty", "target": {"values": [1]}}, "target = 1.0"),
        ({"name": "adversarial_training", "steps": {"values": [1, 2.5]}}, "steps = 2.5"),
        ({"name": {"values": [1]}}, "a defense is a name or a mapping with one"),
    ],
    ids=str,
)
def test_values_that_the_defense_does_not_take_are_refused(value, said):
    with pytest.raises(UsageError, match=said):
        sweeps.read(value)


def test_only_one_parameter_can_be_swept():
    two = {"log": [1, 10, 2]}
    for value in (
        [penalty(two), {"name": "adversarial_training", "eps": {"values": [0.1, 0.2]}}],
        {"name": "adversarial_training", "eps": two, "mix": {"chosen": "tuned"}},
    ):
        with pytest.raises(UsageError, match=r"only one parameter can be swept, not .*eps"):
            sweeps.read(value)


def test_two_objectives_are_refused_also_in_a_sweep():
    with pytest.raises(UsageError, match="adversarial_training and distillation"):
        sweeps.read(
            [{"name": "adversarial_training", "eps": {"values": [0.1, 0.2]}}, "distillation"]
        )
