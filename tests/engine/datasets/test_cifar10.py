"""CIFAR-10's loader on small files in the true format: the binary version in a tar."""

import numpy as np
import pytest
from cifar10_files import BATCHES, IMAGES, LABELS, NAMES, write
from dataset_contract import held

from engine import datasets
from engine.datasets import cifar10
from engine.errors import PlausiblyError, UsageError


def load(folder, name="cifar10", **params):
    return held(datasets.create(name, root=str(folder), **{"valid_size": 15, **params}).load())


def test_the_splits_are_in_the_order_of_the_batches(tmp_path):
    write(tmp_path)
    data = load(tmp_path)
    assert data.shape == (3, 32, 32)
    assert data.class_names[0] == "airplane"
    assert data.class_names[7] == "horse"
    everything = np.concatenate([IMAGES[name] for name in NAMES[:5]])
    assert np.array_equal(data.train.pixels, everything[:85])
    assert np.array_equal(data.valid.pixels, everything[85:])
    assert np.array_equal(data.test.pixels, IMAGES["test_batch.bin"])
    assert np.array_equal(data.train.labels, np.tile(LABELS, 5)[:85])


def test_a_pair_is_a_binary_task(tmp_path):
    write(tmp_path)
    data = load(tmp_path, "cifar10:airplane,horse")
    assert data.class_names == ("airplane", "horse")
    expected = IMAGES["test_batch.bin"][(LABELS == 0) | (LABELS == 7)]
    assert np.array_equal(data.test.pixels, expected)
    assert data.test.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("inside", [".", "cifar-10-batches-bin"])
def test_an_unpacked_folder_is_read_as_well(tmp_path, inside):
    write(tmp_path)
    packed = load(tmp_path).sha256
    (tmp_path / "cifar-10-binary.tar.gz").unlink()
    (tmp_path / inside).mkdir(exist_ok=True)
    for name, content in BATCHES.items():
        (tmp_path / inside / name).write_bytes(content)
    assert load(tmp_path).sha256 == packed
    dataset = datasets.create("cifar10", root=str(tmp_path))
    assert dataset.state() == "here, unpacked"
    assert {(c.status, len(c.sha256)) for c in dataset.verify()} == {("unknown", 64)}
    (tmp_path / inside / "test_batch.bin").unlink()
    with pytest.raises(PlausiblyError, match=r"there is no .*test_batch.bin; fetch it"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"data_batch_3.bin": BATCHES["data_batch_3.bin"][:-1]},
            "data_batch_3.bin has 61459 bytes",
        ),
        ({"data_batch_3.bin": b""}, "data_batch_3.bin has 0 bytes"),
        (
            {"test_batch.bin": b"\x0a" + BATCHES["test_batch.bin"][1:]},
            "test_batch.bin has label 10",
        ),
        ({"test_batch.bin": None}, "lacks test_batch.bin; is it the binary version"),
    ],
)
def test_damaged_batches_are_named(tmp_path, changed, message):
    write(tmp_path, **changed)
    with pytest.raises(PlausiblyError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("length", [0, 100, 200_000])
def test_a_truncated_archive_is_named(tmp_path, length):
    write(tmp_path)
    path = tmp_path / cifar10.ARCHIVE
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(PlausiblyError, match=r"cifar-10-binary.tar.gz is damaged or not a gzipped"):
        load(tmp_path)


def test_a_validation_split_that_leaves_nothing_is_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(UsageError, match="valid_size = 100, but there are 100 training images"):
        load(tmp_path, valid_size=100)
