"""Experiment files: what differs where, and every mistake named with its place."""

from __future__ import annotations

import copy
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import Log

from engine import defenses, models
from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError, UsageError
from engine.experiments import experiment_file, plan
from engine.experiments.experiment_file import Experiment

SWEPT = {"name": "gradient_penalty", "strength": {"values": [0.1, 10]}}
FGSM = {"title": "FGSM", "attack": "fgsm"}
PLAIN = {
    "name": "tiny",
    "title": "Tiny",
    "dataset": "digits",
    "architecture": {"name": "small_cnn", "hidden": 8},
    "training": {"steps": 4, "lr": 0.01},
    "defenses": {"none": {"title": "No defense", "defense": "none"}},
    "attacks": {"fgsm": FGSM},
}
TWO = {
    "digits": {"title": "Digits", "dataset": "digits"},
    "pair": {"title": "Pair", "dataset": "digits:3,8"},
}


def document(**changes):
    merged = {**copy.deepcopy(PLAIN), **copy.deepcopy(changes)}
    return {key: value for key, value in merged.items() if value is not ...}


def model(defense, **more):
    return {"title": "A model", "defense": defense, **more}


def none_and(**more):
    return {**PLAIN["defenses"], **more}


def problems(tmp_path, **changes) -> list[str]:
    """Write the file, load it, and return the refusal's lines, without where each stands."""
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document(**changes), sort_keys=False))
    with pytest.raises(UsageError) as error:
        experiment_file.load(str(path))
    first, *lines = str(error.value).splitlines()
    count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
    assert first == f"mine.yaml has {count}:"
    return [re.sub(r" \(line \d+\)$", "", line.strip()) for line in lines]


BUILT_IN = [
    p.stem for p in experiment_file.BUILT_IN.glob("*.yaml") if "linear_theory" not in p.read_text()
]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_experiment_that_ships_loads_and_its_runs_are_told_apart(name):
    loaded = experiment_file.load(name)
    names = [run.name for run in loaded.runs(3)]
    assert len(names) == len(set(names)) == 3 * max(1, len(loaded.datasets))
    assert names[0].startswith(loaded.name)
    for run in loaded.runs():
        for label in loaded.defenses:
            run.schedule(label)
            run.architecture(label).check()


def test_one_dataset_is_one_run_with_the_experiments_own_name():
    first, second = Experiment(**document(seed=5)).runs(2)
    assert (first.name, first.title, first.label, first.seed) == ("tiny", "Tiny", "", 5)
    assert (second.name, second.title, second.seed) == ("tiny_seed6", "Tiny, seed 6", 6)


def test_several_datasets_are_several_runs():
    runs = Experiment(**document(dataset=..., datasets=TWO)).runs(2)
    assert [run.name for run in runs] == [
        "tiny_digits",
        "tiny_pair",
        "tiny_digits_seed1",
        "tiny_pair_seed1",
    ]
    assert [run.title for run in runs][2:] == ["Digits, seed 1: Tiny", "Pair, seed 1: Tiny"]
    assert runs[1].spec.dataset.config()["name"] == "digits:3,8"


