"""The JSON schema of experiment files agrees with what loading them says."""

from __future__ import annotations

import copy
import json

import jsonschema
import pytest

from engine import datasets
from engine.components import yaml_files
from engine.experiments import experiment_file, schema
from engine.experiments.experiment_file import Experiment

VALIDATOR = jsonschema.Draft202012Validator(schema.experiment())
FGSM = {"title": "FGSM", "attack": "fgsm"}
PLAIN = {
    "name": "tiny",
    "title": "Tiny",
    "dataset": "digits",
    "architecture": "small_cnn",
    "defenses": {"none": {"title": "No defense", "defense": "none"}},
    "attacks": {"fgsm": FGSM},
}
EXTERNAL = {"name": "external", "module": "torch.nn:Flatten"}


def edited(place: str, value):
    """Return `PLAIN` with the value at a dotted place."""
    document = copy.deepcopy(PLAIN)
    part = document
    *parents, last = place.split(".")
    for key in parents:
        part = part.setdefault(key, {})
    part[last] = value
    return document


def loads(document) -> bool:
    try:
        Experiment(**copy.deepcopy(document))
    except ValueError:
        return False
    return True


def test_it_is_a_valid_schema_and_json():
    jsonschema.Draft202012Validator.check_schema(schema.experiment())
    text = json.dumps(schema.experiment())
    assert json.loads(text) == schema.experiment()
    assert '"member"' not in text
    defined = schema.experiment()["$defs"].keys()
    used = {ref.split('"')[0] for ref in text.split('"#/$defs/')[1:]}
    assert used <= defined


