"""Artifacts are whole or absent, found by what made them, and never read damaged."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError

from engine.artifacts import MANIFEST, ArtifactStore, Parent, Recipe, Role, write_arrays
from engine.errors import ArtifactError, MachineError

RECIPE = Recipe("examples", {"attack": {"name": "fgsm", "eps": 0.2}}, data_sha256="d" * 64)


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


def make(store, recipe=RECIPE, text="hello"):
    with store.draft(recipe) as draft:
        (draft / "a.txt").write_text(text)
    return store.find(recipe)


def test_what_is_stored_is_found_by_its_recipe(store):
    assert store.find(RECIPE) is None
    made = make(store)
    assert made.key == RECIPE.key
    assert made.read("a.txt") == b"hello"
    assert made.recipe == RECIPE
    assert [a.key for a in store.all()] == [RECIPE.key]


@pytest.mark.parametrize(
    "changed",
    [
        {"config": {"attack": {"name": "fgsm", "eps": 0.3}}},
        {"parents": {"model": Parent("model", "k", "c" * 64)}},
        {"data_sha256": "e" * 64},
        {"versions": {"attack": 2}},
        {"numeric_path": {"precision": "float32", "threads": 2, "mode": "eager"}},
        {"kind": "maps"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_everything_that_decides_the_content_is_in_the_key(changed):
    fields = {name: getattr(RECIPE, name) for name in RECIPE.__dataclass_fields__}
    assert Recipe(**{**fields, **changed}).key != RECIPE.key


@pytest.mark.parametrize(
    "other",
    [Parent("model", "k2", "c" * 64), Parent("model", "k1", "e" * 64)],
    ids=["another artifact with the same content", "another content"],
)
def test_of_a_parent_key_and_content_are_in_the_key(other):
    one = Recipe("maps", {}, {"model": Parent("model", "k1", "c" * 64)})
    assert one.key != Recipe("maps", {}, {"model": other}).key


def test_keys_that_earlier_programs_gave_are_kept():
    """Written down with the program that had one schema."""
    facts = {"seed": 0, "architecture": {"name": "small_cnn"}}
    plain = Recipe("model", facts, {}, "d" * 64, {"architecture": 1, "dataset": 1})
    assert plain.key == "b13914f147443f1d7de4bd8e19646b74b513d3191572f728a30c3c9bc3a5cc5d"
    parents = {"model": Parent("model", "a" * 64, "b" * 64)}
    child = Recipe("examples", {"seed": 0}, parents, "d" * 64, {"attack": 1})
    stored = {name: value for name, value in child.to_json().items() if name != "schema"}
    old = Recipe.from_json(stored)
    assert old.key == "5056df5c8638d556d7ed252bb6b9f1aaaeb2b36fc58b44e8599effe4dc5f7f7c"
    assert Recipe.from_json(old.to_json()) == old
    assert Recipe.from_json(child.to_json()) == child
    assert child.key != old.key


def test_a_recipe_of_a_schema_to_come_is_refused(store):
    made = make(store)
    manifest = json.loads((made.path / MANIFEST).read_text())
    manifest["recipe"]["schema"] = 3
    (made.path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"manifest\.json cannot be read \(ValueError\)"):
        store.find(RECIPE)


def test_a_parent_must_be_what_it_was(store):
    then = make(store).as_parent()
    assert store.parent(then).key == RECIPE.key
    subprocess.run(["rm", "-r", store.find(RECIPE).path], check=True)
    with pytest.raises(ArtifactError, match="no artifact examples/"):
        store.parent(then)
    make(store, text="other bits")
    with pytest.raises(ArtifactError, match=r"is not what others were made from: .*run the exper"):
        store.parent(then)


@given(
    st.dictionaries(
        st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    )
)
def test_the_key_does_not_depend_on_the_order_of_the_configuration(config):
    turned = dict(reversed(config.items()))
    assert Recipe("model", config).key == Recipe("model", turned).key


def test_a_changed_byte_is_found_and_named(store):
    made = make(store)
    (made.path / "a.txt").write_text("hellp")
    with pytest.raises(ArtifactError, match=r"examples/.*a\.txt has SHA-256.*remove the folder"):
        made.read("a.txt")
    assert len(made.problems()) == 1


def test_a_missing_and_a_foreign_file_are_named(store):
    made = make(store)
    (made.path / "a.txt").unlink()
    (made.path / "b.txt").write_text("?")
    assert ["a.txt cannot be read" in p or "b.txt does not belong" in p for p in made.problems()]
    assert len(made.problems()) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"recipe": 1}', "\x00\xff"])
def test_a_damaged_manifest_is_one_clear_sentence(store, text):
    made = make(store)
    (made.path / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=r"manifest\.json cannot be read"):
        store.find(RECIPE)


def test_a_manifest_edited_by_hand_is_found(store):
    made = make(store)
    manifest = json.loads((made.path / MANIFEST).read_text())
    manifest["recipe"]["config"]["attack"]["eps"] = 0.9
    (made.path / MANIFEST).write_text(json.dumps(manifest))
    assert any("recipe does not have its key" in p for p in store.find(RECIPE).problems())


def test_time_that_passes_is_no_processor_time(store):
    with store.draft(RECIPE):
        time.sleep(0.3)
    idle = store.find(RECIPE)
    assert idle.seconds >= 0.3
    assert 0 <= idle.processor_seconds < 0.2
    busy = Recipe("examples", {"busy": True})
    with store.draft(busy):
        started = time.process_time()
        while time.process_time() - started < 0.1:
            pass
        # A child's time counts, once it has ended.
        script = "import time\nwhile time.process_time() < 0.3: pass"
        subprocess.run([sys.executable, "-I", "-c", script], check=True)
    assert store.find(busy).processor_seconds >= 0.35
    idle.manifest.pop("processor_seconds")  # as earlier programs stored it
    assert idle.processor_seconds is None


def test_a_failed_draft_leaves_nothing(store):
    def fail_half_way(draft):
        (draft / "a.txt").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError), store.draft(RECIPE) as draft:
        fail_half_way(draft)
    assert store.find(RECIPE) is None
    assert list(store.root.rglob("*.txt")) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left … (os error 28)"),
        SafetensorError("Error while serializing: I/O error: Disk quota exceeded (os error 122)"),
    ],
)
def test_a_full_disk_is_said_with_its_fix(store, error):
    said = r"cannot write to .*: (No space left on device|Disk quota exceeded); free some space"
    with pytest.raises(MachineError, match=said), store.draft(RECIPE):
        raise error
    assert store.find(RECIPE) is None


def test_a_damaged_weights_file_is_no_full_disk(store):
    with pytest.raises(SafetensorError), store.draft(RECIPE):
        raise SafetensorError("Error while deserializing header: header too large")


def test_two_making_the_same_both_have_it(store):
    with store.draft(RECIPE) as draft:
        (draft / "a.txt").write_text("hello")
        make(store)
    assert store.find(RECIPE).problems() == []
    assert [p.name for p in (store.root / "examples").iterdir()] == [RECIPE.key]


def _write_until_killed(root: Path) -> None:
    with ArtifactStore(root).draft(RECIPE) as draft:
        (draft / "a.txt").write_text("half")
        (root / "writing").touch()
        time.sleep(60)


def test_a_killed_writer_leaves_no_artifact(store):
    store.root.mkdir()
    process = multiprocessing.get_context("spawn").Process(
        target=_write_until_killed, args=(store.root,)
    )
    process.start()
    while not (store.root / "writing").exists():
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert store.find(RECIPE) is None
    assert list(store.all("examples")) == []
    assert make(store).problems() == []


def test_arrays_have_equal_bytes_for_equal_values_and_no_pickle(tmp_path):
    for name in ("one.npz", "two.npz"):
        write_arrays(tmp_path / name, {"x": np.arange(5)})
        time.sleep(0.01)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with pytest.raises(TypeError, match="Python objects"):
        write_arrays(tmp_path / "three.npz", {"x": np.array([{}])})


def test_arrays_may_have_any_name_and_the_bytes_are_numpys(tmp_path):
    """Labels of people's experiments are among the names, and numpy takes names as keywords."""
    x, y = np.arange(5), np.eye(3, dtype=np.float32).T
    write_arrays(tmp_path / "ours.npz", {"x": x, "predictions/y": y})
    np.savez_compressed(tmp_path / "numpys.npz", **{"x": x, "predictions/y": y})
    assert (tmp_path / "ours.npz").read_bytes() == (tmp_path / "numpys.npz").read_bytes()
    names = ("file", "allow_pickle", "path", "arrays", "self")
    write_arrays(tmp_path / "names.npz", dict.fromkeys(names, x))
    with np.load(tmp_path / "names.npz", allow_pickle=False) as read:
        assert set(read.files) == set(names)
        assert all(np.array_equal(read[name], x) for name in names)


@pytest.mark.parametrize(
    ("role", "spelled"),
    [
        (Role("evaluation"), "evaluation"),
        (Role("candidate", "07"), "candidate:07"),
        (Role("examples", "none", "fgsm"), "examples:none:fgsm"),
        (Role("curve", "model", "labels"), "curve:model:labels"),
    ],
)
def test_a_role_has_one_spelling_and_is_read_from_it(role, spelled):
    assert str(role) == spelled
    assert Role.parse(spelled) == role


@pytest.mark.parametrize("text", ["", "a:", ":a", "a::b", "a:b:c:d"])
def test_what_spells_no_role_is_refused(text):
    with pytest.raises(ValueError, match="no role"):
        Role.parse(text)
    with pytest.raises(ValueError, match="no role"):
        Role("examples", "", "fgsm")
