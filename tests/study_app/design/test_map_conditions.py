"""Maps of every method as stimuli: what their passports say, and what is refused or told."""

from __future__ import annotations

import pytest
from synthetic import CLASSES, Method, experiment

from engine import stimuli
from engine.artifacts import ArtifactStore
from engine.errors import AbsentError
from engine.saliency import Fit, Reason
from study_app.design.absences import absences
from study_app.design.study_design import design
from study_app.lint.looking import look
from study_app.study import Study

REFUSED = Fit((Reason("no_relu_modules", "it has no ReLU modules to change"),))
IMPORTED = Fit((Reason("imported", "whether they fit was not examined", refuses=False),))
METHODS = {
    "cam": Method(fits={"distillation": REFUSED}, against=True),
    "ig": Method("Integrated gradients", "integrated_gradients", (1, 8, 8), off={"none": 0.2}),
    "ours": Method("Ours", "imported", fits={"none": IMPORTED}),
    "edge": Method("Edges", "edges", (1, 8, 8)),
    "noise": Method("Noise", "same_spectrum", (1, 8, 8)),
    "random": Method("Random weights", "randomised_weights", (1, 8, 8)),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("home") / "artifacts")
    defenses = {"none": "No defense", "distillation": "Distillation"}
    return experiment(store, "maps", defenses, {"fgsm": "FGSM"}, methods=METHODS)


def asked(*shown: tuple[str, str]) -> Study:
    """A study with a condition per defense and method, and one without a map."""
    plain = {"title": "Plain", "presentations": 2, "questions": ["accept_reject"],
             "pictures": [{"show": "clean", "defense": "none"}]}  # fmt: skip
    conditions = {
        f"{method}_{defense}": {
            **plain,
            "pictures": [
                {"show": "clean", "defense": defense},
                {"show": "map", "defense": defense, "method": method},
            ],
        }
        for defense, method in shown
    }
    return Study(
        name="maps", title="Maps", experiment="maps", conditions={**conditions, "plain": plain},
        practice=0, catch=0, texts={
            "consent": "You will see pictures.", "instructions": "Look.", "debrief": "Thanks.",
            "feedback_right": "Yes.", "feedback_wrong": "No."},
        questions=[{"name": "accept_reject", "prompt": "Right?"}],
    )  # fmt: skip


def of_rule(results, rule, *shown):
    problems = look(asked(*shown), results.store).problems
    return [each for each in problems if each.rule == rule]


def test_a_passport_says_what_a_map_explains_and_whether_it_is_to_be_believed(results):
    facts = stimuli.saliency(results, "none", "clean", 4, "cam").passport["saliency"]
    assert facts["explains"] == {
        "in_words": "the logit of the model's answer minus that of the true label",
        "class": 4,
        "against": 5 % CLASSES,
    }
    assert facts["upsampling"] == {"rule": "bilinear", "from": [4, 4]}
    assert facts["fit"] == {"verdict": "fits", "codes": []}
    assert facts["marked"] is False
    facts = {
        index: stimuli.saliency(results, "none", "clean", index, "ig").passport["saliency"]
        for index in (4, 5)
    }
    assert facts[4]["baseline"] == "black"
    assert facts[4]["fit"] == {"verdict": "doubtful", "codes": ["incomplete"]}
    assert [facts[index]["marked"] for index in (4, 5)] == [False, True]
    other = stimuli.saliency(results, "none", "clean", 4, "ig", shown=5).passport["saliency"]
    assert (other["explains"]["class"], other["marked"]) == (5, True), "those of the map shown"


def test_a_method_that_is_refused_for_a_network_gives_no_stimulus_but_the_reason(results):
    with pytest.raises(AbsentError, match=r"Grad-CAM” of “Distillation”.*no ReLU modules"):
        stimuli.saliency(results, "distillation", "clean", 4, "cam")
    shown = asked(("none", "cam"), ("distillation", "cam"))
    ((label, sentence),) = absences(shown, results).items()
    assert label == "cam_distillation"
    assert "it has no ReLU modules to change; take another method or model" in sentence
    with pytest.raises(AbsentError, match="no ReLU modules"):
        design(shown, results)
    (problem,) = of_rule(results, "failed", ("distillation", "cam"))
    assert (problem.severity, problem.place) == ("error", "conditions.cam_distillation")


def test_marked_and_imported_maps_are_told_to_the_researcher(results):
    (problem,) = of_rule(results, "doubtful_maps", ("none", "ig"), ("none", "cam"))
    assert (problem.severity, problem.place) == ("warn", "conditions.ig_none")
    assert "do not add up to what they explain" in problem.message
    (problem,) = of_rule(results, "doubtful_maps", ("none", "ours"))
    assert "whether they fit was not examined (imported)" in problem.message


@pytest.mark.parametrize("null", ["edge", "noise", "random"])
def test_a_null_method_is_a_condition_and_the_placebo_of_the_others(results, null):
    without = of_rule(results, "explanations_without_placebo", ("none", "cam"))
    assert "no placebo map" in without[0].message
    assert "null method" in without[0].message
    shown = (("none", "cam"), ("none", null))
    assert of_rule(results, "explanations_without_placebo", *shown) == []
    drawn = design(asked(*shown), results)
    names = {each.passport["saliency"]["name"] for each in drawn.stimuli.values()
             if each.passport["kind"] == "map"}  # fmt: skip
    assert names == {"grad_cam", METHODS[null].name}
