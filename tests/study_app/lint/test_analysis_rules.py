"""The linter says where the design cannot answer what the declared analysis asks."""

import numpy as np
import pytest
import yaml

from engine.stimuli import Stimulus
from study_app import lint, study
from study_app.design.study_design import Design
from study_app.lint.rules import Subject
from study_app.study import Study

FILES = {path.stem: yaml.safe_load(path.read_text()) for path in study.BUILT_IN.glob("*.yaml")}
RULES = (
    "claims_have_controls", "declared_analysis", "identified_contrasts", "planned_people",
    "smallest_effects",
)  # fmt: skip
PLAN = FILES["demo"]["analysis"]
CONTRAST = {"of": "gradient_penalty", "to": ["none"]}


def said(name, **changes):
    """What the rules of the analysis say of a shipped study with other parts."""
    problems = lint.problems(Study(**FILES[name] | {"translations": {}} | changes))
    return [str(each) for each in problems if each.rule in RULES]


def conditions(name, **changes):
    own = FILES[name]["conditions"]
    return {**own, **{label: {**own[label], **parts} for label, parts in changes.items()}}


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_shipped_study_asks_what_its_design_cannot_answer(name):
    assert said(name) == []


def test_where_nothing_is_declared_all_will_be_exploratory():
    (line,) = said("demo", analysis=None)
    assert line.startswith("hint: analysis: nothing is declared, so that all that is found will be")
    assert line.endswith("such as primary: [chose_target] [declared_analysis]")


def test_images_of_one_condition_alone_are_confounded_with_it():
    contrast = {"of": "right_map", "to": ["wrong_map"]}
    plan = FILES["hive2022-agreement"]["analysis"] | {"contrasts": [contrast]}
    (line,) = said("hive2022-agreement", analysis=plan)
    assert line.startswith(
        "warn: analysis.contrasts.0: right_map and wrong_map show different source images"
    )
    plan["contrasts"] = [{"of": "right_map", "to": ["right_plain"]}]
    assert said("hive2022-agreement", analysis=plan) == []


def test_conditions_that_are_asked_otherwise_differ_in_more_than_their_pictures():
    questions = [
        FILES["demo"]["questions"][0],
        {"name": "target_plausible", "prompt": "Is {label} totally wrong?"},
    ]
    changed = conditions("demo", none={"questions": questions})
    lines = said("demo", conditions=changed)
    assert [line.partition(" are asked")[0] for line in lines] == [
        "warn: analysis.contrasts.0: gradient_penalty and none",
        "warn: analysis.contrasts.2: none and noise",
    ]
    assert "asked target_plausible in different words" in lines[0]
    offered = conditions("demo", none={"choices": "foil"})
    assert all("offer different labels (choices: " in line for line in said(
        "demo", conditions=offered, analysis=PLAN | {"primary": ["chose_target"]}))  # fmt: skip


def test_arms_differ_in_explanations_and_in_nothing_else():
    changed = conditions("nguyen2021", right_map={"presentations": 20})
    assert [line.partition(": a difference")[0] for line in said(
        "nguyen2021", conditions=changed)] == [
        "warn: analysis.contrasts.0: arms map and plain also differ in how many presentations they "
        "have and in what is shown beside maps",
        "warn: analysis.contrasts.1: arms map and placebo also differ in how many presentations "
        "they have and in what is shown beside maps",
    ]  # fmt: skip
    learnt = conditions("colin2022", learn_plain={"presentations": 4})
    (line,) = said("colin2022", conditions=learnt)
    assert "arms map and plain also differ in how much is practised" in line


@pytest.mark.parametrize(
    ("participants", "quota", "told"),
    [
        (60, {"participants": 60}, None),
        (60, {"participants": 90, "per_arm": 60}, None),
        (80, {"participants": 60}, "80 people, and the quota closes the study at 60; make them"),
        (None, {"participants": 60}, "unsaid: who looks and decides then"),
        (60, None, None),
    ],
)
def test_the_number_of_people_is_fixed(participants, quota, told):
    plan = FILES["ross2018-controls"]["analysis"] | {"participants": participants}
    found = said("ross2018-controls", analysis=plan, quota=quota)
    assert len(found) == (told is not None)
    assert all(told in line for line in found)
    assert said("ross2018-controls", analysis=plan, quota=quota, stage="pilot") == []


def test_a_quota_is_missing_also_where_there_is_one_list():
    plan = FILES["saliency-preference"]["analysis"]
    own = FILES["saliency-preference"]["conditions"]
    one = {"none_edges": own["none_edges"]}
    (line,) = said("saliency-preference", conditions=one, analysis=plan, quota=None)
    assert line.startswith("warn: analysis.participants: 50 people, and no quota: nothing closes")


def test_a_contrast_says_which_difference_matters():
    plan = {**PLAN, "smallest_effect": None}
    (line,) = said("demo", analysis=plan)
    assert line.startswith("warn: analysis.smallest_effect: missing (contrasts 0, 1, 2): neither")
    sized = [{**each, "smallest_effect": 0.1} for each in plan["contrasts"]]
    assert said("demo", analysis={**plan, "contrasts": sized}) == []
    equal = [PLAN["contrasts"][1], CONTRAST | {"claim": "equivalent", "margin": 0.1}]
    (line,) = said("demo", analysis={**plan, "contrasts": equal})
    assert "(contrasts 0)" in line


def test_mistakes_are_held_against_a_control():
    (line,) = said("demo", analysis={**PLAN, "contrasts": [CONTRAST]})
    assert line.startswith("warn: analysis.contrasts: mistakes are compared with each other only,")
    assert "(clean, noise)" in line
    held = [CONTRAST, {"of": "none", "to": ["clean"]}]
    assert said("demo", analysis={**PLAN, "contrasts": held}) == []
    nothing = conditions("demo")
    del nothing["noise"]
    plan = {**PLAN, "contrasts": held}
    lines = said("demo", conditions=nothing, analysis=plan)
    assert [line.partition(" takes")[0] for line in lines] == [
        "error: analysis: plausible_beyond_noise", "error: analysis: target_beyond_noise",
    ]  # fmt: skip


def test_two_methods_of_one_name_are_one_item():
    """Strong and weak smoothing of one map would count as one thing."""
    stimuli, entries = {}, []
    for number, noise in enumerate((0.1, 0.2)):
        passport = {
            "kind": "map",
            "defense": "none",
            "saliency": {"name": "smoothgrad", "of": "clean", "placebo": False,
                         "params": {"noise": noise}},
        }  # fmt: skip
        stimuli[str(number)] = Stimulus(np.zeros((1, 1, 1), np.uint8), passport)
        entries.append({"condition": "none_edges", "pictures": [str(number)]})

    def told(*shown):
        drawn = Design(stimuli, {"arms": {"all": {"lists": [list(shown)]}}})
        check = lint.RULES["items_told_apart"]
        return [each.message for each in check(Subject(loaded, drawn=drawn))]

    loaded = study.load("saliency-preference")
    (message,) = told(*entries)
    assert message.startswith("2 kinds of pictures are map:none:smoothgrad, by one name")
    assert told(entries[0]) == []
    assert told(entries[0], {**entries[1], "condition": "of no preference"}) == []
