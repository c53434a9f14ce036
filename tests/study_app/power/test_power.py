"""Power is what simulating the published plans by brute force gives, and published tables say."""

import numpy as np
import pytest
from direct_power import presentations, shown, without_effect

from engine import results
from engine.errors import UsageError
from engine.statistics import holm
from study_app import study
from study_app.design import study_design
from study_app.power import (
    ASSUMED,
    Components,
    Deviations,
    Losses,
    Range,
    Setting,
    people_needed,
    plan_of,
    planned,
    power,
)
from study_app.power.claims import Studies
from study_app.power.claims import holm as holm_of_many
from study_app.power.incidence import Incidence

MIDDLE = Deviations(1.0, 1.0, 0.3, 0.6)


def exactly(*values):
    """Components that are known."""
    return Components(*(Range(v, v, v) for v in values), source="declared")


def asking(name, *contrasts, effect=0.12, **changes):
    """A setting in which a shipped study declares other contrasts: (of, to, claim)."""
    declared = study.load(name)
    one = plan_of(declared, *contrasts[0][:3], effect, None)
    every = [plan_of(declared, *each, effect, None).contrasts[0] for each in contrasts]
    plan = one.model_copy(update={"contrasts": tuple(every), "primary": ("answer",)})
    asked = declared.model_copy(update={"analysis": plan, **changes})
    return asked, planned(asked)[0]


def setting(asked, every, components=None, base=0.3, runs=400, **more):
    components = components or exactly(1.0, 1.0, 0.3, 0.6)
    return Setting(asked, every, components, {"": base}, Losses({}), runs, **more)


PAIR = ("none", ["distillation"], "different")
EVERY = ("none", ["distillation", "noise"], "above_every")
OTHERS = [("gradient_penalty", ["clean"], "above"), ("adversarial_training", ["noise"], "above")]
DIRECT = {
    "nothing is there": (0.0, [PAIR, *OTHERS]),
    "12 points": (0.12, [PAIR]),
    "12 points above every other, of three comparisons": (0.12, [EVERY, *OTHERS]),
    "within 12 points": (0.12, [("none", ["distillation"], "equivalent")]),
}


@pytest.fixture(scope="module")
def table(store):
    """Who sees what in one study of the published design."""
    document = study_design.design(study.load("demo"), results.find(store, "demo")).document
    return presentations(document, 40, seed=4)


@pytest.mark.parametrize("case", DIRECT)
def test_it_is_that_of_direct_simulation(table, case):
    effect, contrasts = DIRECT[case]
    of, _, claim = contrasts[0]
    asked, every = asking("demo", *contrasts, effect=effect or 0.1)
    if not effect:
        every = without_effect(every)
    shares = {label: 0.3 + every[0].effect * (label == of) for label in asked.conditions}
    runs, more = 120, 1000
    deviations = (1.0, 1.0, 0.3, 0.6)
    direct = shown(table, contrasts, shares, deviations, runs, seed=8, margin=0.12)[0]
    (found, *_) = power(setting(asked, every, runs=more), 40, asked.image_sets)
    middle = (direct * runs + found.power.share * more) / (runs + more)
    error = np.sqrt(max(middle * (1 - middle), 0.01) * (1 / runs + 1 / more))
    assert abs(direct - found.power.share) < 3 * error
    if claim != "equivalent":
        assert (found.power.share > 0.2) == bool(effect)


def ten_lists(people, images):
    """Two conditions over ten lists, four images each: of more images four at random."""
    rng = np.random.default_rng(0)
    rows = []
    for person in range(people):
        for condition, turns in enumerate(((0, 3), (1, 4))):
            mine = [j for j in range(images) if (j + person) % 10 in turns]
            rows += [(person, j, condition) for j in rng.permutation(mine)[:4]]
    person, image, condition = np.array(rows).T
    arm = np.zeros_like(person)
    return Incidence(
        people, people, images, person, image, condition, arm, range(images),
        ["none", "distillation"], ["all"],
    )  # fmt: skip


