"""The papers' own experiments, in small, on files in the true formats: from data to verdicts."""

from __future__ import annotations

import cifar10_files
import svhn_files
import yaml
from tiny_run import InThisProcess, Log

from engine.artifacts import ArtifactStore
from engine.experiments import experiment_file, plan
from engine.replication import nar2019, ross2018
from engine.results import Results

TRAINING = {"steps": 2, "batch_size": 16, "report_every": 2}


def small(name):
    """The experiment as shipped, with little to compute."""
    document = yaml.safe_load((experiment_file.BUILT_IN / f"{name}.yaml").read_text())
    document["training"] |= TRAINING
    for curve in document["curves"].values():
        curve["images"] = 10
    for smallest in document["minimum_norms"].values():
        smallest["images"] = 10
        smallest["attack"] |= {"steps": 2, "restarts": 2}
    for grid in document.get("grids", {}).values():
        grid["per_class"] = 1
        if "gamma" in grid["attack"]:
            grid["attack"]["gamma"] = 0.002
        if "steps" in grid["attack"]:
            grid["attack"]["steps"] = 2
    effort = {"steps": 2, "restarts": 1, "queries": 5, "strong": "fgsm"}
    document["doubt"] |= {"eps": [0.1, 1], "images": 10, **effort}
    for model in document["defenses"].values():
        for schedule in (model.get("training", {}), *model.get("required", {}).values()):
            schedule |= {key: 1 for key in ("steps", "keep_every") if key in schedule}
    return document


def run(document, store):
    made = plan.run(experiment_file.Experiment(**document), store, Log(), InThisProcess(store))
    return [Results(store, index) for index in made]


def test_ross2018_on_svhn_behind_its_preprocessing(tmp_path):
    for part, images in svhn_files.IMAGES.items():
        # Two test images a class: every attack of the paper on every model meets them all.
        count = 20 if part == "test" else len(images)
        svhn_files.write(tmp_path, part, images[:count], svhn_files.MARKS[:count])
    document = small("ross2018")
    svhn = document["datasets"]["svhn"]
    svhn["dataset"] = {
        "name": "svhn",
        "root": str(tmp_path),
        "train_size": 60,
        "valid_per_class": 2,
        "valid_per_class_extra": 1,
    }
    svhn["architecture"] |= {"channels": [2, 2], "hidden": 8}
    document["datasets"] = {"svhn": svhn}
    document["selection"]["clean_drop"] = 1  # nothing is learned in two steps
    for penalty in ("penalty_loss", "penalty_uniform"):
        document["defenses"][penalty]["defense"]["strength"]["log"][2] = 2
    document["training_time"]["images"] = 10
    (results,) = run(document, ArtifactStore(tmp_path / "artifacts"))
    assert results.name == "ross2018_svhn"
    chosen = results.selection("penalty_loss")["chosen"]
    assert chosen in (0.195, 195)
    (penalty, _) = results.model("both").recipe.config["defense"]["parts"]
    assert (penalty["strength"], penalty["space"]) == (chosen, "model_input")
    # An eps of .1 there is .1 standard deviations of the image here.
    examples = results.examples("none", "tgsm")
    assert 0 < examples.linf.max() < 10 * 0.1 * 0.5
    found = ross2018.checks([results])
    assert {check.seeds for check in found if check.value is not None} == {1}
    # After two steps no model may be left whose gradients count: nothing to compare with in 4a.
    assert {check.claim for check in found if check.value is None} <= {"4a"}
    assert "| no defense |" in ross2018.tables([results])


def test_nar2019_on_two_classes_of_cifar10(tmp_path):
    cifar10_files.write(tmp_path)
    document = small("nar2019")
    document["datasets"]["cifar10"]["dataset"] = {
        "name": "cifar10:airplane,horse",
        "root": str(tmp_path),
        "valid_size": 40,
    }
    document["architecture"] |= {"channels": [2, 2], "hidden": 8}
    for label, model in document["defenses"].items():
        if label.endswith("_norm"):
            model["architecture"] = {"name": "paper_cnn", "channels": [2, 2], "hidden": 8}
    for curve in document["curves"].values():
        if "steps" in curve["attack"]:
            curve["attack"]["steps"] = 2
    (results,) = run(document, ArtifactStore(tmp_path / "artifacts"))
    assert results.class_names == ["airplane", "horse"]
    found = nar2019.checks([results])
    assert {check.claim for check in found} == set("abcd")
    assert "effective rank" in nar2019.tables([results])
