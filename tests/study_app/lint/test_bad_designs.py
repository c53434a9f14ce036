"""Bad designs, each with a flaw that reviewers would name: the linter names it, by its rule."""

import copy

import pytest
import yaml

from study_app import lint, study
from study_app.design.study_design import Design
from study_app.lint.looking import look
from study_app.study import Study

BASE = yaml.safe_load((study.BUILT_IN / "demo.yaml").read_text()) | {
    "image_sets": 1,
    "translations": {},
    "analysis": {"primary": ["chose_target"], "participants": 100},
    "quota": {"participants": 100},
    "screening": {
        "items": [{"name": "age", "kind": "number", "prompt": "How old are you?", "low": 18}]
    },
}
BASE["texts"]["consent"] += "\nQuestions to us: study@example.org. Approved by the ethics board.\n"
CLEAN = {"title": "Clean", "show": "clean"}
NOISE = {"title": "Random noise", "show": "control", "defense": "none", "attack": "noise"}
MODELS = ("none", "gradient_penalty", "adversarial_training", "distillation")


def mistake(defense, attack="pgd", count=10):
    return {"title": f"{defense} {attack}", "show": "mistake", "defense": defense,
            "attack": attack, "presentations": count}  # fmt: skip


def arms(one, two):
    return {
        "one": {"title": "One", "conditions": one},
        "two": {"title": "Two", "conditions": two},
    }


def shown(count, **conditions):
    return {**conditions, "clean": {**CLEAN, "presentations": count},
            "noise": {**NOISE, "presentations": count}}  # fmt: skip


def each_condition(**changes):
    return {label: {**c, **changes} for label, c in BASE["conditions"].items()}


def asking(prompt):
    return [BASE["questions"][0], {"name": "target_plausible", "prompt": prompt}]


def texts(**changes):
    return {**BASE["texts"], **changes}


CATCH, PER_QUESTION = {"rule": "catch_below", "share": 0.75}, {"per": "question"}

