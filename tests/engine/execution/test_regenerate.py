"""Made again, an artifact has the same bits; what was changed in between is found and measured."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tiny_run import InThisProcess, Log, experiment
from typer.testing import CliRunner

from engine.artifacts import MANIFEST, ArtifactStore, Recipe, write_arrays
from engine.artifacts.store import _content_sha256
from engine.errors import PlausiblyError
from engine.execution import regenerate
from engine.execution.local import LocalExecutor
from engine.experiments import plan
from engine.jobs import gone
from engine.jobs.context import load_model
from engine.jobs.examples import FILE as EXAMPLES
from engine.jobs.model import weights
from engine.results import Results
from study_app.cli import experiments
from study_app.cli import plausibly as cli

TINY = experiment(defenses={"none": {"title": "No defense", "defense": "none"}})


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    home = tmp_path_factory.mktemp("pristine")
    store = ArtifactStore(home / "artifacts")
    plan.run(TINY, store, Log(), InThisProcess(store))
    return home


@pytest.fixture
def home(pristine, tmp_path, monkeypatch):
    target = tmp_path / "home"
    subprocess.run(["cp", "-r", pristine, target], check=True)
    monkeypatch.setenv("PLAUSIBLY_HOME", str(target))
    return target


@pytest.fixture
def store(home):
    return ArtifactStore(home / "artifacts")


def tamper(store, change, kind="examples", **environment) -> None:
    """Change an artifact's arrays and its manifest, so that all hashes fit."""
    (artifact,) = store.all(kind)
    (file,) = artifact.manifest["files"]
    arrays = artifact.arrays(file)
    change(arrays)
    write_arrays(artifact.path / file, arrays)
    data = (artifact.path / file).read_bytes()
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    manifest = {**artifact.manifest, "files": {file: entry}}
    manifest["content_sha256"] = _content_sha256(manifest["files"])
    manifest["environment"] = {**manifest["environment"], **environment}
    (artifact.path / MANIFEST).write_text(json.dumps(manifest))
    (changed,) = store.all(kind)
    assert changed.problems() == []


def one_pixel(arrays) -> None:
    pixel = arrays["pixels"][3, 0, 5, 5]
    arrays["pixels"][3, 0, 5, 5] = pixel + 1 if pixel < 255 else 254


def plausibly(*arguments):
    """Run the command here, as `main` does; return exit code, standard output, what was wrong."""
    done = CliRunner().invoke(cli.app, arguments)
    error = done.exception
    if isinstance(error, PlausiblyError):
        return error.exit_code, done.stdout, str(error)
    assert error is None or isinstance(error, SystemExit), error
    return done.exit_code, done.stdout, done.stderr


def files(home: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in home.rglob("*")}


def test_everything_made_again_has_the_same_bits_and_nothing_changes(home, store):
    before = files(home)
    log = Log()
    compared = regenerate.run(list(store.all()), store, LocalExecutor(store), log)
    assert {c.kind: c.outcome for c in compared} == {
        "model": "same",
        "examples": "same",
        "maps": "same",
        "evaluation": "same",
        "measures": "same",
        "experiment": "same",
        "ladder": "same",
        "source": "same",
        "dataset": "same",
        "answers": "same",
    }
    assert len(log.made) == 10
    after = files(home)
    assert {p for p in before if before[p] != after.get(p)} <= {str(home)}
    assert set(after) == set(before)


def test_a_run_has_the_facts_of_its_data_and_its_index_does_not_depend_on_them(home, store):
    (index,) = store.all("experiment")
    results = Results(store, index)
    assert results.data_facts is not None
    assert results.data_facts.images == {"train": 1200, "valid": 200, "test": 397}
    assert results.publication.state == "built in"
    assert not [role for role in index.recipe.parents if role.startswith("dataset")]
    (facts,) = store.all("dataset")
    shutil.rmtree(facts.path)
    assert Results(store, index).data_facts is None
    assert plan.find(TINY, store) == [index]  # a run from before is found as it is
    log = Log()
    assert plan.run(TINY, store, log, InThisProcess(store)) == [index]
    assert log.made == ["data facts"]
    assert Results(store, index).data_facts == results.data_facts


def test_the_weights_of_a_network_are_counted_without_its_statistics(store):
    (network,) = store.all("model")
    layers = load_model(network)
    assert weights(network) == sum(each.numel() for each in layers.parameters()) > 0


def test_what_compares_models_is_the_same_whatever_order_they_stand_in(tmp_path):
    """A ladder's arrays come in the order of the file, which the alphabet is not."""
    store = ArtifactStore(tmp_path)
    model = {"title": "Model", "defense": "none", "training": {"steps": 1}}
    executor = InThisProcess(store)
    plan.run(experiment(defenses=dict.fromkeys("cab", model)), store, Log(), executor)
    ladders = list(store.all("ladder"))
    assert len(ladders) == 3
    compared = regenerate.run(ladders, store, executor, Log())
    assert {each.outcome for each in compared} == {"same"}


