"""The built-in datasets: balanced, apart, equal everywhere; and pairs of classes of any."""

import hashlib
import re

import numpy as np
import pytest
from dataset_contract import held
from fontTools.ttLib import TTFont

from engine import datasets
from engine.datasets import _glyphs
from engine.datasets._draws import Draws
from engine.datasets.letters import CHARACTERS
from engine.errors import PlausiblyError, UsageError
from engine.experiments import experiment_file

BUILT_IN = ("house_numbers", "letters", "photo_patches")


@pytest.fixture(scope="module")
def loaded():
    return {name: held(datasets.create(name).load()) for name in BUILT_IN}


@pytest.mark.parametrize(
    ("name", "shape", "sizes"),
    [
        ("letters", (1, 28, 28), [6000, 500, 1000]),
        ("house_numbers", (3, 32, 32), [6000, 500, 1000]),
        ("photo_patches", (3, 32, 32), [3222, 628, 542]),
    ],
)
def test_built_in_data_are_balanced_and_no_image_is_there_twice(loaded, name, shape, sizes):
    data = loaded[name]
    splits = (data.train, data.valid, data.test)
    assert data.shape == shape
    assert [len(split) for split in splits] == sizes
    for split in splits:
        assert len(set(np.bincount(split.labels))) == 1
        assert len(np.bincount(split.labels)) == len(data.class_names)
        # Shuffled: the first hundred show every class.
        assert set(split.labels[:100]) == set(range(len(data.class_names)))
    images = {image.tobytes() for split in splits for image in split.pixels}
    assert len(images) == sum(sizes)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_data_have_the_recorded_checksum(loaded, name):
    assert loaded[name].sha256 == datasets.create(name).expected_sha256


def test_a_split_is_found_by_its_name(loaded):
    data = loaded["letters"]
    assert data.split("train") is data.train
    assert data.split("valid") is data.valid
    assert data.split("test") is data.test


