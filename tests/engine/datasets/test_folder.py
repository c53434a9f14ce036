"""A user's own images: any format, size and colour, divided by content or by the user."""

import numpy as np
import pytest
from PIL import Image

from engine import datasets
from engine.errors import PlausiblyError, UsageError


def picture(seed, shape=(12, 16, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def fill(root, names=("cat", "dog"), count=20, shape=(12, 16, 3), start=0):
    for number, name in enumerate(names):
        for k in range(count):
            save(root / name / f"{k}.png", picture(start + 1000 * number + k, shape))


def load(root, **params):
    return datasets.create("folder", root=str(root), **params).load()


def images(data):
    return [p.tobytes() for s in (data.train, data.valid, data.test) for p in s.pixels]


def test_images_are_divided_within_each_class_whatever_their_names(tmp_path):
    fill(tmp_path)
    data = load(tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.shape == (3, 12, 16)
    assert [np.bincount(s.labels).tolist() for s in (data.train, data.valid, data.test)] == [
        [12, 12],
        [3, 3],
        [5, 5],
    ]
    assert len(set(images(data))) == 40
    cats = {picture(k).transpose(2, 0, 1).tobytes() for k in range(20)}
    assert {p.tobytes() for p in data.test.pixels[data.test.labels == 0]} <= cats
    for path in list((tmp_path / "cat").iterdir()):
        path.rename(path.with_name(f"renamed-{path.name}"))
    assert load(tmp_path).sha256 == data.sha256


def test_the_users_own_division_is_kept(tmp_path):
    for start, part in enumerate(("train", "valid", "test")):
        fill(tmp_path / part, count=4 - start, start=start * 100)
    data = load(tmp_path)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [8, 6, 4]


def test_grey_images_stay_grey_and_one_in_colour_makes_all_rgb(tmp_path):
    fill(tmp_path, shape=(8, 8))
    assert load(tmp_path).shape == (1, 8, 8)
    assert load(tmp_path, colour="rgb").shape == (3, 8, 8)
    save(tmp_path / "cat" / "colour.png", picture(1, (8, 8, 3)))
    assert load(tmp_path).shape == (3, 8, 8)
    assert load(tmp_path, colour="grey").shape == (1, 8, 8)


def test_images_of_several_sizes_need_one_to_scale_to(tmp_path):
    fill(tmp_path)
    save(tmp_path / "cat" / "other.png", picture(5, (30, 20, 3)))
    with pytest.raises(UsageError, match=r"2 sizes \(12x16, 30x20\); give size: \[height, width\]"):
        load(tmp_path)
    assert load(tmp_path, size=[24, 20]).shape == (3, 24, 20)


def test_corrupt_and_repeated_images_are_skipped_and_counted(tmp_path):
    fill(tmp_path)
    clean = load(tmp_path)
    good = (tmp_path / "cat" / "0.png").read_bytes()
    (tmp_path / "cat" / "again.png").write_bytes(good)
    (tmp_path / "cat" / "cut.png").write_bytes(good[: len(good) // 2])
    (tmp_path / "dog" / "text.jpg").write_bytes(b"no image")
    (tmp_path / "dog" / "notes.txt").write_text("not looked at")
    (tmp_path / ".hidden").mkdir()
    data = load(tmp_path)
    assert data.sha256 == clean.sha256
    assert data.notes == (
        "skipped 2 files that cannot be read: cat/cut.png, dog/text.jpg",
        "skipped 1 repeated image",
    )


def test_one_image_in_two_classes_or_splits_is_refused(tmp_path):
    fill(tmp_path / "a")
    save(tmp_path / "a" / "dog" / "cat.png", picture(0))
    with pytest.raises(UsageError, match="the same image is in cat and in dog"):
        load(tmp_path / "a")
    for part in ("train", "valid", "test"):
        fill(tmp_path / "b" / part, count=2)
    with pytest.raises(UsageError, match="the same image is in train/cat and in valid/cat"):
        load(tmp_path / "b")


def test_a_missing_split_is_named(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "test", start=100)
    with pytest.raises(UsageError, match="has train and test but no valid"):
        load(tmp_path)
    fill(tmp_path / "valid", names=("cat",), start=200)
    with pytest.raises(UsageError, match="leaves no image of dog for valid"):
        load(tmp_path)


def test_too_few_classes_or_images_and_no_root_are_named(tmp_path):
    with pytest.raises(UsageError, match="root is missing"):
        datasets.create("folder").load()
    with pytest.raises(PlausiblyError, match="is not a folder"):
        load(tmp_path / "none")
    fill(tmp_path, names=("cat",))
    with pytest.raises(UsageError, match="has 1 folders with images"):
        load(tmp_path)
    fill(tmp_path, names=("dog",), count=2, start=500)
    with pytest.raises(UsageError, match="leaves no image of dog for train"):
        load(tmp_path)
