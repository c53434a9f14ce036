"""A user's own images: any format, size and colour, divided by content or by the user."""

import numpy as np
import pytest
from dataset_contract import held
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
    return held(datasets.create("folder", root=str(root), **params).load())


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
        "skipped 1 file that is no image: dog/text.jpg",
        "skipped 1 file that is damaged or cut short: cat/cut.png",
        "skipped 1 hidden entry: .hidden",
        "skipped 1 repeated image: cat/again.png",
        "skipped 1 file of a kind that is not read (1 .txt): dog/notes.txt",
    )


def test_one_image_in_two_classes_or_splits_is_refused(tmp_path):
    fill(tmp_path / "a")
    save(tmp_path / "a" / "dog" / "cat.png", picture(0))
    with pytest.raises(
        UsageError, match=r"in two classes or splits, as cat/0\.png and dog/cat\.png"
    ):
        load(tmp_path / "a")
    for part in ("train", "valid", "test"):
        fill(tmp_path / "b" / part, count=2)
    with pytest.raises(UsageError, match=r"as train/cat/\d\.png and valid/cat/\d\.png"):
        load(tmp_path / "b")


def test_two_blank_pictures_are_not_said_to_be_one(tmp_path):
    fill(tmp_path)
    for name in ("cat", "dog"):
        save(tmp_path / name / "blank.png", np.full((12, 16, 3), 255, np.uint8))
    with pytest.raises(UsageError, match=r"dog/blank\.png have the same colour all over, \[255"):
        load(tmp_path)
    (tmp_path / "dog" / "blank.png").unlink()
    assert load(tmp_path).notes == ("1 image has one colour all over: cat/blank.png",)


def test_a_missing_split_is_named(tmp_path):
    fill(tmp_path / "train")
    with pytest.raises(UsageError, match="has train but no valid and no test; give train and test"):
        load(tmp_path)
    fill(tmp_path / "valid", names=("cat",), start=200)
    with pytest.raises(UsageError, match="has train and valid but no test"):
        load(tmp_path)
    fill(tmp_path / "test", start=100)
    with pytest.raises(UsageError, match="leaves no image of dog for valid"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["val", "validation"])
def test_other_names_of_valid_mean_the_same(tmp_path, name):
    for start, part in enumerate(("train", "valid", "test")):
        fill(tmp_path / part, count=2, start=start * 100)
    as_valid = load(tmp_path)
    (tmp_path / "valid").rename(tmp_path / name)
    assert load(tmp_path).sha256 == as_valid.sha256
    assert as_valid.notes == load(tmp_path).notes == ()
    (tmp_path / "valid").mkdir()
    with pytest.raises(UsageError, match=f"has valid and {name}, which all mean valid"):
        load(tmp_path)


def test_a_class_may_be_called_val_where_there_are_no_splits(tmp_path):
    fill(tmp_path, names=("val", "car"))
    assert load(tmp_path).class_names == ("car", "val")


def test_without_valid_a_share_of_train_is_taken_whatever_its_names(tmp_path):
    fill(tmp_path / "train", count=20)
    fill(tmp_path / "test", count=4, start=100)
    data = load(tmp_path)
    assert [np.bincount(s.labels).tolist() for s in (data.train, data.valid, data.test)] == [
        [17, 17],
        [3, 3],
        [4, 4],
    ]
    assert len(set(images(data))) == 48
    assert data.notes == ("there is no valid: 15% of each class were taken from train",)
    for path in list((tmp_path / "train" / "cat").iterdir()):
        path.rename(path.with_name(f"renamed-{path.name}"))
    assert load(tmp_path).sha256 == data.sha256
    assert [len(s) for s in (load(tmp_path, valid_share=0.25).valid,)] == [10]


def test_too_few_classes_or_images_and_no_root_are_named(tmp_path):
    with pytest.raises(UsageError, match="root is missing"):
        datasets.create("folder").load()
    with pytest.raises(PlausiblyError, match="is not a folder"):
        load(tmp_path / "none")
    fill(tmp_path, names=("cat",))
    with pytest.raises(UsageError, match="has 1 folder with images"):
        load(tmp_path)
    fill(tmp_path, names=("dog",), count=2, start=500)
    with pytest.raises(UsageError, match="leaves no image of dog for train"):
        load(tmp_path)