@pytest.mark.parametrize(
    "path", sorted(experiment_file.BUILT_IN.glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_experiment_that_ships_is_valid(path):
    document, _ = yaml_files.read(str(path), "experiment", experiment_file.BUILT_IN)
    VALIDATOR.validate(document)
    assert not VALIDATOR.is_valid({**document, "nonsense": 1})
    assert not VALIDATOR.is_valid({**document, "title": 5})


SWEPT = {"name": "gradient_penalty", "strength": {"log": [0.195, 195, 13]}}
BOTH = [{"name": "gradient_penalty", "strength": 1}, "adversarial_training"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("dataset", {"name": "digits"}),
        ("dataset", "digits:3,8"),
        ("dataset", "cifar10: airplane, horse"),
        ("dataset", {"name": "folder", "root": "x", "size": [8, 9]}),
        ("dataset", {"name": "folder:cat,dog", "root": "x"}),
        ("architecture", {"name": "small_cnn", "channels": [2, 3], "preprocessing": ["grey"]}),
        ("architecture", {"name": "small_cnn", "input_layers": [{"name": "shift", "by": -0.5}]}),
        ("architecture", EXTERNAL),
        ("architecture", {**EXTERNAL, "cam": {"layer": "b.1", "reshape": "tokens", "skip": 1}}),
        ("training", {"steps": 3, "keep_every": None}),
        ("defenses.none.defense", BOTH),
        ("defenses.other", {"title": "S", "defense": SWEPT, "required": {}}),
        (
            "defenses.other",
            {"title": "S", "defense": {"name": "distillation", "temperature": {"values": [5]}}},
        ),
        ("defenses.none.required", {}),
        ("attacks.fgsm.attack", {"name": "pgd", "step_size": None}),
        ("attacks.fgsm.attack", {"name": "random_sign", "like": {"name": "fgsm", "eps": 0.1}}),
        ("curves.all", {**FGSM, "over": {"eps": [0, 0.1]}, "images": None}),
        ("training_time", None),
        ("saliency.gradient", {"title": "Gradient", "method": "input_gradient"}),
        (
            "saliency.noise",
            {"title": "N", "method": {"name": "same_spectrum", "of": {"name": "rise"}}},
        ),
        ("selection", {"eps": [0.1]}),
    ],
    ids=str,
)
def test_what_loads_is_valid(place, value):
    document = edited(place, value)
    assert loads(document)
    VALIDATOR.validate(document)


def test_a_chosen_value_is_valid():
    chosen = {"name": "gradient_penalty", "strength": {"chosen": "swept"}}
    document = edited("defenses.swept", {"title": "S", "defense": SWEPT})
    document["defenses"]["both"] = {"title": "B", "defense": [chosen, "adversarial_training"]}
    assert loads(document)
    VALIDATOR.validate(document)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("nonsense", 1),
        ("dataset", 5),
        ("dataset", []),
        ("dataset", {}),
        ("dataset", "digitz"),
        ("dataset", "digits:3"),
        ("dataset", "digits:3,8,9"),
        ("dataset", "digits:3, "),
        ("dataset", "digitz:3,8"),
        ("dataset", {"name": "digits", "root": "x"}),
        ("dataset", {"name": "folder", "size": [8]}),
        ("datasets", {"one": {"title": "One", "dataset": "digits"}}),
        ("architecture", "external"),
        ("architecture", {"name": "small_cnn", "channels": [2]}),
        ("architecture", {"name": "small_cnn", "preprocessing": ["gray"]}),
        ("architecture", {"name": "small_cnn", "preprocessing": "grey"}),
        ("architecture", {**EXTERNAL, "nonsense": 1}),
        ("architecture", {**EXTERNAL, "cam": "b.1"}),
        ("architecture", {**EXTERNAL, "cam": {"layer": "b.1", "nonsense": 1}}),
        ("training", {"stepz": 3}),
        ("training", {"steps": 2.5}),
        ("training", None),
        ("defenses", {}),
        ("defenses.None", {"title": "N", "defense": "none"}),
        ("defenses.none.defence", "none"),
        ("defenses.none.defense", "magic"),
        ("defenses.none.defense", []),
        ("defenses.none.defense", None),
        ("defenses.none.defense", {"name": "gradient_penalty", "lambda": 1}),
        ("defenses.none.defense", {"name": "gradient_penalty", "strength": -1}),
        ("defenses.none.defense", {"name": "gradient_penalty", "strength": {"log": [1, 2]}}),
        ("defenses.none.defense", {"name": "gradient_penalty", "strength": {"log": [0, 2, 3]}}),
        ("defenses.none.defense", {"name": "gradient_penalty", "strength": {"values": []}}),
        ("defenses.none.defense", {"name": "gradient_penalty", "strength": {"values": [1, 1]}}),
        ("defenses.none.defense", {"name": "gradient_penalty", "strength": {"chosen": 3}}),
        ("defenses.none.defense", {"name": "gradient_penalty", "target": {"values": [1]}}),
        ("attacks.fgsm.attack", {"name": "fgsm", "eps": 2}),
        ("attacks.fgsm.attack", {"name": "fgsm", "eps": {"values": [0.1]}}),
        ("attacks.fgsm.attack", {"name": "random_sign", "like": "fgsm"}),
        ("attacks.fgsm.attack", {"name": "random_sign", "like": {"name": "magic"}}),
        ("curves.all", {**FGSM, "over": {}}),
        ("curves.all", {**FGSM, "over": {"eps": 0.1}}),
        ("curves.all", {**FGSM, "over": {"eps": [0.1], "steps": [1]}}),
        ("saliency.gradient", {"title": "G", "method": "magic"}),
        ("selection", {"eps": []}),
        ("selection", {"eps": [2]}),
        ("training_time", {"title": "T"}),
    ],
    ids=str,
)
def test_what_does_not_load_is_not_valid(place, value):
    document = edited(place, value)
    assert not loads(document)
    assert not VALIDATOR.is_valid(document)


def test_a_name_alone_is_enough_where_nothing_is_required():
    for name in datasets.registry.names():
        assert VALIDATOR.is_valid(edited("dataset", name)) == loads(edited("dataset", name))


def test_the_linear_theory_is_the_other_kind():
    VALIDATOR.validate({"kind": "linear_theory", "title": "Quick", "steps": 50})
    for wrong in (
        {"kind": "linear_theory"},
        {"kind": "linear_theory", "title": "Quick", "stepz": 50},
        {"kind": "other", "title": "Quick"},
        {**PLAIN, "kind": "linear_theory"},
    ):
        assert not VALIDATOR.is_valid(wrong)