BAD = {
    "arms that differ in defense and attack": (
        {"conditions": shown(5, a=mistake("none"), b=mistake("gradient_penalty", "tgsm")),
         "arms": arms(["a", "clean", "noise"], ["b", "clean", "noise"])},
        "warn", "confounded", "a; b differ in defense and attack at once",
    ),
    "an arm without the controls of the other": (
        {"conditions": shown(10, a=mistake("none"), b=mistake("gradient_penalty")),
         "arms": arms(["a", "b"], ["clean", "noise"])},
        "error", "clean_and_noise", "arm two shows them to other people",
    ),
    "a control that is asked about another label": (
        {"conditions": each_condition() | {
            label: {**BASE["conditions"][label], "shown": "true_label"}
            for label in ("clean", "noise")}},
        "warn", "same_labels", "clean, noise: asked about the true_label",
    ),
    "different questions in conditions that are compared": (
        {"conditions": each_condition() | {"none": {
            **BASE["conditions"]["none"], "questions": asking("Is {label} totally wrong?")}}},
        "warn", "same_questions", "none and gradient_penalty, adversarial_training",
    ),
    "hopeless power": (
        {"quota": {"participants": 10}},
        "warn", "precision", "10 people give the share of yes in none an interval of about ±20",
    ),
    "one condition much rarer than the other": (
        {"conditions": shown(1, a=mistake("none", count=40),
                             b=mistake("gradient_penalty", count=1))},
        "warn", "shown_as_often", "shown 1 times, a 40 times",
    ),
    "one catch trial and no slip forgiven": (
        {"catch": 1, "exclusions": [{"rule": "catch_below", "share": 1.0}]},
        "warn", "attention", "lose 10 % of honest people, who answer 5 % of the catch trials",
    ),
    "a rule that cannot see who always says yes": (
        {"exclusions": [CATCH]},
        "warn", "attention", "do not see who answers target_plausible always 'Yes': 100 % of them",
    ),
    "a rule below chance": (
        {"exclusions": [{"rule": "catch_below", "share": 0.3}]},
        "warn", "attention", "keep 44 % of people who click at random",
    ),
    "a rule that keeps everybody": (
        {"catch": 30, "exclusions": [{"rule": "catch_below", "share": 0.01}]},
        "error", "attention", "the attention rules keep everybody",
    ),
    "a rule that keeps nobody": (
        {"catch": 50, "exclusions": [{"rule": "catch_below", "share": 1.0}]},
        "error", "attention", "the attention rules keep nobody",
    ),
    "catch trials that no rule judges by": (
        {"exclusions": []},
        "warn", "attention", "4 catch presentations and no rule that judges by them",
    ),
    "a rule against haste that excludes everybody": (
        {"exclusions": [CATCH | PER_QUESTION, {"rule": "too_fast", "ms": 20_000}]},
        "error", "hasty_answers", "below 20000 ms keeps about nobody's answers",
    ),
    "a rule against haste that excludes the quick": (
        {"exclusions": [CATCH | PER_QUESTION, {"rule": "too_fast", "ms": 1500}]},
        "warn", "hasty_answers", "below 1500 ms also excludes who is quick",
    ),
    "a rule against haste longer than the time to answer": (
        {"questions": [q | {"response_window_ms": 800} for q in BASE["questions"]],
         "exclusions": [CATCH | PER_QUESTION, {"rule": "too_fast", "ms": 800}]},
        "error", "hasty_answers", "must be answered within 800 ms",
    ),
    "people left out because they stopped": (
        {"exclusions": [CATCH | PER_QUESTION, {"rule": "incomplete"}]},
        "warn", "incomplete_people", "who stops is not anybody",
    ),
    "a control of another size": (
        {"conditions": each_condition() | {
            label: {**BASE["conditions"][label], "attack": "tgsm"} for label in MODELS}},
        "warn", "equal_sizes", "no control is as large as",
    ),
    "a control of another size where no design can be drawn": (
        {"conditions": each_condition() | {
            label: {**BASE["conditions"][label], "attack": "fgsm"} for label in MODELS}},
        "warn", "equal_sizes", "no control is as large as",
    ),
    "a foil that is the true label": (
        {"impossible": {**BASE["impossible"], 3: [3, 0]}},
        "error", "foils", "class 3 is among its own impossible labels",
    ),
    "a leading prompt": (
        {"questions": asking("A clever computer labelled this {label}. You surely agree?")},
        "hint", "suggestive", "says 'clever': does it suggest an answer?",
    ),
    "instructions that betray the hypothesis": (
        {"texts": texts(instructions="We expect you to find the mistakes more sensible. Quick.")},
        "hint", "suggestive", "says 'We expect': does it tell people what you expect?",
    ),
    "neither practice nor a comprehension check": (
        {"practice": 0},
        "warn", "something_to_learn_from", "neither practice nor a comprehension check",
    ),
    "hundreds of trials without a break": (
        {"conditions": each_condition(presentations=50)},
        "warn", "duration", "none in about 36 minutes; set breaks.every",
    ),
    "a wrong number of pictures in the consent": (
        {"conditions": {label: {**c, "presentations": 2 * c["presentations"]}
                        for label, c in BASE["conditions"].items()}},
        "warn", "pictures_are_counted", "says 26 pictures; the plan has 46",
    ),
    "a masked model compared without a word": (
        {}, "warn", "doubted_models",
        "shows mistakes of the model distillation, which is in doubt († gradients likely masked)",
    ),
    "maps in which there is nothing": (
        {"conditions": each_condition() | {"map": {
            "title": "Map", "presentations": 2, "questions": ["accept_reject"],
            "pictures": [{"show": "clean", "defense": "distillation"},
                         {"show": "map", "defense": "distillation", "method": "input_gradient"}]}}},
        "warn", "lost_images", "60 of 60 maps are zero everywhere",
    ),
    "yes is always right": (
        {"conditions": each_condition(shown="true_label")},
        "warn", "foils", "every condition asks about the true label",
    ),
    "an attack that the experiment has not": (
        {"conditions": each_condition() | {"none": mistake("none", "pdg", 4)}},
        "error", "known_names", "attack 'pdg' is not in the experiment demo (did you mean 'pgd'?)",
    ),
    "a placeholder that nothing fills in": (
        {"texts": texts(feedback_wrong="Most people say {rigth}.")},
        "error", "placeholders", "{rigth} is no placeholder (did you mean '{right}'?)",
    ),
    "a text that nobody reads": (
        {"texts": texts(consent="Lorem ipsum dolor sit. " * 8000)},
        "warn", "long_texts", "has 184000 characters",
    ),
    "a picture from elsewhere": (
        {"texts": texts(instructions="![An example](https://example.org/x.png)")},
        "warn", "long_texts", "has a picture from elsewhere",
    ),
    "a consent without a contact": (
        {"texts": texts(consent="It takes three minutes.")},
        "hint", "consent_is_whole", "says nothing about whom to contact, an ethics approval, what",
    ),
}  # fmt: skip


