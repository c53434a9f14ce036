"""The design is balanced, and every plan keeps its promises whatever the seed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import experiment

from engine.artifacts import ArtifactStore
from engine.errors import UsageError
from study_app import plan, study

STUDY = study.load("demo")


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    found = experiment(ArtifactStore(tmp_path_factory.mktemp("artifacts")))
    return plan.design(STUDY, found)


def image(design, stimulus_id):
    return design.stimuli[stimulus_id].image_id


def test_the_design_is_the_same_each_time(design, tmp_path):
    again = plan.design(STUDY, experiment(ArtifactStore(tmp_path)))
    assert again.document["lists"] == design.document["lists"]


def test_lists_are_a_latin_square_of_source_and_condition(design):
    lists = design.document["lists"]
    assert len(lists) == STUDY.lists == 10
    seen = Counter()
    for entries in lists:
        assert Counter(e["condition"] for e in entries) == {
            label: condition.presentations for label, condition in STUDY.conditions.items()
        }
        assert len({image(design, e["stimulus_id"]) for e in entries}) == 20
        seen.update((image(design, e["stimulus_id"]), e["condition"]) for e in entries)
    for (_, condition), count in seen.items():
        assert count == STUDY.conditions[condition].presentations / 2
    labels = Counter(design.stimuli[e["stimulus_id"]].passport["true_label"] for e in lists[0])
    assert set(labels.values()) == {2}


def test_conditions_show_what_they_say(design):
    for entries in design.document["lists"]:
        for entry in entries:
            passport = design.stimuli[entry["stimulus_id"]].passport
            wanted = STUDY.conditions[entry["condition"]]
            assert passport["kind"] == {
                "mistake": "adversarial", "control": "control", "clean": "clean"
            }[wanted.show]  # fmt: skip
            assert passport["defense"] == wanted.defense
            if wanted.show == "mistake":
                assert passport["prediction"]["label"] == passport["target"]
                assert passport["target"] != passport["true_label"]
            # Every condition shows the same label for the same source: rates can be compared.
            assert entry["shown_label"] == (passport["true_label"] + 1) % 10


@given(seed=st.integers(0, 2**63 - 1), list_index=st.integers(0, 9))
def test_every_plan_keeps_its_promises(design, seed, list_index):
    drawn = plan.draw(design.document, plan.ARM, list_index, seed)
    assert len(drawn) == 26
    sources = [image(design, p.stimulus_id) for p in drawn]
    assert len(set(sources)) == 26
    assert [p.phase for p in drawn[:3]] == ["practice", "practice", "main"]
    assert drawn[2].role == "main"
    assert Counter(p.role for p in drawn) == {"practice": 2, "main": 20, "catch": 4}
    for presentation in drawn:
        label, plausible = presentation.trials
        passport = design.stimuli[presentation.stimulus_id].passport
        assert (label.task, plausible.task) == ("label_nafc", "target_plausible")
        assert [o["value"] for o in label.view["options"]] == [*"0123456789", "cant_tell"]
        assert plausible.shown_label in plausible.view["prompt"]
        if presentation.role == "main":
            assert label.correct_option is plausible.correct_option is None
        else:
            assert label.correct_option == str(passport["true_label"])
            honest = plausible.shown_label == str(passport["true_label"])
            assert plausible.correct_option == ("yes" if honest else "no")
            assert plausible.foil_policy == ("true_label" if honest else "impossible")
            foils = STUDY.impossible[passport["true_label"]]
            assert honest or int(plausible.shown_label) in foils
    catch = [p.trials[1].correct_option for p in drawn if p.role == "catch"]
    assert Counter(catch) == {"yes": 2, "no": 2}
    assert drawn == plan.draw(design.document, plan.ARM, list_index, seed)


def test_orders_differ_between_people(design):
    orders = {
        tuple(p.stimulus_id for p in plan.draw(design.document, plan.ARM, 0, seed))
        for seed in range(20)
    }
    assert len(orders) == 20


def test_too_few_images_are_refused_with_the_attrition(tmp_path):
    found = experiment(ArtifactStore(tmp_path))
    big = STUDY.model_copy(update={"practice": 20, "catch": 40})
    with pytest.raises(UsageError, match=r"needs 80 source images.*has 60.*attempted"):
        plan.design(big, found)
