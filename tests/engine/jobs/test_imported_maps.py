"""Maps of one's own: taken in from a file, read as all others are, and never without saying so."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from tiny_run import InThisProcess, Log, experiment

from engine import datasets, stimuli
from engine.artifacts import ArtifactStore, Recipe, Role
from engine.errors import UsageError
from engine.execution import regenerate
from engine.experiments import plan
from engine.jobs import _npz, imported_maps, kinds, map_file
from engine.results import Results, exported_maps
from engine.saliency import upsampled

NONE = {"title": "None", "defense": "none"}
BASE = {
    "dataset": "digits:3,8",
    "training": {"steps": 1, "batch_size": 8, "report_every": 1},
    "defenses": {"none": NONE, "other": {**NONE, "title": "Other", "training": {"steps": 2}}},
    "attacks": {"fgsm": {"title": "FGSM", "attack": {"name": "fgsm", "eps": 0.2}, "images": 6}},
    "doubt": None,
    "measure": {"images": 4},
}
IMAGES = 79
RNG = np.random.default_rng(0)
CLEAN = RNG.normal(size=(IMAGES, 1, 7, 7))
ATTACKED = RNG.normal(size=(2, 1, 28, 28)).astype(np.float32)


def saved(folder: Path, **arrays) -> str:
    path = folder / "maps.npz"
    np.savez_compressed(path, **arrays)
    return str(path)


def adopted(asked, store):
    """Take the file in, as is done before the first task."""
    (run,) = asked.runs()
    ((request, adopt),) = map_file.adopted(run)
    config = {"dataset": run.spec.dataset.config(), **request.config}
    return adopt(Recipe("map_file", config), store)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def store(home):
    return ArtifactStore(home / "artifacts")


@pytest.fixture(scope="module")
def arrays():
    labels = datasets.registry.from_config("digits:3,8").load().test.labels
    indices = datasets.spread(labels, 6)[:2]
    return {"none/clean": CLEAN, "none/fgsm": ATTACKED, "none/fgsm/indices": indices}


@pytest.fixture(scope="module")
def asked(home, arrays):
    return experiment(**BASE, maps={"ours": saved(home, **arrays)})


@pytest.fixture(scope="module")
def results(store, asked):
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    return Results(store, index)


def test_they_read_as_the_maps_of_every_method(results, arrays):
    maps = results.maps("none", "ours")
    assert maps.images == ("clean", "fgsm")
    native = CLEAN[3].astype(np.float32)
    assert np.array_equal(maps.native("clean", 3), native)
    assert np.array_equal(maps.map("clean", 3), upsampled(native[None], (28, 28), "bilinear")[0])
    index = int(arrays["none/fgsm/indices"][1])
    assert np.array_equal(maps.map("fgsm", index), ATTACKED[1])
    assert maps.about.upsampling == "bilinear"
    assert maps.quantity == map_file.NOT_TOLD
    with pytest.raises(UsageError, match="method 'imported'"):
        maps.row("fgsm", int(np.setdiff1d(np.arange(IMAGES), maps.indices("fgsm"))[0]))


def test_they_are_listed_after_the_methods(results, asked):
    assert results.config["saliency"] == {"gradient": "Gradient", "ours": "ours"}
    assert "maps" not in results.config
    given = {"title": "A", "quantity": "what", "file": asked.section("maps")["ours"].file}
    spec = experiment(**BASE, maps={"a": given}).section("maps")["a"]
    assert (spec.title, spec.quantity) == ("A", "what")


def test_that_they_are_imported_is_said(results):
    (reason,) = results.maps("none", "ours").fit.reasons
    assert reason.code == "imported"
    assert "was not examined" in reason.says


def test_what_the_file_lacks_is_said_and_nothing_invented(results, store, home):
    other = results.maps("other", "ours")
    assert (other.images, other.fit.verdict) == ((), "refused")
    assert other.fit.reasons[-1].says == "the file has no maps of this model"
    only = experiment(**BASE, name="only", maps={"ours": saved(home, **{"none/clean": CLEAN})})
    (index,) = plan.run(only, store, Log(), InThisProcess(store))
    maps = Results(store, index).maps("none", "ours")
    assert (maps.images, maps.fit.verdict) == (("clean",), "doubtful")
    assert maps.fit.reasons[-1].says == "the file has no maps of: fgsm"


def test_they_are_of_the_models_of_one_seed(asked, store, results):
    further = asked.runs(2)[1]
    (request,) = kinds.get("imported_maps").wanted(further, "none")
    assert request.config["of_this_seed"] is False
    own = results.artifact(Role("maps", "none", "ours")).recipe.config
    assert own["of_this_seed"] is True
    fit = imported_maps._fit(["clean"], ("clean",), of_this_seed=False)
    assert fit.verdict == "refused"
    assert "of the experiment's own seed" in fit.reasons[-1].says


def test_the_recipe_knows_the_files_hash_and_not_its_path(results, home, asked, store):
    recipe = results.artifact(Role("maps", "none", "ours")).recipe
    assert recipe.config["saliency"] == {
        "name": "imported",
        "file_sha256": asked.section("maps")["ours"].file_sha256,
    }
    assert str(home) not in str(recipe.to_json())
    passport = stimuli.saliency(results, "none", "clean", 3, "ours").passport["saliency"]
    assert passport["name"] == "imported"
    assert passport["params"] == {"file_sha256": recipe.config["saliency"]["file_sha256"]}
    assert plan.find(asked, store) == [results.index]


def test_verify_says_that_a_file_is_not_made_again_and_makes_the_rest(results, store):
    own = results.artifact(Role("maps", "none", "ours"))
    artifacts = [store.parent(own.recipe.parents["map_file"]), own]
    skipped, same = regenerate.run(artifacts, store, InThisProcess(store), Log())
    assert (skipped.outcome, same.outcome) == ("skipped", "same")
    assert "not made here" in str(skipped)


def test_what_was_taken_away_and_is_brought_back_gives_the_same_maps(results, store, tmp_path):
    exported_maps.export([results], tmp_path / "maps")
    (run,) = json.loads((tmp_path / "maps" / "maps.json").read_text())["runs"]
    brought = {}
    for each in run["maps"]:
        if each["method"]["label"] == "gradient":
            with np.load(tmp_path / "maps" / each["file"]) as held:
                name = f"{each['model']}/{each['image']}"
                brought |= {name: held["a_batch"], f"{name}/indices": held["index"]}
    asked = experiment(**BASE, name="again", maps={"ours": saved(tmp_path, **brought)})
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    again = Results(store, index)
    for model in ("none", "other"):
        theirs, ours = (again.maps(model, each) for each in ("gradient", "ours"))
        assert theirs.images == ours.images == ("clean", "fgsm")
        for image in theirs.images:
            assert np.array_equal(theirs.indices(image), ours.indices(image))
            assert np.array_equal(theirs.all(image), ours.all(image))
            assert ours.summary(image).model_scale == theirs.summary(image).model_scale


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"nona/clean": CLEAN}, r"'nona/clean' \(did you mean 'none/clean'\?\); .*MODEL/IMAGE"),
        ({"none/pgd": CLEAN}, "images clean, fgsm"),
        ({"none/clean": CLEAN[1:]}, r"shape \(78, 1, 7, 7\), it must be \(79, 1, 2 to 28, 2"),
        ({"none/clean": np.zeros((IMAGES, 3, 7, 7))}, r"shape \(79, 3, 7, 7\), it must be"),
        ({"none/clean": np.zeros((IMAGES, 1, 29, 28))}, r"shape \(79, 1, 29, 28\)"),
        ({"none/clean": np.zeros((IMAGES, 1, 1, 1))}, r"shape \(79, 1, 1, 1\)"),
        ({"none/clean": CLEAN.astype(int)}, "'none/clean' has the type int64, maps are floats"),
        ({"none/clean": CLEAN.astype(object)}, "a pickle can; it is never loaded"),
        ({"none/clean": CLEAN, "none/clean/indices": np.arange(5)}, "one per entry of"),
        (
            {"none/clean": CLEAN[:2], "none/clean/indices": np.array([5, 5])},
            "must be ascending, each test image once, from 0 to 78",
        ),
    ],
)
def test_an_error_names_the_array_and_what_was_found_and_wanted(tmp_path, wrong, said):
    path = saved(tmp_path, **wrong)
    store = ArtifactStore(tmp_path / "artifacts")
    with pytest.raises((UsageError, ValidationError), match=said):
        plan.run(experiment(**BASE, maps={"ours": path}), store, Log(), InThisProcess(store))
    assert not store.root.exists()


def test_values_that_are_no_numbers_fail_before_anything_is_trained(tmp_path):
    values = CLEAN.copy()
    values[4, 0, 2] = np.nan
    asked = experiment(**BASE, maps={"ours": saved(tmp_path, **{"none/clean": values})})
    with pytest.raises(UsageError, match="'none/clean' has 7 values that are NaN"):
        adopted(asked, ArtifactStore(tmp_path / "artifacts"))
    assert not list(ArtifactStore(tmp_path / "artifacts").all("map_file"))


def test_a_file_that_would_unpack_to_more_than_it_says_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": CLEAN.shape}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("none/clean.npy", header.getvalue() + bytes(2**24))
    long = b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + bytes(2**20)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("none/fgsm.npy", long)
    with (
        _npz.opened(str(path)) as held,
        pytest.raises(UsageError, match="'none/fgsm' is no plain array"),
    ):
        held.header("none/fgsm")
    with (
        _npz.opened(str(path)) as held,
        pytest.raises(UsageError, match="is 16777344 bytes, and 31096 by its header"),
    ):
        held.array("none/clean")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no zip", "is no NPZ file"), (None, "cannot read file")],
)
def test_a_file_that_is_none_is_refused_with_its_place(tmp_path, content, said):
    path = tmp_path / "maps.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValidationError, match=said):
        experiment(**BASE, maps={"ours": str(path)})


def test_a_file_that_changed_since_it_was_read_is_not_taken(tmp_path):
    asked = experiment(**BASE, maps={"ours": saved(tmp_path, **{"none/clean": CLEAN})})
    saved(tmp_path, **{"none/clean": CLEAN + 1})
    with pytest.raises(UsageError, match="it has changed"):
        adopted(asked, ArtifactStore(tmp_path / "artifacts"))


def test_labels_and_datasets_that_a_file_cannot_serve_are_named(home, arrays):
    path = saved(home, **arrays)
    with pytest.raises(ValidationError, match="'gradient' is also the label of a method"):
        experiment(**BASE, maps={"gradient": path})
    two = {name: {"title": name, "dataset": f"digits:{name}"} for name in ("3,8", "1,7")}
    two = {f"d{i}": spec for i, spec in enumerate(two.values())}
    with pytest.raises(ValidationError, match="the maps of one dataset, and the experiment has 2"):
        experiment(**{**BASE, "dataset": None}, datasets=two, maps={"ours": path})


def test_the_order_of_values_in_the_file_does_not_matter(tmp_path):
    path = saved(tmp_path, columns=np.asfortranarray(CLEAN), big=CLEAN.astype(">f4"))
    with _npz.opened(path) as held:
        assert np.array_equal(held.array("columns"), CLEAN)
        assert np.array_equal(held.array("big"), CLEAN.astype(np.float32))