DRAWN = ("equal_sizes", "lost_images")
"""These rules look at stimuli; drawing a design for all others would take long."""


@pytest.fixture(scope="module")
def seen(linted_store, results):
    def found(changes):
        return look(Study(**{**copy.deepcopy(BASE), **changes}), linted_store)

    return found


@pytest.mark.parametrize("flaw", BAD)
def test_the_flaw_is_named_by_its_rule(flaw, seen, results):
    changes, severity, rule, sentence = BAD[flaw]
    if rule in DRAWN:
        problems = seen(changes).problems
    else:
        bad = Study(**{**copy.deepcopy(BASE), **changes})
        problems = lint.problems(bad, list("0123456789"), results=results["demo"])
    said = [str(p) for p in problems if (p.rule, p.severity) == (rule, severity)]
    assert any(sentence in each for each in said), "\n".join(map(str, problems))


def test_nothing_else_is_wrong_with_the_design_that_they_are_made_of(seen):
    looked = seen({})
    assert [p.rule for p in looked.problems] == ["doubted_models"]
    assert looked.drawn is not None
    assert looked.unseen == ""


def test_times_that_are_impossible_are_refused_all_at_once():
    questions = [BASE["questions"][0] | {"response_window_ms": 150, "exposure_ms": 10}]
    with pytest.raises(ValueError, match=r"exposure_ms = 10: .*response_window_ms = 150: "):
        Study(**{**BASE, "questions": questions})


def test_an_arm_called_two_keeps_nothing_from_being_launched(seen):
    changes = {"conditions": shown(5, a=mistake("none"), b=mistake("gradient_penalty")),
               "arms": arms(["a", "clean", "noise"], ["b", "clean", "noise"])}  # fmt: skip
    assert seen(changes).count("error") == 0


def test_what_could_not_be_looked_at_is_said_with_what_there_is(seen):
    looked = seen({"experiment": "dmo"})
    (note,) = [p for p in looked.problems if p.rule == "experiment"]
    assert looked.unseen == (
        "experiment 'dmo' has not been run here (did you mean 'demo'?); finished: demo, protocols"
    )
    assert note.severity == "note"
    assert note.message.startswith(f"not checked: {looked.unseen}.")
    assert looked.drawn is None
    assert looked.attention, "the attention rules are judged all the same"


SHIPPED = sorted(path.stem for path in study.BUILT_IN.glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies_have_no_error_and_good_attention_rules(name, shipped_look):
    looked = shipped_look(name)
    assert [str(p) for p in looked.problems if p.severity in ("error", "note")] == []
    assert all(each.good for each in looked.attention)
    assert "attention" not in {p.rule for p in looked.problems}


def test_attrition_that_differs_between_models_is_told():
    attrition = {
        "none x pgd": {"attempted": 100, "usable": 90, "hit_by_all": 20},
        "tough x pgd": {"attempted": 100, "usable": 25, "hit_by_all": 20},
        "usable": {"none": 90},
    }
    subject = lint.rules.Subject(Study(**BASE), drawn=Design({}, {"attrition": attrition}))
    said = [finding.message for finding in lint.RULES["lost_images"](subject)]
    assert said[0].startswith("tough x pgd makes mistakes of 25 of 100 test images, none x pgd of ")
    assert said[1].startswith("20 of 100 test images are mistaken in every condition")
