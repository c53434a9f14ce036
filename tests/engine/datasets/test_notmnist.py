"""notMNIST's loader on small files in the true format: folders of PNG in a tar."""

import hashlib
import io
import itertools
import tarfile

import numpy as np
import pytest
from dataset_contract import held
from PIL import Image

from engine import datasets
from engine.errors import PlausiblyError

SIZES = {"train_per_class": 4, "valid_per_class": 2, "test_per_class": 3}


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return out.getvalue()


def pixels(letter, number, side=28):
    seed = [ord(letter), number]
    return np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)


def write(folder, size, numbers, files=None):
    contents = {
        f"{letter}/{number}.png": png(pixels(letter, number))
        for letter in "ABCDEFGHIJ"
        for number in numbers
    }
    contents |= files or {}
    with tarfile.open(folder / f"notMNIST_{size}.tar.gz", "w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"notMNIST_{size}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "large", range(6))
    write(tmp_path, "small", range(10, 13))
    return tmp_path


def load(folder):
    return held(datasets.create("notmnist", root=str(folder), **SIZES).load())


def contents(split, letter):
    return {image.tobytes() for image in split.pixels[split.labels == ord(letter) - 65]}


def test_every_class_has_its_images_in_every_split(folder):
    data = load(folder)
    assert data.shape == (1, 28, 28)
    assert data.class_names == tuple("ABCDEFGHIJ")
    for letter in data.class_names:
        large = {pixels(letter, number).tobytes() for number in range(6)}
        assert contents(data.train, letter) | contents(data.valid, letter) == large
        assert len(contents(data.valid, letter)) == 2
        small = {pixels(letter, number).tobytes() for number in range(10, 13)}
        assert contents(data.test, letter) == small
    assert data.notes == ()


def test_the_decoded_data_are_kept_and_known_by_the_content_of_the_tars(folder):
    first = load(folder)
    assert len(list(folder.glob("decoded-*"))) == 1
    assert load(folder).sha256 == first.sha256
    write(folder, "small", range(20, 23))
    assert load(folder).sha256 != first.sha256
    assert len(list(folder.glob("decoded-*"))) == 2


def early(letter, word):
    """A file name that comes before those of the good images 10 to 12 of the class."""

    def key(name):
        return hashlib.sha256(f"{letter}/{name}.png".encode()).digest()

    first = min(key(number) for number in range(10, 13))
    names = (f"{word}{k}" for k in itertools.count())
    return f"{letter}/{next(name for name in names if key(name) < first)}.png"


def test_corrupt_files_among_good_ones_are_skipped_and_counted(folder):
    clean = load(folder)
    good = png(pixels("A", 0))
    bad = {
        early("A", "empty"): b"",
        early("A", "text"): b"not an image",
        early("B", "truncated"): good[: len(good) // 2],
        early("B", "flipped"): good[:60] + bytes([good[60] ^ 0xFF]) + good[61:],
        early("C", "large"): png(pixels("C", 0, 32)),
        "C/._10.png": b"a Mac's own",
        "C/readme.txt": b"no image",
    }
    write(folder, "small", range(10, 13), files=bad)
    data = load(folder)
    assert data.sha256 == clean.sha256
    assert data.notes == ("notMNIST_small.tar.gz: skipped 5 files that cannot be read",)
    # A second load reads the decoded file, and says the same.
    assert load(folder).notes == data.notes


def test_a_shortage_says_what_was_left_out(folder):
    write(folder, "small", range(10, 13), files={"A/10.png": b"?", "A/11.png": b"?"})
    with pytest.raises(
        PlausiblyError,
        match=r"has 1 image of A for test where 3 are wanted: of its 3 files of A "
        r"2 cannot be read; give a smaller test_per_class",
    ):
        load(folder)
    write(folder, "small", range(10, 13))
    again = {f"A/{k}.png": png(pixels("A", 10 + k)) for k in range(3)}
    write(folder, "large", range(6), files=again)
    with pytest.raises(
        PlausiblyError,
        match=r"has 1 image of A for train where 4 are wanted: of its 6 files of A "
        r"2 went to valid, 3 repeat an image of a different split; give a smaller train_per_class",
    ):
        load(folder)


def test_the_small_tar_alone_is_enough_for_smaller_splits(folder):
    whole = datasets.create("notmnist", root=str(folder), **SIZES)
    write(folder, "small", range(10, 19))
    (folder / "notMNIST_large.tar.gz").unlink()
    with pytest.raises(PlausiblyError, match=r"large.tar.gz is missing.*do without it: large: fal"):
        whole.load()
    small = datasets.create("notmnist", root=str(folder), large=False, **SIZES)
    data = held(small.load())
    assert [len(split) for split in (data.train, data.valid, data.test)] == [40, 20, 30]
    assert "not those of Ross & Doshi-Velez" in data.notes[0]
    assert [check.name for check in small.verify()] == ["notMNIST_small.tar.gz"]
    # The configuration says so, and is that of before where the large tar is read.
    assert small.config()["large"] is False
    assert "large" not in whole.config()
    assert datasets.registry.from_config(small.config()) == small


def test_the_sizes_without_the_large_tar_are_its_own():
    sizes = datasets.create("notmnist", large=False).config()
    assert [sizes[f"{part}_per_class"] for part in ("train", "valid", "test")] == [800, 200, 400]
    sizes = datasets.create("notmnist", large=False, train_per_class=5).config()
    assert [sizes[f"{part}_per_class"] for part in ("train", "valid", "test")] == [5, 200, 400]
    assert datasets.create("notmnist").config() == {
        "name": "notmnist",
        "root": None,
        "train_per_class": 20_000,
        "valid_per_class": 1000,
        "test_per_class": 1000,
    }


def test_an_image_of_the_test_split_does_not_train(folder):
    numbers = {f"A/again{k}.png": png(pixels("A", 10 + k)) for k in range(3)}
    write(folder, "large", range(6), files=numbers)
    data = load(folder)
    assert not contents(data.test, "A") & (contents(data.train, "A") | contents(data.valid, "A"))
    # Six good ones are wanted and there are no more: every repeated one before the last counts.
    assert len(contents(data.train, "A") | contents(data.valid, "A")) == 6
    assert "of another split" in data.notes[0]


def test_a_missing_class_or_tar_and_a_truncated_one_are_named(folder):
    path = folder / "notMNIST_large.tar.gz"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(PlausiblyError, match=r"notMNIST_large.tar.gz is damaged or not a gzipped"):
        load(folder)
    path.unlink()
    with pytest.raises(PlausiblyError, match=r"notMNIST_large.tar.gz is missing"):
        load(folder)
