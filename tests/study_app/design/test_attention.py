"""What attention rules do is computed exactly, from catch trials as they are drawn."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from synthetic import experiment, protocols

from engine.artifacts import ArtifactStore
from study_app import exclusions, study
from study_app.design import attention, participant_plan
from study_app.design.known_answers import expected
from study_app.design.study_design import design

POOLED = {"rule": "catch_below", "share": 0.75}


def changed(name, **changes):
    return study.load(name).model_copy(update=changes)


def judged(rule):
    return (exclusions.registry.from_config(rule),)


@pytest.mark.parametrize(
    ("name", "catch", "lost", "kept"),
    [
        ("demo", 4, 0.0058, 0.0035),  # 8 answers, of which 6 must be right
        ("veerabadran2023", 4, 0.0140, 5 / 16),
        ("zhou-firestone2019", 3, 0.1426, 1 / 8),
        ("colin2022", 3, 0.1426, 0.1**3),
        ("veerabadran2023", 7, 0.0444, 8 / 2**7),
    ],
)
def test_the_figures_are_those_of_a_binomial_reckoning(name, catch, lost, kept):
    declared = changed(name, catch=catch, exclusions=judged(POOLED))
    figures = attention.figures(declared, 10)[0]
    assert figures.honest_lost == pytest.approx(lost, abs=5e-5)
    assert figures.clickers_kept == pytest.approx(kept, abs=5e-5)


def test_who_always_says_yes_is_seen_question_by_question_only():
    (pooled,) = attention.figures(changed("demo", exclusions=judged(POOLED)), 10)
    assert pooled.constant["target_plausible"] == attention.Constant("always 'Yes'", 1.0)
    assert list(pooled.unseen) == ["target_plausible"]
    assert not pooled.good
    (apart,) = attention.figures(study.load("demo"), 10)
    assert apart.constant["target_plausible"].kept == 0
    assert apart.clicking_at["target_plausible"] == pytest.approx(5 / 16)
    assert apart.good


def test_an_odd_number_asks_about_the_right_label_once_more_or_once_less():
    rule = {"rule": "catch_below", "share": 0.6, "per": "question"}
    (figures,) = attention.figures(changed("demo", catch=3, exclusions=judged(rule)), 10)
    assert figures.constant["target_plausible"].kept == pytest.approx(0.5)


def test_the_number_that_would_do_is_the_smallest_one():
    zhou = study.load("zhou-firestone2019")
    assert attention.enough_catch(zhou, 10) == zhou.catch == 7
    assert attention.enough_catch(changed("demo", exclusions=judged(POOLED)), 10) is None
    assert attention.enough_catch(changed("demo", exclusions=()), 10) is None


def test_without_the_number_of_classes_only_what_hangs_on_it_is_unknown():
    colin = changed("colin2022", impossible={})
    assert attention.figures(colin) is None
    assert attention.figures(study.load("veerabadran2023"))


def test_the_figures_are_said_once_for_arms_that_are_alike():
    said = attention.lines(attention.figures(study.load("zhou-firestone2019"), 10))
    assert [line.partition(":")[0] for line in said] == ["arm foil, rival", "arm any"]
    assert "4.4 % of honest people (5 % slips) are lost, 6.2 % of random clickers kept" in said[0]


def test_the_documented_figures_are_those_of_the_shipped_studies():
    text = (Path(__file__).parents[3] / "docs/studies.md").read_text()
    pattern = r"^\| (\d+), .+?\((`.+?`)\) \| (.+?) \| (.+?) \| (.+?) \|$"
    rows = re.findall(pattern, text, re.MULTILINE)
    documented = {name: row for row in rows for name in re.findall(r"`(.+?)`", row[1])}
    having = {p.stem for p in study.BUILT_IN.glob("*.yaml") if study.load(p.stem).catch}
    assert set(documented) == having
    for name, (catch, _, lost, kept, alike) in documented.items():
        worst = max(attention.figures(study.load(name), 10), key=lambda each: each.clickers_kept)
        found = worst.honest_lost, worst.clickers_kept, max(c.kept for c in worst.constant.values())
        assert (str(worst.catch), *map(attention.percent, found)) == (catch, lost, kept, alike)


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("artifacts"))
    return {"demo": experiment(store), "protocols": protocols(store)}


@pytest.mark.parametrize("name", ["demo", "veerabadran2023", "zhou-firestone2019", "nguyen2021"])
def test_plans_that_are_drawn_have_those_catch_trials(name, experiments):
    declared = changed(name, image_sets=1)
    document = design(declared, experiments[declared.experiment]).document
    for arm in declared.all_arms:
        trials = [each for one in expected(declared, arm, 10) for each in one]
        honest = set()
        for seed in range(12):
            plan = participant_plan.draw(document, arm, 0, seed)
            drawn = [t for one in plan if one.role == "catch" for t in one.trials
                     if t.correct_option is not None]  # fmt: skip
            assert Counter((t.task, len(t.view["options"])) for t in drawn) == Counter(
                (each.question, len(each.options)) for each in trials
            )
            fixed = {each.question for each in trials if each.honest != each.foil}
            for question in fixed:
                right = Counter(t.correct_option for t in drawn if t.task == question)
                (values,) = {(t.honest, t.foil) for t in trials if t.question == question}
                assert set(right) == set(values)
                honest.add(right[values[0]])
        assert honest <= {declared.catch // 2, declared.catch - declared.catch // 2}


def test_a_simulation_of_people_agrees():
    """Of the demo's own rule, by drawing people instead of reckoning."""
    demo = study.load("demo")
    (figures,) = attention.figures(demo, 10)
    (plan,) = [expected(demo, arm, 10) for arm in demo.all_arms]
    rules = attention.attention_rules(demo)
    asked = Counter(trial.question for trials in plan for trial in trials)
    rng = random.Random(0)
    passed, people_drawn = 0, 4000
    for _ in range(people_drawn):
        right = Counter({trial.question: 0 for trials in plan for trial in trials})
        for trials in plan:
            for trial in trials:
                chance = 1.0 if trial.question == "label_nafc" else 0.5
                right[trial.question] += rng.random() < chance
        passed += all(rule.passes(right, asked) for rule in rules)
    share = passed / people_drawn
    assert share == pytest.approx(figures.clicking_at["target_plausible"], abs=0.03)
