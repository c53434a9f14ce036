"""SVHN's loader on small files in the true format: MATLAB v5."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from dataset_contract import held
from scipy.io import savemat
from svhn_files import IMAGES, MARKS, write

from engine import datasets
from engine.datasets import _matlab
from engine.errors import PlausiblyError, UsageError

# Digit 0 is stored as 10.


@pytest.fixture
def folder(tmp_path):
    for part in IMAGES:
        write(tmp_path, part)
    return tmp_path


def load(folder, **params):
    sizes = {"train_size": 60, "valid_per_class": 2, "valid_per_class_extra": 1}
    return held(datasets.create("svhn", root=str(folder), **{**sizes, **params}).load())


def test_the_splits_are_those_of_the_paper_and_ten_is_zero(folder):
    data = load(folder)
    digits = MARKS % 10
    assert data.shape == (3, 32, 32)
    assert np.array_equal(data.test.pixels, IMAGES["test"])
    assert np.array_equal(data.test.labels, digits)
    assert data.test.labels[1] == 0
    # Two of each class of train and one of each of extra validate; these are the first.
    valid = np.concatenate([IMAGES["train"][:20], IMAGES["extra"][:10]])
    assert np.array_equal(data.valid.pixels, valid)
    # The first 60 of the remainder train: 30 of train, 30 of the 40 of extra.
    train = np.concatenate([IMAGES["train"][20:], IMAGES["extra"][10:40]])
    assert np.array_equal(data.train.pixels, train)
    assert np.array_equal(data.train.labels, np.concatenate([digits[20:], digits[10:40]]))


def test_the_extra_file_can_be_left_out(folder):
    (folder / "extra_32x32.mat").unlink()
    data = load(folder, extra=False)
    assert np.array_equal(data.train.pixels, IMAGES["train"][20:])
    with pytest.raises(PlausiblyError, match=r"extra_32x32.mat is missing; fetch it"):
        load(folder)


def test_an_uncompressed_file_is_read_as_well(folder):
    compressed = load(folder).sha256
    write(folder, "train", do_compression=False)
    assert load(folder).sha256 == compressed


def test_slices_end_where_they_fall(folder, monkeypatch):
    whole = load(folder).sha256
    monkeypatch.setattr(_matlab, "_SLICE", 7)
    shutil.rmtree(next(folder.glob("decoded-*")))
    assert load(folder).sha256 == whole


def test_the_decoded_images_are_mapped_and_not_held(folder):
    first = load(folder)
    (kept,) = folder.glob("decoded-*")
    again = load(folder)
    assert again.sha256 == first.sha256
    maps = Path("/proc/self/maps").read_text()
    assert maps.count(str(kept / "train-pixels.npy")) >= 1
    # Other sizes are other data.
    load(folder, train_size=59)
    assert len(list(folder.glob("decoded-*"))) == 2


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("share", [0.0005, 0.002, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_named(folder, compressed, share):
    write(folder, "test", do_compression=compressed)
    path = folder / "test_32x32.mat"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(PlausiblyError, match=r"test_32x32.mat (is|has no variable)"):
        load(folder)


def test_a_changed_byte_is_noticed_in_a_compressed_file(folder):
    path = folder / "test_32x32.mat"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(PlausiblyError, match="is damaged or not a MATLAB v5 file"):
        load(folder)


def test_another_format_is_named_by_its_header(folder):
    (folder / "test_32x32.mat").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 200)
    with pytest.raises(PlausiblyError, match="not a MATLAB v5 file: its header ends in 0x00000000"):
        load(folder)


def test_wrong_arrays_are_named(folder):
    write(folder, "test", images=IMAGES["test"][:-1])
    with pytest.raises(PlausiblyError, match=r"X uint8 \(32, 32, 3, 49\) for 50 labels"):
        load(folder)
    write(folder, "test", marks=MARKS % 10)
    with pytest.raises(PlausiblyError, match="labels from 0 to 9; expected 1 to 10"):
        load(folder)
    savemat(folder / "test_32x32.mat", {"y": MARKS})
    with pytest.raises(PlausiblyError, match="has no variable X"):
        load(folder)


def test_a_class_too_small_to_validate_is_named(folder):
    with pytest.raises(UsageError, match="train file has 5 images of digit 0, fewer than the 6"):
        load(folder, valid_per_class=6)