@given(
    st.lists(
        st.from_regex(r"[a-z][a-z0-9_]{0,6}(_seed[0-9]{1,2})?", fullmatch=True),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    st.integers(0, 3),
)
def test_names_of_runs_are_unique_whatever_the_labels(labels, seed):
    changed = document(seed=seed, dataset=..., datasets=dict.fromkeys(labels, TWO["digits"]))
    if any(re.search(r"_seed\d+$", label) for label in labels):
        with pytest.raises(ValueError, match="choose another"):
            Experiment(**changed)
        return
    names = [run.name for run in Experiment(**changed).runs(12)]
    assert len(set(names)) == len(names)


def test_the_nearest_training_and_architecture_count():
    loaded = Experiment(
        **document(
            dataset=...,
            datasets={
                "digits": TWO["digits"],
                "pair": {
                    **TWO["pair"],
                    "architecture": {"name": "small_cnn", "hidden": 16},
                    "training": {"steps": 5, "batch_size": 7},
                },
            },
            defenses=none_and(
                student=model(
                    "distillation",
                    architecture={"name": "small_cnn", "hidden": 32},
                    training={"batch_size": 9, "keep_every": None},
                    required={"teacher": {"lr": 0.5}},
                )
            ),
            training={"steps": 4, "lr": 0.01, "keep_every": 2},
        )
    )
    digits, pair = loaded.runs()

    def schedule(run, *which):
        made = run.schedule(*which)
        return made.steps, made.lr, made.batch_size, made.keep_every

    assert schedule(digits, "none") == (4, 0.01, 128, 2)
    assert schedule(pair, "none") == (5, 0.01, 7, 2)
    assert schedule(pair, "student") == (5, 0.01, 9, None)
    assert schedule(pair, "student", "teacher") == (5, 0.5, 9, None)
    assert schedule(digits, "student", "teacher") == (4, 0.5, 9, None)
    widths = [run.architecture(d).hidden for run in (digits, pair) for d in ("none", "student")]
    assert widths == [8, 32, 16, 32]


@pytest.mark.parametrize(
    "defense",
    ["none", SWEPT, {"name": "gradient_penalty", "strength": {"chosen": "swept"}}],
    ids=["plain", "swept", "derived"],
)
def test_unknown_roles_are_refused(tmp_path, defense):
    tuned = model(defense, required={"teacher": {"steps": 2}})
    (said,) = problems(tmp_path, defenses=none_and(swept=model(SWEPT), tuned=tuned))
    assert said == "defenses.tuned: required: the defense has no role 'teacher'; it has: none"


def test_roles_of_a_swept_defense_are_known():
    temperature = {"name": "distillation", "temperature": {"values": [5, 50]}}
    swept = model(temperature, required={"teacher": {"steps": 2}})
    loaded = Experiment(**document(defenses=none_and(swept=swept)))
    assert loaded.runs()[0].schedule("swept", "teacher").steps == 2


def test_all_cross_references_are_checked_in_one_pass(tmp_path):
    said = problems(
        tmp_path,
        datasets=TWO,
        defenses={
            "plain": model("none"),
            "swept": model(SWEPT),
            "lost": model({"name": "gradient_penalty", "strength": {"chosen": "plain"}}),
            "refused": model({"name": "adversarial_training", "eps": {"chosen": "swept"}}),
        },
        selection={"reference": "nobody"},
    )
    assert said == [
        "dataset: give either dataset or datasets, not both",
        "defenses.lost: 'plain' is no defense with a sweep; those are: swept",
        "defenses.refused: defense 'adversarial_training': eps 10: pixels lie in [0, 1]; 10 of "
        "255 levels is 10/255",
        "selection.reference: 'nobody' is no defense without a sweep; those are: plain",
    ]


def test_neither_dataset_nor_datasets_is_refused(tmp_path):
    wanted = ["dataset: give either dataset or datasets, not neither"]
    assert problems(tmp_path, dataset=...) == wanted
    assert problems(tmp_path, dataset=..., datasets={}) == wanted
    assert problems(tmp_path, dataset=None) == wanted


@pytest.mark.parametrize("reference", ["swept", "derived"])
def test_the_reference_is_a_defense_of_its_own(tmp_path, reference):
    derived = model({"name": "gradient_penalty", "strength": {"chosen": "swept"}})
    (said,) = problems(
        tmp_path,
        defenses=none_and(swept=model(SWEPT), derived=derived),
        selection={"reference": reference},
    )
    assert said.startswith(f"selection.reference: '{reference}' is no defense without a sweep")
    assert said.endswith("those are: none")


def test_without_a_sweep_no_reference_is_needed():
    Experiment(**document(defenses={"other": model("none")}))


@pytest.mark.parametrize(
    ("eps", "place"),
    [([], "selection.eps"), ([0.1, 2], "selection: eps.1 2: pixels"), ([-1], "eps.0")],
)
def test_selection_takes_strengths_that_fgsm_takes(tmp_path, eps, place):
    (said,) = problems(tmp_path, selection={"eps": eps})
    assert place in said


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({}, "over: takes one parameter"),
        ({"eps": []}, "over: takes one parameter"),
        ({"eps": [0.1], "step": [1]}, "over: takes one parameter"),
        ({"eps": [0.1, 2]}, "over: attack 'fgsm': eps 2: pixels lie in [0, 1]"),
        ({"epsilon": [0.1]}, "unknown parameter 'epsilon'"),
        ({"name": [0.1]}, "over: an attack is a name"),
        ({"eps": 0.1}, "over.eps: Input should be a valid list"),
        ({"eps": ["x"]}, "over.eps.0: "),
        ([0.1], "over: Input should be a valid dictionary"),
        (None, "over: Input should be a valid dictionary"),
    ],
    ids=str,
)
def test_what_a_curve_goes_over_is_checked(tmp_path, over, said):
    curves = {"fgsm": {**FGSM, "over": over}}
    (line,) = problems(tmp_path, curves=curves)
    assert line.startswith("curves.fgsm.over")
    assert said in line


