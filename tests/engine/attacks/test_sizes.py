"""Sizes of disturbances: how they are written, and how large they may be."""

import pytest

from engine import attacks, defenses
from engine.errors import UsageError
from engine.jobs.curve import CurveSpec
from engine.jobs.ladder import LadderSpec
from engine.jobs.selection import SelectionSpec
from engine.training.loop import TrainingConfig


@pytest.mark.parametrize(
    ("written", "size"),
    [("8/255", 8 / 255), (" 7.5 / 255 ", 7.5 / 255), ("0/1", 0.0), ("0.1", 0.1), (1, 1.0)],
)
@pytest.mark.parametrize("name", ["fgsm", "pgd", "tgsm", "worst_case", "square"])
def test_a_size_is_a_number_or_a_fraction(name, written, size):
    attack = attacks.create(name, eps=written)
    assert attack.eps == size
    assert attack.config()["eps"] == size


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("8/0", "a fraction as in 8/255"),
        ("8/255/2", "a fraction as in 8/255"),
        ("2**3", "a fraction as in 8/255"),
        ("-8/255", "a fraction as in 8/255"),
        ("١/٢", "a fraction as in 8/255"),
        (True, "a fraction as in 8/255"),
        (-0.1, "greater than or equal to 0"),
        (float("nan"), "eps = nan"),
        (float("inf"), "finite"),
        ("inf", "finite"),
        (8, r"eps 8: pixels lie in \[0, 1\]; 8 of 255 levels is 8/255"),
        (300, r"eps 300: pixels lie in \[0, 1\]$"),
    ],
)
@pytest.mark.parametrize("name", ["fgsm", "pgd", "tgsm", "worst_case", "square"])
def test_another_is_refused_with_the_remedy(name, written, said):
    with pytest.raises(UsageError, match=said):
        attacks.create(name, eps=written)


def test_beyond_pixels_in_linf_any_finite_size_is_taken():
    assert attacks.create("fgsm", eps=2, space="model_input").eps == 2
    assert attacks.create("pgd", eps=9, norm="l2").eps == 9
    assert attacks.create("worst_case", eps=9, norm="l2").budget() == ("l2", 9)
    assert attacks.create("tgsm", step_size="2/1", space="model_input").step_size == 2
    assert defenses.create("adversarial_training", eps=2, space="model_input").eps == 2
    assert SelectionSpec(eps=[2], space="model_input").eps == [2]
    assert TrainingConfig(watch_eps=2, watch_space="model_input").watch_eps == 2


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: attacks.create("tgsm", step_size=2), "step_size 2: .*2/255"),
        (lambda: attacks.create("pgd", step_size=2), "step_size 2: .*2/255"),
        (lambda: attacks.create("jsma", theta=2), "theta 2: .*2/255"),
        (lambda: defenses.create("adversarial_training", eps=8), "eps 8: .*8/255"),
        (lambda: SelectionSpec(eps=[0.1, 8]), "eps.1 8: .*8/255"),
        (lambda: LadderSpec(eps=[0.1, 8]), "eps 8: .*8/255"),
        (lambda: TrainingConfig(watch_eps=8), "watch_eps 8: .*8/255"),
    ],
)
def test_it_is_one_rule_wherever_pixels_are_disturbed(make, said):
    with pytest.raises((UsageError, ValueError), match=said):
        make()


def test_fractions_are_read_wherever_sizes_are_listed():
    assert LadderSpec(eps=["8/255", 0.1]).eps == [8 / 255, 0.1]
    assert SelectionSpec(eps=["8/255"]).eps == [8 / 255]
    curve = CurveSpec(title="", attack="pgd", over={"eps": [0, "8/255"]})
    assert curve.over == {"eps": [0, 8 / 255]}
    written = defenses.create("adversarial_training", eps="8/255", step_size="2/255")
    assert written == defenses.create("adversarial_training", eps=8 / 255, step_size=2 / 255)
