"""Sizes that differ and labels that can be guessed are found where the stimuli can be looked at."""

import pytest

from study_app import lint, study
from study_app.design import sizes
from study_app.design.study_design import design
from study_app.study import Study

DEMO = study.load("demo")
SHIPPED = sorted(path.stem for path in study.BUILT_IN.glob("*.yaml"))
RULES = ("equal_sizes", "predictable_label")


def said(loaded: Study, results) -> list[lint.Problem]:
    found = results[loaded.experiment]
    problems = lint.problems(loaded, found.class_names, design(loaded, found))
    return [problem for problem in problems if problem.rule in RULES]


def attacked_by(attack: str, **changes) -> Study:
    """The demo with its mistakes by another attack."""
    conditions = {
        label: c.model_copy(update={"attack": attack} if c.show == "mistake" else {})
        for label, c in DEMO.conditions.items()
    }
    return DEMO.model_copy(update={"conditions": conditions, **changes})


@pytest.mark.parametrize("name", SHIPPED)
def test_of_the_shipped_studies_the_faithful_one_alone_is_warned(name, shipped_look):
    found = [problem for problem in shipped_look(name).problems if problem.rule in RULES]
    if name != "ross2018":
        assert found == []
        return
    # The synthetic JSMA differs in size and aims at the next class, as the paper's does.
    sizes_, label = found
    assert (sizes_.severity, label.severity) == ("warn", "warn")
    assert "the true one + 1 (mod 10) on 30 of 30 images" in label.message
    for problem in found:
        assert "A faithful replication keeps the paper's attack" in problem.message


def test_sizes_that_differ_are_named_and_so_is_a_control_of_another_size(results):
    between, control, label = said(attacked_by("tgsm"), results)
    assert between.rule == control.rule == "equal_sizes"
    pictures = {each.condition: each for each in shown(attacked_by("tgsm"), results)}
    medians = {k: each.l2.median for k, each in pictures.items() if each.kind == "adversarial"}
    ratio = max(medians.values()) / min(medians.values())
    assert ratio > 1.05
    assert f"by a factor of {ratio:.2f}" in between.message
    assert "no control is as large as" in control.message
    assert f"{pictures['noise'].l2.median:.2f} (noise)" in control.message
    assert label.rule == "predictable_label"
    assert label.message.startswith(
        "none, gradient_penalty, adversarial_training, distillation, clean: "
    )
    assert "faithful" not in "".join(problem.message for problem in (between, control, label))


def shown(loaded: Study, results) -> list[sizes.Shown]:
    drawn = design(loaded, results[loaded.experiment])
    passports = {key: each.passport for key, each in drawn.stimuli.items()}
    return sizes.shown(drawn.document, passports)


def test_a_clean_picture_asks_about_the_target_of_the_attack_that_it_names(results):
    conditions = {
        label: c.model_copy(update={"target_of": "tgsm"} if label == "clean" else {})
        for label, c in DEMO.conditions.items()
    }
    loaded = DEMO.model_copy(update={"conditions": conditions})
    (problem,) = said(loaded, results)
    assert problem.message.startswith("clean: the label asked about can be predicted")
    asked = sizes.asked(design(loaded, results["demo"]).document)
    assert all(asked == (true + 1) % 10 for true, asked in asked["clean"])
    assert not all(asked == (true + 1) % 10 for true, asked in asked["noise"])


def test_images_of_one_class_that_share_a_label_are_named_also_without_a_common_distance():
    aims = [0, 3, 7, 1, 2, 9, 4, 0, 5, 1]
    pairs = [(true, aims[true]) for true in range(1, 10) for _ in range(2)]
    assert lint.stimuli._told(pairs, 10) == "images of one class share it, 18 of 18"
    assert lint.stimuli._told(pairs[:8], 10) is None, "too few to tell"
    assert lint.stimuli._told([(0, 1), (1, 0)] * 20, 2) is None, "there is one other class only"
    assert lint.stimuli._told([(3, 3)] * 20, 10) is None, "the true label is a matter of `foils`"


def test_what_could_not_be_looked_at_is_a_note_and_keeps_nothing_from_being_launched():
    found = [p for p in lint.problems(DEMO, list("0123456789")) if p.rule in RULES]
    assert [p.rule for p in found] == list(RULES)
    assert all(p.severity == "note" and p.message.startswith("not checked") for p in found)


def test_the_pictures_of_a_condition_are_measured_each_image_once(results):
    pictures = {each.condition: each for each in shown(DEMO, results)}
    assert list(pictures) == list(DEMO.conditions)
    assert {each.images for each in pictures.values()} == {40}
    clean, noise = pictures["clean"], pictures["noise"]
    assert (clean.kind, clean.l2, clean.linf, clean.confidence) == ("clean", None, None, None)
    made = results["demo"].examples("gradient_penalty", "noise")
    assert made.l2.min() <= noise.l2.low <= noise.l2.median <= noise.l2.high <= made.l2.max()
    clean_line, noise_line = sizes.lines([clean, noise], {"clean": "Clean", "noise": "Noise"})
    assert clean_line == "Clean: 40 source images"
    assert noise_line.startswith("Noise: 40 source images, L2 ")
    assert "L-inf" in noise_line
    assert "model's confidence 0." in noise_line