def test_training_time_needs_kept_weights(tmp_path):
    time = {"title": "Time", "attack": "fgsm"}
    (said,) = problems(tmp_path, training_time=time)
    assert said.startswith("training_time: no model has keep_every")
    (said,) = problems(tmp_path, training_time=time, training={"steps": 4, "keep_every": 5})
    assert said.startswith("defenses.none: keep_every 5 is more than its 4 steps")
    Experiment(**document(training_time=time, training={"steps": 4, "keep_every": 4}))


WRONG = [5, [], None, {}, True, {"name": None}, {"name": ["x"]}, {1: 2}, {"name": "nonsense"}]


@pytest.mark.parametrize("value", WRONG, ids=str)
def test_wrong_typed_members_are_all_named_in_one_pass(tmp_path, value):
    said = problems(
        tmp_path,
        dataset=...,
        datasets={"one": {"title": "One", "dataset": value, "architecture": {"name": 3}}},
        architecture=value,
        defenses={"none": model(value)},
        attacks={"fgsm": {"title": "FGSM", "attack": value}},
        curves={"fgsm": {"title": "FGSM", "attack": value, "over": {"eps": [0.1]}}},
        training_time={"title": "Time", "attack": value},
        saliency={"gradient": {"title": "Gradient", "method": value}},
    )
    places = [line.split(":")[0] for line in said]
    assert places == [
        "datasets.one.dataset",
        "datasets.one.architecture",
        "architecture",
        "defenses.none.defense",
        "attacks.fgsm.attack",
        "curves.fgsm.attack",
        "training_time.attack",
        "saliency.gradient.method",
    ]
    assert all("known: " in line or "nothing" in line for line in said)


@pytest.mark.parametrize("parameter", [1, "self", "nonsense"])
def test_unknown_parameters_of_whatever_type_are_refused(tmp_path, parameter):
    (said,) = problems(
        tmp_path, attacks={"a": {"title": "A", "attack": {"name": "fgsm", parameter: 1}}}
    )
    assert said.startswith(f"attacks.a.attack: attack 'fgsm': unknown parameter {parameter!r}")


@pytest.mark.parametrize(
    ("part", "value", "place"),
    [
        ("training", 5, "training"),
        ("training", None, "training"),
        ("training", {"steps": 0}, "training.steps"),
        ("training", {"steps": None}, "training.steps"),
        ("training", {"stepz": 5}, "training.stepz"),
        ("defenses", {}, "defenses"),
        ("defenses", [], "defenses"),
        ("defenses", {"None": model("none")}, "defenses.None.[key]"),
        ("defenses", {1: model("none")}, "defenses.1.[key]"),
        ("attacks", {"clean": FGSM}, "attacks.clean.[key]"),
        ("datasets", {"x_seed1": TWO["pair"]}, "datasets.x_seed1.[key]"),
        ("defenses", {"none": None}, "defenses.none"),
        ("seed", -1, "seed"),
        ("name", "My Study", "name"),
        ("selection", None, "selection"),
        ("nonsense", 1, "nonsense"),
    ],
)
def test_wrong_parts_are_named(tmp_path, part, value, place):
    said = problems(tmp_path, **{part: value})
    assert said[0].startswith(f"{place}: ")