def test_arrays_in_another_order_are_the_same_arrays(home, store):
    def turn(arrays) -> None:
        backwards = dict(reversed(arrays.items()))
        arrays.clear()
        arrays.update(backwards)

    tamper(store, turn, "ladder")
    (ladder,) = store.all("ladder")
    (found,) = regenerate.run([ladder], store, InThisProcess(store), Log())
    assert found.outcome == "same"


def test_one_pixel_off_by_one_is_found_and_measured(home, store, monkeypatch):
    monkeypatch.setattr(experiments._Made, "by", lambda _self, store: InThisProcess(store))
    tamper(store, one_pixel, python="2.7", device="abacus")
    (artifact,) = store.all("examples")
    entries = artifact.arrays(EXAMPLES)["pixels"].size
    assert plausibly("verify")[0] == 0
    code, out, wrong = plausibly("verify", "examples", "--regenerate", "--json")
    assert code == 1
    result = json.loads(out)
    (found,) = result["regenerated"]
    assert found["outcome"] == "different"
    assert found["pixels"] == {"share": 1 / entries, "largest": 1}
    assert found["files"] == {}
    assert "device abacus then, cpu now" in found["environment"]
    said = f"8-bit pixels: a share of {1 / entries:.3g} differs, by at most 1 of 255"
    then = "(device abacus then, cpu now; python 2.7 then, 3."
    assert f"examples/{artifact.key[:12]}… different: {said} {then}" in result["problems"][0]
    assert wrong == "\n".join(result["problems"])

    code, out, _ = plausibly("verify", "examples", "--regenerate", "--tolerance", "0.001")
    assert code == 0
    assert f"tolerated: {said}" in out
    assert "1 artifact: 1 tolerated." in out


def test_what_was_made_from_something_else_fails_without_being_made(store):
    tamper(store, one_pixel)
    log = Log()
    chosen = [*store.all("evaluation")]
    (found,) = regenerate.run(chosen, store, LocalExecutor(store), log)
    assert found.outcome == "failed"
    assert "its examples:none:fgsm, examples/" in str(found)
    assert "is not what it was made from" in str(found)
    assert log.made == log.failures == []


def test_a_missing_parent_is_a_reason_to_skip(store):
    (model,) = store.all("model")
    subprocess.run(["rm", "-r", model.path], check=True)
    chosen = [*store.all("examples")]
    (found,) = regenerate.run(chosen, store, LocalExecutor(store), Log())
    assert (found.outcome, found.reason) == (
        "skipped",
        f"its model, model/{model.key[:12]}…, is not in the store",
    )


@pytest.fixture
def two(tmp_path, store):
    """Returns an artifact twice, the second changed."""

    def make(change, kind="examples"):
        (original,) = store.all(kind)
        shutil.rmtree(tmp_path / "other", ignore_errors=True)
        subprocess.run(["cp", "-r", store.root, tmp_path / "other"], check=True)
        other = ArtifactStore(tmp_path / "other")
        tamper(other, change, kind)
        return original, next(other.all(kind))

    return make


def test_no_tolerance_is_right_for_what_comes_from_the_dataset(two):
    def wrong_label(arrays):
        one_pixel(arrays)
        arrays["labels"][0] += 1

    found = regenerate.compare(*two(wrong_label, "source"), tolerance=0.5)
    assert found.outcome == "different"
    assert "labels: a share of" in str(found)
    found = regenerate.compare(*two(one_pixel, "source"), tolerance=0.5)
    assert found.outcome == "different"


def test_other_shapes_and_missing_arrays_differ_whole(two):
    def cut(arrays):
        arrays["pixels"] = arrays["pixels"][:-1]
        del arrays["l0"]

    found = regenerate.compare(*two(cut), tolerance=1.0)
    assert found.outcome == "different"
    assert found.pixels == regenerate.Difference(1.0, None)
    assert found.files == {EXAMPLES: {"l0": regenerate.Difference(1.0, None)}}


def test_nan_in_both_is_no_difference():
    a = np.array([0.0, np.nan, 2.0, 3.0])
    b = np.array([0.0, np.nan, 2.0, 3.5])
    assert regenerate._differences({"x": a}, {"x": b}) == {"x": regenerate.Difference(0.25, 0.5)}


def test_a_tolerance_is_a_share(home):
    assert plausibly("verify", "--regenerate", "--tolerance", "2")[0] == 2


@pytest.mark.parametrize(
    ("kind", "parents", "version", "kept"),
    [
        ("ladder", {}, 1, False),
        ("ladder", {}, 2, True),
        ("evaluation", {"ladder:none": None}, 3, False),
        ("evaluation", {"ladder:none": None}, 4, True),
        ("evaluation", {}, 3, True),
        ("source", {}, 1, True),
    ],
)
def test_what_is_judged_otherwise_now_is_said_not_to_be_made_again(kind, parents, version, kept):
    recipe = Recipe(kind, {}, parents, "d" * 64, {kind: version})
    assert (gone(recipe) is None) == kept