def test_arrays_of_another_layout_are_copied_into_c_order():
    channels_last = (
        np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3).transpose(0, 3, 1, 2)
    )
    labels = np.arange(4, dtype=np.int64)[::2]
    split = datasets.Split(channels_last, labels)
    assert split.pixels.flags.c_contiguous
    assert split.labels.flags.c_contiguous
    assert np.array_equal(split.pixels, channels_last)
    assert np.array_equal(split.labels, labels)
    # What is in order already is not copied.
    assert datasets.Split(split.pixels, split.labels).pixels is split.pixels


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (np.zeros((2, 1, 3, 3), np.float32), np.zeros(2, np.int64), "must be uint8, not float32"),
        (np.zeros((2, 1, 3, 3), np.uint8), np.zeros(2, np.int32), "must be int64, not int32"),
        (np.zeros((2, 3, 3), np.uint8), np.zeros(2, np.int64), r"4 axes, not \(2, 3, 3\)"),
        (np.zeros((2, 1, 3, 3), np.uint8), np.zeros(3, np.int64), "2 images have 3 labels"),
    ],
)
def test_arrays_of_another_type_or_shape_are_refused(pixels, labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        datasets.Split(pixels, labels)


def test_draws_stay_in_range_and_come_from_the_promised_stream():
    drawn = Draws(7).between(-3, 3, 70_000)
    assert (drawn.min(), drawn.max()) == (-3, 3)
    assert np.abs(np.bincount(drawn + 3) / 10_000 - 1).max() < 0.05
    raw = np.random.PCG64(7).random_raw(5)
    assert Draws(7).between(0, 999, 5).tolist() == [(int(r) >> 32) * 1000 >> 32 for r in raw]
    assert sorted(Draws(1).order(50)) == list(range(50))


def test_no_font_family_is_in_two_splits():
    families = {}
    for font in _glyphs.FONTS:
        family = _glyphs.family(_glyphs.matplotlib_font(font.file))
        assert families.setdefault(family, font.split) == font.split
    assert {"STIXGeneral": "test", "DejaVu Sans": "train"}.items() <= families.items()


def test_outlines_are_filled_as_pillow_fills_them():
    from PIL import Image, ImageDraw, ImageFont

    font = next(f for f in _glyphs.FONTS if f.file == "DejaVuSerif-Bold.ttf")
    path = _glyphs.matplotlib_font(font.file)
    glyphs = _glyphs.draw(path, font.sha256, CHARACTERS)
    for character, master in zip(CHARACTERS, glyphs.masters, strict=True):
        canvas = Image.new("L", (900, 900))
        ImageDraw.Draw(canvas).text((100, 50), character, 255, ImageFont.truetype(str(path), 600))
        box = canvas.getbbox()
        rows, columns = np.flatnonzero(master.any(1)), np.flatnonzero(master.any(0))
        ours = master[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert max(ours.shape) in (_glyphs.EXTENT, _glyphs.EXTENT - 1)
        theirs = np.asarray(canvas.crop(box).resize(ours.shape[::-1])) > 127
        assert (ours != theirs).mean() < 0.02, character


def test_an_affine_map_turns_and_scales_about_the_centre():
    # A square of 104 master pixels whose right half is empty, drawn 26 pixels high.
    master = np.zeros((1, _glyphs.MASTER, _glyphs.MASTER), np.uint8)
    master[0, 24:232, 24:128] = 1
    glyphs = _glyphs.Glyphs(master, np.array([208]))

    def covered(turn=0, shift=(0, 0)):
        maps = _glyphs.affine(
            height=np.array([26 * 64]),
            stretch=np.array([_glyphs.ONE]),
            slant=np.array([0]),
            turn=np.array([turn]),
        )
        return _glyphs.sample(glyphs, np.array([0]), maps, np.array([shift]), 32)[0]

    expected = np.zeros((32, 32))
    expected[3:29, 3:16] = _glyphs.COVERED
    assert np.array_equal(covered(), expected)
    assert np.array_equal(covered(shift=(128, -64)), np.roll(expected, (-1, 2), (0, 1)))
    # Turned counterclockwise, the foot of the left half comes to the right.
    assert covered(turn=400)[-8:, 16:].sum() > 0 == covered(turn=400)[:8, 16:].sum()


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("cmex10.ttf", "it has parenrightbt for A"),
        ("STIXNonUni.ttf", "it has no sign for A"),
        ("LastResortHE-Regular.ttf", "it has lastresortlatin for A"),
    ],
)
def test_fonts_that_are_not_letters_are_refused(file, reason):
    path = _glyphs.matplotlib_font(file)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UsageError, match=reason):
        _glyphs.draw(path, sha256, CHARACTERS)


def renamed_font(path, family, source="cmtt10.ttf", alike=False):
    """Write a copy of a font of another family; `alike` draws I as J."""
    with TTFont(_glyphs.matplotlib_font(source)) as font:
        for record in font["name"].names:
            if record.nameID in (1, 16):
                record.string = family
        if alike:
            font["glyf"]["I"] = font["glyf"]["J"]
        font.save(path)
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_system_fonts_join_training_and_are_recorded(loaded, tmp_path):
    font = renamed_font(tmp_path / "mine.ttf", "Mine")
    letters = datasets.create("letters", system_fonts=[font])
    assert letters.config()["system_fonts"] == [font]
    assert datasets.registry.from_config(letters.config()) == letters
    data = letters.load()
    assert data.train.pixels.shape == loaded["letters"].train.pixels.shape
    assert not np.array_equal(data.train.pixels, loaded["letters"].train.pixels)
    assert np.array_equal(data.test.pixels, loaded["letters"].test.pixels)