PUBLISHED = {
    (20, 40): 0.48, (20, 80): 0.71, (20, 160): 0.85, (80, 40): 0.53, (80, 80): 0.86,
    (80, 160): 0.99,
}  # fmt: skip


@pytest.mark.parametrize(("images", "people"), PUBLISHED)
def test_it_reproduces_a_table_made_by_other_code(images, people):
    _, every = asking("demo", ("none", ["distillation"], "different"))
    plan, runs = ten_lists(people, images), 500
    studies = Studies(plan, every, MIDDLE, {"": 0.3}, runs, np.random.default_rng(2))
    found = studies.decided(every[0]).claimed.mean()
    wanted = PUBLISHED[images, people]
    middle = (250 * wanted + runs * found) / (250 + runs)
    error = np.sqrt(middle * (1 - middle) * (1 / 250 + 1 / runs))
    assert abs(found - wanted) < 2 * error + 0.005  # it was printed with two digits


def test_shares_are_the_declared_ones():
    asked, every = asking("demo", ("none", ["distillation"], "below"), effect=0.1)
    plan = setting(asked, every).plan(400, 4)
    studies = Studies(plan, every, MIDDLE, {"": 0.3, "distillation": 0.5}, 40,
                      np.random.default_rng(3))  # fmt: skip
    sums = studies.moved(every[0])
    assert sums[every[0].of].mean.mean() == pytest.approx(0.4, abs=0.01)
    assert sums[every[0].to[0]].mean.mean() == pytest.approx(0.5, abs=0.01)
    with pytest.raises(UsageError, match="cannot be"):
        Studies(plan, every, MIDDLE, {"": 0.05}, 4, np.random.default_rng(3)).shares(every[0])


def test_holm_is_that_of_each_study():
    p = np.random.default_rng(1).random((4, 7)) ** 3
    for run in range(7):
        np.testing.assert_allclose(holm_of_many(p)[:, run], holm(p[:, run]))


def test_arms_are_compared_between_people():
    declared = study.load("nguyen2021")
    every, left_out = planned(declared)
    assert [(one.of.arm, one.to[0].arm) for one in every] == [("map", "plain"), ("map", "placebo")]
    assert every[0].of.conditions == ("right_map", "wrong_map", "attack_map")
    assert left_out == []
    (one, *_) = power(setting(declared, every, runs=60), 120, 1, ends=False)
    assert 0.15 < one.power.share < 0.9


def test_more_images_do_what_people_cannot():
    asked, every = asking("demo", ("none", ["distillation"], "different"))
    strange = exactly(1.0, 1.0, 0.3, 1.6)  # images differ much in what a defense does to them
    few = people_needed(setting(asked, every, strange, runs=60), 1, 0, start=600)
    assert few == (None, True)
    many = people_needed(setting(asked, every, strange, runs=200), 8, 0, start=100)
    assert not many.limited
    assert many.people
    found = power(setting(asked, every, strange), many.people, 8, ends=False)[0].power
    assert 0.75 < found.share < 0.93


def test_ranges_give_a_power_at_each_end():
    asked, every = asking("demo", ("none", ["distillation"], "different"))
    (one,) = power(setting(asked, every, ASSUMED), 160, 1)
    assert one.upper.share < one.power.share < one.lower.share
    assert one.power.low < one.power.share < one.power.high


def test_outcomes_that_are_no_shares_are_left_out():
    declared = study.load("hive2022-agreement")
    plan = declared.analysis.model_copy(update={"primary": ("judged_right", "rating")})
    every, left_out = planned(declared.model_copy(update={"analysis": plan}))
    assert {one.of.outcome for one in every} == {"judged_right"}
    assert left_out == ["rating is ordinal, and power is simulated for answers of yes and no"]


def test_the_mixed_model_decides_where_it_is_declared():
    asked, every = asking("demo", ("none", ["noise"], "above"), effect=0.45)
    plan = asked.analysis.model_copy(update={"test": "mixed"})
    every = planned(asked.model_copy(update={"analysis": plan}))[0]
    assert every[0].test == "mixed"
    (one,) = power(setting(asked, every, base=0.2, runs=6), 16, 1)
    assert one.runs == 6
    assert one.power.share > 0.5
