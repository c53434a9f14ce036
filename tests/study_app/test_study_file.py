"""Study and experiment files: every problem at once, each with its place."""

import pytest
import yaml

from engine import config
from engine.errors import UsageError
from study_app import study


def edited(tmp_path, built_in, change):
    document = yaml.safe_load(built_in.read_text())
    change(document)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_the_built_in_study_is_the_one_that_is_described():
    loaded = study.load("demo")
    assert loaded.main_presentations + loaded.practice + loaded.catch == 26
    assert f"{26} small pictures" in loaded.texts.consent
    for label, foils in loaded.impossible.items():
        assert label not in foils


def test_all_problems_of_a_study_are_told_at_once(tmp_path):
    def change(document):
        document["lists"] = 3
        document["conditions"]["clean"]["attack"] = "tgsm"
        document["questions"][0]["name"] = "label"
        document["name"] = "My Study"
        document["texts"].pop("debrief")

    with pytest.raises(UsageError) as error:
        study.load(edited(tmp_path, study.BUILT_IN / "demo.yaml", change))
    said = str(error.value)
    assert said.startswith("mine.yaml has 5 problems:")
    for part in (
        "lists: unknown key",
        "conditions.clean: show: clean needs no defense and attack",
        "questions.0: unknown question 'label'; known: label_nafc, target_plausible",
        "name: ",
        "texts.debrief: Field required",
    ):
        assert part in said


def test_all_problems_of_an_experiment_are_told_at_once(tmp_path):
    def change(document):
        document["defenses"]["none"]["defense"] = "gradient_penalti"
        document["defenses"]["distillation"]["training"]["stepz"] = 1
        document["attacks"]["fgsm"]["attack"]["eps"] = 7
        document["optimiser"] = "sgd"

    with pytest.raises(UsageError) as error:
        config.load(edited(tmp_path, config.BUILT_IN / "demo.yaml", change))
    said = str(error.value)
    assert (
        "defenses.none.defense: unknown defense 'gradient_penalti'; known: "
        "adversarial_training, differential, distillation, gradient_penalty, none"
    ) in said
    assert "attacks.fgsm.attack: attack 'fgsm': eps = 7" in said
    assert "optimiser: unknown key" in said
    assert "stepz" in said


@pytest.mark.parametrize("load", [study.load, config.load])
@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a: [", "is not YAML"), (b"- 1", "must hold a mapping"), (b"\xff\xfe", "cannot read"),
     (b"1: 2", "must hold a mapping"), (b"", "must hold a mapping")],
)  # fmt: skip
def test_what_is_no_document_is_said_in_one_sentence(load, content, said, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as error:
        load(str(path))
    assert "\n" not in str(error.value)


def test_unknown_names_come_with_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown study 'nope'.*demo"):
        study.load("nope")
    with pytest.raises(UsageError, match=r"unknown experiment 'nope'.*demo"):
        config.load("nope")
