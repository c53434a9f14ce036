"""MNIST's loader on small files in the true format: IDX, gzipped or not."""

import gzip
import struct

import numpy as np
import pytest
from dataset_contract import held

from engine import datasets
from engine.errors import PlausiblyError, UsageError

RANDOM = np.random.default_rng(0)
IMAGES = {
    part: RANDOM.integers(0, 256, (n, 28, 28), np.uint8)
    for part, n in (("train", 30), ("t10k", 12))
}
LABELS = {part: np.arange(len(images)) % 10 for part, images in IMAGES.items()}


def idx(array, magic=None):
    array = array.astype(np.uint8)
    head = bytes([0, 0, 8, array.ndim]) if magic is None else magic
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", IMAGES[part]), ("labels-idx1", LABELS[part])):
            (tmp_path / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    return tmp_path


def load(folder, **params):
    return held(datasets.create("mnist", root=str(folder), **{"valid_size": 10, **params}).load())


def test_the_splits_are_those_of_the_paper(folder):
    data = load(folder)
    assert data.shape == (1, 28, 28)
    assert data.class_names == tuple("0123456789")
    assert np.array_equal(data.valid.pixels[:, 0], IMAGES["train"][:10])
    assert np.array_equal(data.train.pixels[:, 0], IMAGES["train"][10:])
    assert np.array_equal(data.train.labels, LABELS["train"][10:])
    assert np.array_equal(data.test.pixels[:, 0], IMAGES["t10k"])
    assert data.test.labels.dtype == np.int64


def test_unpacked_files_are_read_as_well(folder):
    packed = load(folder).sha256
    for path in folder.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert load(folder).sha256 == packed


def packed(content: bytes) -> bytes:
    """Compress without a time stamp: workers must agree on what is tested."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            packed(idx(LABELS["train"], b"\0\0\x0d\1")),
            "magic number 0x00000d01, expected 0x00000801",
        ),
        (packed(idx(IMAGES["train"])), "magic number 0x00000803, expected 0x00000801"),
        (packed(idx(LABELS["train"])[:-3]), r"is truncated: 35 bytes.*\(30,\) says 38"),
        (packed(idx(LABELS["train"]) + b"!"), "is too long: 39 bytes"),
        (packed(idx(LABELS["train"])[:6]), "truncated within its header"),
        (packed(idx(LABELS["train"]))[:-4], "damaged or not a gzip file: "),
        (packed(idx(LABELS["train"]))[:20], "damaged or not a gzip file: "),
        (b"", "magic number 0x, expected"),
        (b"<html>404</html>", "magic number 0x3c68746d"),
        (packed(idx(LABELS["train"][:29])), "for 29 labels in train-labels-idx1-ubyte.gz"),
        (packed(idx(LABELS["train"] + 1)), "has label 10; expected 0 to 9"),
    ],
    # Compressed bytes make no readable names.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_files_are_named_with_what_is_wrong(folder, content, message):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(PlausiblyError, match=message) as caught:
        load(folder)
    assert "train-" in str(caught.value)


def test_a_missing_split_is_named(folder):
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(PlausiblyError, match=r"t10k-images-idx3-ubyte.gz is missing; fetch it"):
        load(folder)


def test_a_validation_split_that_leaves_nothing_is_refused(folder):
    with pytest.raises(UsageError, match="valid_size = 30, but there are 30 training images"):
        load(folder, valid_size=30)
