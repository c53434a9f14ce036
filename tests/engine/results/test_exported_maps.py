"""Maps as files for other programs, with all that is needed to defend them."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from measured_maps import FEW, NAMES, measured
from synthetic import CLASSES, DATA_SHA256, IMAGES, Method, experiment
from typer.testing import CliRunner

from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError, UsageError
from engine.rendering import to_images
from engine.results import exported_maps
from engine.saliency import Fit, Reason
from study_app.cli import plausibly as cli

REFUSED = Fit((Reason("no_relu_modules", "it has no ReLU modules to change"),))
DEFENSES = {"none": "No defense", "distillation": "Distillation"}
ATTACKS = {"fgsm": "FGSM"}
METHODS = {
    "cam": Method(fits={"distillation": REFUSED}, against=True),
    "ig": Method("Integrated gradients", native=(1, 8, 8), off={"none": 0.2}),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("home") / "artifacts")
    return experiment(store, "taken", DEFENSES, ATTACKS, some={"fgsm": 20}, methods=METHODS)


@pytest.fixture(scope="module")
def exported(results, tmp_path_factory):
    return exported_maps.export([results], tmp_path_factory.mktemp("out") / "maps")


@pytest.fixture(scope="module")
def listed(exported):
    (run,) = json.loads((exported.folder / "maps.json").read_text())["runs"]
    return run


def entry(listed, model, method, image):
    (found,) = (
        each
        for each in listed["maps"]
        if (each["model"], each["method"]["label"], each["image"]) == (model, method, image)
    )
    return found


def test_pictures_maps_and_classes_are_those_of_the_run(results, exported, listed):
    said = entry(listed, "none", "cam", "fgsm")
    with np.load(exported.folder / said["file"], allow_pickle=False) as held:
        arrays = dict(held)
    made, maps = results.examples("none", "fgsm"), results.maps("none", "cam")
    rows = made.indices
    assert arrays["index"].tolist() == rows.tolist()
    assert len(rows) == 20
    assert arrays["x_batch"].dtype == arrays["a_batch"].dtype == np.float32
    assert np.array_equal(arrays["x_batch"], to_images(made.pixels))
    assert np.array_equal(arrays["a_batch"], maps.all("fgsm"))
    assert arrays["native"].shape == (20, 1, 4, 4)
    assert np.array_equal(arrays["native"][7], maps.native("fgsm", int(rows[7])))
    assert arrays["y_batch"].dtype == np.int64
    assert np.array_equal(arrays["y_batch"], maps.facts("fgsm")["class"])
    assert np.array_equal(arrays["against"], (arrays["y_batch"] + 1) % CLASSES)
    assert np.array_equal(arrays["true_label"], results.source.labels[rows])
    assert np.array_equal(arrays["predicted"], made.label)
    assert arrays["image_id"].tolist() == [results.source.image_ids[i] for i in rows]


def test_maps_that_explain_no_class_come_with_the_true_labels_and_say_so(exported, listed):
    said = entry(listed, "none", "input_gradient", "clean")
    with np.load(exported.folder / said["file"]) as held:
        assert np.array_equal(held["y_batch"], held["true_label"])
        assert set(held["class"].tolist()) == {-1}
        assert "native" not in held.files
    assert said["explains"]["a_class"] is False


def test_all_that_is_needed_to_defend_a_map_is_said(results, exported, listed):
    assert (listed["data_sha256"], listed["seed"]) == (DATA_SHA256, 0)
    assert listed["key"] == results.index.key
    model = results.model("none")
    assert listed["models"]["none"]["key"] == model.key
    assert listed["models"]["none"]["weights_sha256"] == model.sha256("weights.safetensors")
    said = entry(listed, "none", "ig", "clean")
    content = (exported.folder / said["file"]).read_bytes()
    assert said["sha256"] == hashlib.sha256(content).hexdigest()
    assert said["method"]["params"] == {"layer": "last"}
    assert (said["baseline"], said["upsampling"]) == ("black", "none")
    assert said["explains"]["rule"] == "predicted"
    assert said["explains"]["in_words"] == "the logit of the model's answer"
    assert said["fit"]["verdict"] == "doubtful"
    assert [reason["code"] for reason in said["fit"]["reasons"]] == ["incomplete"]
    assert said["delta"] == {"median": pytest.approx(0.105), "largest": 0.2, "marked": 30}
    assert entry(listed, "none", "cam", "clean")["native_shape"] == [IMAGES, 1, 4, 4]


def test_what_was_measured_of_maps_goes_with_them(results, tmp_path):
    run = measured(results, "ig", "none", failed="distillation")
    exported_maps.export([run], tmp_path / "maps")
    (told,) = json.loads((tmp_path / "maps" / "maps.json").read_text())["runs"]
    said = entry(told, "none", "ig", "fgsm")
    assert list(said["metrics"]) == list(NAMES)
    known = said["metrics"]["infidelity"]
    assert (known["sign"], known["direction"]) == ("signed", "lower")
    assert (known["mean"], known["n"]) == (pytest.approx(0.2), FEW // 2)
    assert known["nulls"]["edges"] == {"mean": pytest.approx(0.9), "n": FEW // 2}
    none = {"mean": None, "n": 0}
    known = entry(told, "none", "ig", "clean")["metrics"]["agreement"]
    assert known["nulls"] == {"edges": none, "random": none}
    with np.load(tmp_path / "maps" / said["file"]) as held:
        smooth, there = held["metric_smoothness"], np.isfinite(held["metric_smoothness"])
        assert np.array_equal(held["index"][there], run.map_metrics("none", "ig").indices("fgsm"))
        assert np.array_equal(smooth[there], held["index"][there] / 100)
        assert len(smooth) == len(held["x_batch"]) > FEW
        assert np.isfinite(held["metric_infidelity"]).sum() == FEW // 2
    assert entry(told, "none", "cam", "fgsm")["metrics"] is None
    failed = entry(told, "distillation", "ig", "clean")
    assert (failed["metrics"], failed["metrics_failed"]) == (None, "OutOfMemory: /home/lab")


def test_a_refused_method_has_no_file_and_a_reason(exported, listed):
    (absent,) = listed["absent"]
    assert (absent["model"], absent["method"]) == ("distillation", "cam")
    assert "no ReLU modules" in absent["says"]
    assert exported.absent == (absent["says"],)
    held = {each["file"] for each in listed["maps"]}
    assert len(held) == exported.files == 2 * (3 * 2 - 1)
    assert not any("distillation/cam" in file for file in held)


def test_nothing_is_replaced_unless_that_is_said_and_nothing_else_ever(results, tmp_path):
    out = tmp_path / "maps"
    few = experiment(ArtifactStore(tmp_path / "a"), "few", {"none": "None"}, {})
    exported_maps.export([few], out)
    with pytest.raises(UsageError, match="--replace replaces it"):
        exported_maps.export([few], out)
    (out / "few" / "gone").touch()
    exported_maps.export([few], out, replace=True)
    assert not (out / "few" / "gone").exists()
    (out / "thesis.tex").touch()
    with pytest.raises(UsageError, match="no export of maps"):
        exported_maps.export([few], out, replace=True)
    with pytest.raises(UsageError, match="make it first"):
        exported_maps.export([few], tmp_path / "no" / "maps")


def test_what_fails_half_way_leaves_nothing(results, tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exported_maps, "_stream", full)
    with pytest.raises(PlausiblyError, match="No space left"):
        exported_maps.export([results], tmp_path / "maps")
    assert not list(tmp_path.iterdir())


def test_the_command_writes_prints_and_refuses(results, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAUSIBLY_HOME", str(results.store.root.parent))
    out = str(tmp_path / "maps")
    run = CliRunner().invoke(cli.app, ["export-maps", "taken", "--out", out])
    assert run.exit_code == 0, run.output
    assert "10 files of maps in" in run.output
    assert "taken: no maps “Grad-CAM” of “Distillation”: it has no ReLU modules" in run.output
    run = CliRunner().invoke(cli.app, ["export-maps", "taken", "--out", out])
    assert isinstance(run.exception, UsageError)
    run = CliRunner().invoke(cli.app, ["export-maps", "taken", "--out", out, "--replace", "--json"])
    assert json.loads(run.output)["files"] == 10
