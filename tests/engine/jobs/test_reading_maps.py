"""One map of many is read without the others, and without what is known of them."""

import numpy as np
import pytest

from engine.artifacts import Artifact, ArtifactStore, Recipe, blocks
from engine.artifacts.blocks import ROWS
from engine.jobs import maps
from engine.saliency import Attribution

COUNT = 3 * ROWS + 5
VALUES = np.random.default_rng(0).normal(size=(COUNT, 3, 4, 4)).astype(np.float32)
BLOCK = ROWS * VALUES[0].nbytes


@pytest.fixture
def stored(tmp_path):
    """Return an artifact of maps of every other test image."""
    recipe = Recipe("maps", {"saliency": {"name": "given"}}, versions={"maps": maps.VERSION})
    store = ArtifactStore(tmp_path)
    about = maps.About("a gradient", size=(4, 4))
    facts = {"class": np.arange(COUNT) % 10}
    indices = {"clean": 2 * np.arange(COUNT)}
    with store.draft(recipe) as draft:
        maps.write(draft, about, [("clean", Attribution(VALUES), facts)], indices, 2 * COUNT)
    return store.get("maps", recipe.key)


def test_one_map_reads_and_checks_one_block(stored, monkeypatch):
    hashed, files, unpacked = [], [], []
    sha256, read, load = blocks._sha256, Artifact.read, np.lib.npyio.NpzFile.__getitem__

    def hashing(rows):
        hashed.append(rows.nbytes)
        return sha256(rows)

    def reading(self, name):
        files.append(name)
        return read(self, name)

    def unpacking(self, name):
        unpacked.append(name)
        return load(self, name)

    monkeypatch.setattr(blocks, "_sha256", hashing)
    monkeypatch.setattr(Artifact, "read", reading)
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", unpacking)

    found = maps.read(stored, None)
    assert np.array_equal(found.map("clean", 2 * (ROWS + 3)), VALUES[ROWS + 3])
    assert hashed == [BLOCK]
    assert files == [maps.ABOUT, maps.SUMMARY]
    assert unpacked == ["indices/clean"]
    found.map("clean", 2 * ROWS)
    assert hashed == [BLOCK]
    found.map("clean", 0)
    assert hashed == [BLOCK] * 2
    assert unpacked == ["indices/clean"]

    assert found.facts("clean").keys() == {"class"}
    assert (found.facts("clean")["class"] == np.arange(COUNT) % 10).all()
    assert found.facts("nowhere") == {}
    assert found.images == ("clean",)
    assert len(found.indices("nowhere")) == 0
    assert np.allclose(found.summary("clean").largest, np.abs(VALUES.sum(1)).max((1, 2)))
    assert len(unpacked) == len(set(unpacked))
    assert np.array_equal(found.all("clean"), VALUES)


def test_a_map_that_is_read_is_no_part_of_the_file(stored):
    """Who keeps one, and who writes into it, has a copy."""
    found = maps.read(stored, None)
    one = found.map("clean", 0)
    assert one.base is None or one.base.nbytes <= VALUES[0].nbytes
    one[:] = 0
    assert np.array_equal(found.map("clean", 0), VALUES[0])