def test_system_fonts_that_would_spoil_the_data_are_refused(tmp_path):
    def load(font):
        return datasets.create("letters", system_fonts=[font]).load()

    with pytest.raises(UsageError, match="of the family cmtt10, which is"):
        load(renamed_font(tmp_path / "a.ttf", "cmtt10"))
    with pytest.raises(UsageError, match="draws two of them alike"):
        load(renamed_font(tmp_path / "b.ttf", "Alike", alike=True))
    font = renamed_font(tmp_path / "c.ttf", "Other")
    with pytest.raises(PlausiblyError, match=f"has SHA-256 {font['sha256']}, expected 0000"):
        load({**font, "sha256": "0" * 64})
    with pytest.raises(PlausiblyError, match="cannot be read: No such file"):
        load({**font, "path": str(tmp_path / "none.ttf")})
    (tmp_path / "d.ttf").write_bytes(b"no font")
    with pytest.raises(UsageError, match="is not a font that can be read"):
        load(
            {
                "path": str(tmp_path / "d.ttf"),
                "sha256": hashlib.sha256(b"no font").hexdigest(),
            }
        )


def test_patches_of_different_splits_share_no_pixel():
    from engine.datasets import photo_patches as module

    # A photograph whose every pixel is another colour: which pixels a patch has shows in it.
    height, width, _ = module._SHAPE
    number = np.arange(height * width).reshape(height, width)
    coordinates = np.stack([number & 255, number >> 8 & 255, number >> 16], axis=2)
    cut = module._cut("temple", coordinates.astype(np.uint8))
    pixels = {
        part: {
            int(n)
            for patch in patches
            for n in (patch.astype(np.int64) * [[[1]], [[256]], [[65536]]]).sum(0).ravel()
        }
        for part, patches in cut.items()
    }
    assert all(pixels.values())
    assert not pixels["train"] & pixels["test"]
    assert not pixels["train"] & pixels["valid"]
    assert not pixels["valid"] & pixels["test"]


def test_a_pair_is_the_two_classes_as_a_binary_task():
    pair = datasets.create("digits:8,3")
    data, whole = pair.load(), datasets.create("digits").load()
    assert data.class_names == ("8", "3")
    assert set(data.train.labels) == {0, 1}
    kept = np.isin(whole.test.labels, (8, 3))
    assert np.array_equal(data.test.pixels, whole.test.pixels[kept])
    assert np.array_equal(data.test.labels, whole.test.labels[kept] == 3)
    assert data.test.labels.dtype == np.int64


def test_a_pair_is_rebuilt_from_its_config_and_repr():
    pair = datasets.create("svhn:0,1", extra=False)
    assert pair.config()["name"] == "svhn:0,1"
    assert pair.config()["extra"] is False
    assert datasets.registry.from_config(pair.config()) == pair
    assert eval(repr(pair), {"datasets": datasets}) == pair
    assert datasets.registry.from_config("svhn:0,1") != pair


def test_an_experiment_file_names_a_pair(tmp_path):
    text = (experiment_file.BUILT_IN / "demo.yaml").read_text()
    changed = re.sub(r"^dataset: .*$", 'dataset: "digits:3,8"', text, flags=re.M)
    assert changed != text
    (tmp_path / "pair.yaml").write_text(changed)
    assert experiment_file.load(str(tmp_path / "pair.yaml")).dataset == datasets.create(
        "digits:3,8"
    )


@pytest.mark.parametrize("name", ["digits:3", "digits:3,3", "digits:", "digits:1,2,3"])
def test_a_pair_needs_two_different_classes(name):
    with pytest.raises(UsageError, match="must name two classes"):
        datasets.create(name)


def test_a_pair_of_unknown_classes_or_base_is_refused():
    with pytest.raises(UsageError, match=r"dataset 'digits' has no class 'x'; known: 0, 1"):
        datasets.create("digits:3,x").load()
    with pytest.raises(UsageError, match="unknown dataset 'nonsense'; known: "):
        datasets.create("nonsense:a,b")