def test_numbers_in_scientific_notation_are_numbers(tmp_path):
    text = yaml.safe_dump(document()) + "selection: {clean_drop: 5e-2, eps: [1e-1, 1.E-1]}\n"
    text = text.replace("lr: 0.01", "lr: 1e-3").replace(
        "defense: none", "defense: {name: gradient_penalty, strength: {values: [1e-3, 1E+2]}}"
    )
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("  none:", "  none: {title: Plain, defense: none}\n  swept:"))
    loaded = experiment_file.load(str(path))
    assert loaded.training.lr == 1e-3
    assert loaded.selection.clean_drop == 0.05
    assert loaded.defenses["swept"].defense.values == (1e-3, 100.0)


def test_a_pretrained_network_takes_no_other_defense(tmp_path):
    given = {
        "name": "external",
        "module": "torch.nn:Flatten",
        "weights_sha256": "0" * 64,
    }
    said = problems(
        tmp_path,
        defenses={
            "mine": model("none", architecture=given),
            "warm": model({"name": "none", "temperature": 2}, architecture=given),
            "swept": model(SWEPT, architecture=given),
            "none": model("none"),
        },
    )
    assert len(said) == 5
    assert sum("no weights; give the path" in line for line in said) == 3
    wrong = [line.split(":")[0] for line in said if "its defense must be none" in line]
    assert wrong == ["defenses.warm", "defenses.swept"]


def test_a_models_architecture_is_its_own_component():
    loaded = Experiment(**document(defenses={"a": model("none", architecture="paper_cnn")}))
    assert loaded.runs()[0].architecture("a") == models.create("paper_cnn")
    assert loaded.defenses["a"].defense == defenses.create("none")


def test_a_key_that_is_there_twice_is_refused_with_its_line(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("name: a\ndefenses:\n  none: {title: x}\n  none: {title: y}\n")
    with pytest.raises(UsageError, match=r"twice\.yaml .*line 4: the key 'none' is there twice"):
        experiment_file.load(str(path))
    path.write_text("a: &a {b: 1}\nname: {<<: *a, b: 2}\n? [1, 2]\n: 3\n")
    with pytest.raises(UsageError, match=r"must hold a mapping|unknown key|not YAML"):
        experiment_file.load(str(path))


def test_an_experiment_on_some_of_its_datasets_has_the_same_runs_there():
    whole = experiment_file.load("ross2018")
    some = whole.on(["svhn", "mnist"])
    assert list(some.datasets) == ["mnist", "svhn"]
    named = {
        run.name: (run.title, run.schedule("both"), run.architecture("both"))
        for run in whole.runs(2)
    }
    for run in some.runs(2):
        assert named[run.name] == (run.title, run.schedule("both"), run.architecture("both"))
    with pytest.raises(UsageError, match=r"no dataset 'cifar'; it has: mnist, notmnist, svhn"):
        whole.on(["mnist", "cifar"])
    with pytest.raises(UsageError, match="one dataset, which has no label; leave --dataset out"):
        experiment_file.load("demo").on(["digits"])


def test_every_dataset_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAUSIBLY_DATASETS", str(tmp_path))
    several = {
        "name": "several",
        "title": "Several",
        "datasets": {
            label: {"title": label, "dataset": name}
            for label, name in (("one", "mnist"), ("two", "digits"), ("three", "svhn"))
        },
        "architecture": "small_cnn",
        "defenses": {"none": {"title": "None", "defense": "none"}},
    }
    with pytest.raises(
        PlausiblyError, match=r"(?s)^2 of 3 datasets.*one: mnist: .*three: svhn: "
    ) as caught:
        plan.run(Experiment(**several), ArtifactStore(tmp_path), Log())
    assert str(caught.value).endswith("What is there can be run alone: --dataset two")