def test_what_uses_no_later_parameter_has_the_configuration_and_checksum_of_before(tmp_path):
    """The keys of models rest on both: models that were trained before are found again."""
    fill(tmp_path)
    assert load(tmp_path).sha256 == (
        "3aa8a6a47c397f69c15669bc33bebdf8bd211e1e9cb9c9f069ebcd1e3793b8a4"
    )
    made = datasets.create("folder", root="/x", background="white", range=None)
    assert made.config() == {
        "name": "folder",
        "root": "/x",
        "size": None,
        "colour": "auto",
        "valid_share": 0.15,
        "test_share": 0.25,
    }


def test_later_parameters_stand_in_the_configuration_where_they_are_used():
    made = datasets.create("folder", root="/x", background="#ABC", range=[0, 4095])
    assert made.config()["background"] == "#aabbcc"
    assert made.config()["range"] == [0, 4095]
    assert "follow_links" not in made.config()
    assert datasets.registry.from_config(made.config()) == made
    assert made == datasets.create("folder", root="/x", background=[170, 187, 204], range=(0, 4095))
    pair = datasets.create("folder:a,b", root="/x", follow_links=True)
    assert pair.config()["follow_links"] is True
    assert "background" not in pair.config()


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("range", [1, 1], "low must be below high"),
        ("range", [0, float("inf")], "finite number"),
        ("background", "whitish", "a colour is a name"),
        ("background", "#12345678", "a colour is a name"),
        ("background", [0, 0, 256], "three whole numbers from 0 to 255"),
    ],
)
def test_a_wrong_range_or_background_is_refused(parameter, value, message):
    with pytest.raises(UsageError, match=message):
        datasets.create("folder", root="/x", **{parameter: value})


def test_deep_and_transparent_pictures_are_counted(tmp_path):
    fill(tmp_path, shape=(8, 8))
    deep = np.random.default_rng(0).integers(0, 4096, (8, 8)).astype(np.uint16)
    save(tmp_path / "cat" / "deep.png", deep)
    assert load(tmp_path).notes == (
        f"1 image of 16 bits, with values from {deep.min()} to {deep.max()}, became dark, and most "
        f"grey levels were lost; give range: [{deep.min()}, {deep.max()}] to keep them",
    )
    assert load(tmp_path, range=[0, 4095]).notes == ()
    clipped = load(tmp_path, range=[0, 1000]).notes
    assert clipped == (
        "1 image has values beyond range [0.0, 1000.0], which became black or white: cat/deep.png",
    )
    (tmp_path / "cat" / "deep.png").unlink()
    seen = np.zeros((8, 8, 2), np.uint8)
    seen[:4, :, 1] = 255
    save(tmp_path / "dog" / "glass.png", seen)
    with_glass = load(tmp_path, background="#808080")
    assert with_glass.shape == (1, 8, 8)
    assert with_glass.notes == (
        "1 image is transparent and was put on the background #808080: dog/glass.png",
    )
    # Grey pictures on a coloured ground are in colour.
    assert load(tmp_path, background="red", range=[0, 1]).shape == (3, 8, 8)
    assert "was not used" in load(tmp_path, background="red", range=[0, 1]).notes[-1]


def test_a_class_of_deep_pictures_needs_a_range_and_single_ones_are_skipped(tmp_path):
    fill(tmp_path, shape=(8, 8))
    values = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    save(tmp_path / "cat" / "odd.tif", values)
    assert load(tmp_path).notes == (
        "skipped 1 file with 32-bit values, which need range: [low, high]: cat/odd.tif",
    )
    for k in range(3):
        save(tmp_path / "cat" / f"{k}.tif", values / (k + 2))
    with pytest.raises(
        UsageError, match=r"4 of 24 files in .*cat have 32-bit values, here from 0\."
    ):
        load(tmp_path)
    assert len(images(load(tmp_path, range=[0, 1]))) == 44


def test_pictures_of_16_bits_that_differ_stay_different(tmp_path):
    """Clipped at 255 they were all white: repeated within a class, "the same image" in two."""
    for number, name in enumerate(("cat", "dog")):
        for k in range(6):
            save(tmp_path / name / f"{k}.png", picture(10 * number + k, (8, 8)) * np.uint16(257))
    data = load(tmp_path)
    assert data.notes == ()
    assert len(set(images(data))) == 12
    assert data.train.pixels.flags.c_contiguous


def test_colour_pictures_are_stored_in_c_order(tmp_path):
    fill(tmp_path, count=4)
    data = load(tmp_path)
    for split in (data.train, data.valid, data.test):
        assert split.pixels.flags.c_contiguous
        assert split.images.flags.c_contiguous
