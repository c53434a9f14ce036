"""Study and experiment files: every problem at once, each with its place."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from engine.errors import UsageError
from engine.experiments import experiment_file
from study_app import lint, study
from study_app.study import schema, wording


def edited(tmp_path, built_in, change):
    document = yaml.safe_load(built_in.read_text())
    change(document)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_the_built_in_study_is_the_one_that_is_described():
    loaded = study.load("demo")
    assert loaded.presentations(study.ALL) + loaded.practice + loaded.catch == 26
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
        "lists: unknown key; known: analysis, arms, breaks, catch, ",
        "conditions.clean: show: clean takes no attack",
        "questions.0: unknown question 'label'",
        "name: ",
        "texts.debrief: Field required",
    ):
        assert part in said


def refused(tmp_path, change, *parts):
    with pytest.raises(UsageError) as error:
        study.load(edited(tmp_path, study.BUILT_IN / "demo.yaml", change))
    for part in parts:
        assert part in str(error.value)
    return True


def test_what_holds_between_the_parts_is_told_with_its_place(tmp_path):
    def change(document):
        document["arms"] = {
            "one": {"title": "One", "conditions": ["none", "nothing"]},
            "two": {"title": "Two", "conditions": ["clean", "clean"]},
        }
        document["translations"]["en"] = {"title": "What?"}
        document["conditions"]["none"]["questions"] = ["pair_preference"]

    assert refused(
        tmp_path, change,
        "arms.one: unknown condition 'nothing'; known: adversarial_training, clean",
        "arms.two: a condition is there twice",
        "conditions.noise: no arm has it",
        "conditions.none: pair_preference takes 2 pictures, not 1",
        "translations.en: that is the study's own language",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        ({"show": "mistake", "defense": "none"}, "show: mistake needs both defense and attack"),
        ({"show": "map", "defense": "none"}, "show: map needs both defense and method"),
        ({"show": "map", "method": "input_gradient"}, "show: map needs both defense and method"),
        ({"show": "clean", "method": "input_gradient"}, "show: clean takes no method"),
        ({"show": "clean", "answer": "right"}, "show: clean takes no answer"),
        ({"show": "clean", "placebo": "edges"}, "show: clean takes no placebo"),
        ({"show": "placebo", "of": "tgsm"}, "show: placebo of tgsm needs a defense"),
        (
            {"show": "placebo", "placebo": "other_image"},
            "show: placebo needs both defense and method",
        ),
    ],
)
def test_a_picture_says_what_it_needs(tmp_path, picture, said):
    def change(document):
        document["conditions"]["clean"] = {
            "title": "Mine", "presentations": 2, "pictures": [picture]
        }  # fmt: skip

    assert refused(tmp_path, change, f"conditions.clean.pictures.0: {said}")


def test_forms_translations_and_rules_are_checked(tmp_path):
    item = {"name": "q", "kind": "choice", "prompt": "Well?",
            "options": [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]}  # fmt: skip

    def change(document):
        document["comprehension"] = {"items": [item]}
        document["screening"] = {"items": [item, item]}
        document["exclusions"].append({"rule": "unlucky"})
        document["translations"]["de"]["texts"]["consnet"] = "Ja"
        document["quota"] = {"participants": 0}
        document["provider"] = "turk"

    assert refused(
        tmp_path, change,
        "comprehension: q: a comprehension check needs `correct`",
        "screening: two items are called q",
        "exclusions.2: ",
        "catch_below", "too_fast", "incomplete", "hidden_too_long",
        "translations.de.texts: unknown text 'consnet' (did you mean 'consent'?); known: consent",
        "quota.participants: ",
        "provider: unknown provider 'turk'; known: direct",
    )  # fmt: skip


def test_the_stored_study_has_what_is_shown_and_asked():
    config = study.load("demo").to_json()
    assert [arm["label"] for arm in config["arms"]] == [study.ALL]
    assert config["provider"] == {"name": "direct"}
    assert config["screening"] is config["comprehension"] is config["quota"] is None
    assert [q["name"] for q in config["conditions"][0]["questions"]] == [
        "label_nafc", "target_plausible"
    ]  # fmt: skip
    german = wording(study.load("demo"), "de")
    assert german.say("Can't tell") == "Nicht zu erkennen"
    assert german.texts["consent"] != config["texts"]["consent"]
    assert german.texts["screened_out"] == config["texts"]["screened_out"]
    assert json.loads(json.dumps(config)) == config


@pytest.mark.parametrize("path", sorted(study.BUILT_IN.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_schema_takes_every_shipped_study(path):
    assert study.load(path.stem).name == path.stem
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(path.read_text()))), schema.study())


def test_the_schema_refuses_what_the_program_refuses():
    document = json.loads(json.dumps(yaml.safe_load((study.BUILT_IN / "demo.yaml").read_text())))
    document["questions"][0]["name"] = "label"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema.study())


def test_all_problems_of_an_experiment_are_told_at_once(tmp_path):
    def change(document):
        document["defenses"]["none"]["defense"] = "gradient_penalti"
        document["defenses"]["distillation"]["training"]["stepz"] = 1
        document["attacks"]["fgsm"]["attack"]["eps"] = 7
        document["optimiser"] = "sgd"

    with pytest.raises(UsageError) as error:
        experiment_file.load(edited(tmp_path, experiment_file.BUILT_IN / "demo.yaml", change))
    said = str(error.value)
    assert (
        "defenses.none.defense: unknown defense 'gradient_penalti' "
        "(did you mean 'gradient_penalty'?); known: "
        "adversarial_training, differential, distillation, gradient_penalty, none"
    ) in said
    assert "attacks.fgsm.attack: attack 'fgsm': eps 7: pixels lie in [0, 1]" in said
    assert "optimiser: unknown key" in said
    assert "stepz" in said


@pytest.mark.parametrize("load", [study.load, experiment_file.load])
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
        experiment_file.load("nope")


DOCUMENT = (Path(__file__).parents[3] / "docs/studies.md").read_text()


def test_the_example_in_the_documentation_is_a_whole_study():
    (example,) = re.findall(r"```yaml\n(.+?)```", DOCUMENT, re.DOTALL)
    written = yaml.safe_load(example)
    loaded = study.Study(**written)
    assert set(study.Study.model_fields) - set(written) == {"faithful", "repeats"}
    errors = [p for p in lint.problems(loaded, list("0123456789")) if p.severity == "error"]
    assert [p.place for p in errors] == ["translations.de.words"]  # it shows two of them only


def test_every_rule_and_every_shipped_study_is_documented():
    items = re.findall(r"^- (`[^:]+`):", DOCUMENT, re.MULTILINE)
    named = {name for item in items for name in re.findall(r"`([a-z0-9_-]+)`", item)}
    assert set(lint.RULES) <= named
    assert {path.stem for path in study.BUILT_IN.glob("*.yaml")} <= named


def test_a_presentation_has_at_most_eight_pictures(tmp_path):
    def change(document):
        pictures = [{"show": "clean"}] * 9
        document["conditions"]["clean"] = {
            "title": "Many", "presentations": 2, "pictures": pictures
        }  # fmt: skip

    assert refused(tmp_path, change, "conditions.clean.pictures: ")


def test_whose_target_is_asked_about_says_nothing_where_another_rule_decides(tmp_path):
    def change(document):
        document["conditions"]["clean"] |= {"shown": "true_label", "target_of": "pgd"}

    assert refused(tmp_path, change, "target_of says nothing with shown: true_label")
