"""A few rows of a large array are read, and checked, without the rest."""

from __future__ import annotations

import numpy as np
import pytest

from engine.artifacts import ArtifactStore, Blocks, Recipe, write_blocks, write_json
from engine.artifacts.blocks import ROWS
from engine.errors import ArtifactError

VALUES = np.random.default_rng(0).normal(size=(ROWS + 3, 1, 4, 4)).astype(np.float32)


@pytest.fixture
def artifact(tmp_path):
    store, recipe = ArtifactStore(tmp_path), Recipe("maps", {})
    with store.draft(recipe) as draft:
        write_json(draft / "about.json", write_blocks(draft / "values.npy", VALUES))
    return store.get("maps", recipe.key)


def opened(artifact):
    return Blocks(artifact, artifact.json("about.json"))


def change(artifact, place):
    """Flip a bit of the value at `place`, counted in float32 from the end of the header."""
    path = artifact.path / "values.npy"
    data = bytearray(path.read_bytes())
    data[len(data) - VALUES.nbytes + 4 * place] ^= 1
    path.write_bytes(data)


def test_rows_and_the_whole_are_what_was_written(artifact):
    blocks = opened(artifact)
    assert len(blocks) == len(VALUES)
    assert np.array_equal(blocks.row(ROWS), VALUES[ROWS])
    assert blocks.row(0).dtype == np.float32
    assert np.array_equal(opened(artifact).all(), VALUES)
    with pytest.raises(IndexError):
        blocks.row(len(VALUES))


def test_a_changed_bit_is_found_in_its_block_and_in_no_other(artifact):
    change(artifact, place=16 * ROWS + 5)
    blocks = opened(artifact)
    assert np.array_equal(blocks.row(ROWS - 1), VALUES[ROWS - 1])
    with pytest.raises(ArtifactError, match=rf"values.npy, rows from {ROWS}, has SHA-256"):
        blocks.row(ROWS)
    with pytest.raises(ArtifactError, match="run again to make it anew"):
        opened(artifact).all()
    assert artifact.problems()


def test_a_block_is_checked_once(artifact):
    blocks = opened(artifact)
    blocks.row(0)
    change(artifact, place=3)
    blocks.row(1)  # checked before it was changed
    with pytest.raises(ArtifactError):
        opened(artifact).row(0)


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY nonsense", None], ids=["empty", "nonsense", "missing"]
)
def test_a_file_that_is_no_such_array_is_damage(artifact, content):
    path = artifact.path / "values.npy"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"values\.npy cannot be read"):
        opened(artifact).row(0)


def test_another_shape_and_pickled_arrays_are_damage(artifact):
    np.save(artifact.path / "values.npy", VALUES[:5])
    with pytest.raises(ArtifactError, match="different shape or type"):
        opened(artifact).row(0)
    np.save(artifact.path / "values.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match="cannot be read"):
        opened(artifact).row(0)
