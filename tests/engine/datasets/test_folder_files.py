"""What else lies in a folder of images: nothing is lost in silence, and no FIFO is opened."""

import os
import socket

import numpy as np
import pytest
from PIL import Image

from engine import datasets
from engine.errors import PlausiblyError, UsageError


def picture(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 6), np.uint8))


@pytest.fixture
def root(tmp_path):
    """Two classes of 15 images, so that one skipped file is less than a tenth."""
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / "root" / name).mkdir(parents=True)
        for k in range(15):
            picture(100 * number + k).save(tmp_path / "root" / name / f"{k:02}.png")
    return tmp_path / "root"


def load(root, **params):
    return datasets.create("folder", root=str(root), **params).load()


def total(data):
    return len(data.train) + len(data.valid) + len(data.test)


def test_fifos_sockets_and_devices_are_never_opened(root, monkeypatch):
    os.mkfifo(root / "cat" / "pipe.png")
    (root / "dog" / "device.png").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root / "cat")  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        data = load(root, follow_links=True)
    assert total(data) == 30
    assert data.notes == (
        "skipped 4 FIFOs, sockets or devices: pipe, cat/pipe.png, cat/socket.png, …",
    )


def test_links_are_followed_within_the_folder_only(root, tmp_path):
    plain = load(root)
    (root / ".pool").mkdir()
    (root / "cat" / "00.png").rename(root / ".pool" / "00.png")
    (root / "cat" / "00.png").symlink_to("../.pool/00.png")
    data = load(root)
    assert data.sha256 == plain.sha256
    assert data.notes == ("skipped 1 hidden entry: .pool",)

    picture(7000).save(tmp_path / "outside.png")
    (root / "cat" / "out.png").symlink_to(tmp_path / "outside.png")
    assert load(root).sha256 == plain.sha256
    assert (
        "skipped 1 symbolic link that leads out of the folder, which needs follow_links: true: "
        "cat/out.png" in load(root).notes
    )
    assert total(load(root, follow_links=True)) == 31
    # The folder itself may be a link.
    (tmp_path / "alias").symlink_to(root)
    assert load(tmp_path / "alias").sha256 == plain.sha256


def test_a_class_of_links_that_lead_out_is_refused_with_the_remedy(root, tmp_path):
    (root / "dog").rename(tmp_path / "elsewhere")
    (root / "dog").mkdir()
    for path in (tmp_path / "elsewhere").iterdir():
        (root / "dog" / path.name).symlink_to(path)
    with pytest.raises(UsageError, match=r"15 of 15 files in .*dog are symbolic links .* out of"):
        load(root)
    farm = load(root, follow_links=True)
    for path in (root / "dog").iterdir():
        path.unlink()
    (root / "dog").rmdir()
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"dog is a symbolic link .*; give follow_links: true"):
        load(root)
    assert load(root, follow_links=True).sha256 == farm.sha256


def test_links_in_a_circle_and_into_nothing_are_skipped(root):
    plain = load(root)
    (root / "cat" / "self.png").symlink_to("self.png")
    (root / "dog" / "gone.png").symlink_to("nowhere.png")
    (root / "cat" / "up").symlink_to("..")
    (root / "round").symlink_to(".")
    data = load(root)
    assert data.sha256 == plain.sha256
    assert data.notes == (
        "skipped 2 symbolic links that lead nowhere: cat/self.png, dog/gone.png",
        "skipped 2 symbolic links to folders that hold them: round, cat/up",
    )
    for k in range(2):
        (root / "dog" / f"gone{k}.png").symlink_to("nowhere.png")
    with pytest.raises(
        UsageError, match=r"3 of 18 files in .*dog are symbolic links that lead now"
    ):
        load(root)


def test_everything_that_is_no_image_of_a_class_is_counted_by_kind(root):
    plain = load(root)
    (root / "cat" / "more" / "deep").mkdir(parents=True)
    for k in range(3):
        picture(500 + k).save(root / "cat" / "more" / "deep" / f"{k}.png")
    picture(600).save(root / "lost.png")
    for name in ("cat/a.svg", "dog/b.heic", "dog/c.HEIC", "dog/README", "cat/.DS_Store"):
        (root / name).write_text("x")
    (root / "cat" / "empty.png").touch()
    (root / "empty").mkdir()
    data = load(root)
    assert data.sha256 == plain.sha256
    assert data.notes == (
        "skipped 1 empty file: cat/empty.png",
        "skipped 1 hidden entry: cat/.DS_Store",
        "skipped 1 folder inside a class's folder with 3 images: cat/more",
        "skipped 1 image outside of a class's folder: lost.png",
        "skipped 1 folder without images: empty",
        "skipped 4 files of kinds that are not read (2 .heic, 1 .svg, 1 without a suffix): "
        "cat/a.svg, dog/README, dog/b.heic, …",
    )


def test_jfif_is_read(root):
    picture(1000).convert("RGB").save(root / "cat" / "web.jfif", "JPEG")
    data = load(root)
    assert total(data) == 31
    assert data.notes == ()


def test_a_class_is_never_lost_in_silence(root):
    (root / "heron").mkdir()
    (root / "heron" / "1.heic").write_text("x")
    with pytest.raises(UsageError, match=r"heron has pictures, but none of a kind .* \(1 \.heic\)"):
        load(root)
    (root / "heron" / "1.heic").unlink()
    (root / "heron" / "grey").mkdir()
    (root / "cat").rename(root / "heron" / "grey" / "cat")
    with pytest.raises(UsageError, match=r"heron has no image itself, but 15 in .*heron/grey"):
        load(root)


def test_a_class_whose_files_all_fail_is_named_with_the_reason(root):
    for path in (root / "dog").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(
        UsageError, match=r"no image of dog for train; skipped 15 files that are no"
    ):
        load(root)


@pytest.mark.parametrize("twin", ["cafe\u0301", "caf\u00e9 ", "caf\u00e9\u200b", "caf\u00e9\u00a0"])
def test_names_that_look_the_same_are_refused(root, twin):
    for seed, name in enumerate(("caf\u00e9", twin)):
        (root / name).mkdir()
        picture(2000 + seed).save(root / name / "x.png")
    with pytest.raises(UsageError, match="names that look the same, 'caf\u00e9'") as caught:
        load(root)
    assert ascii(twin) in str(caught.value)
    assert ascii("caf\u00e9") in str(caught.value)


def test_names_that_differ_in_case_are_kept_and_said(root):
    """Letters are such classes; on a list of animals it is a slip."""
    (root / "dog").rename(root / "Cat")
    data = load(root)
    assert data.class_names == ("Cat", "cat")
    assert data.notes == ("the names of two classes differ in case or width alone: Cat, cat",)


def test_names_that_are_no_text_are_written_as_such(root):
    (root / "cat" / os.fsdecode(b"\xff.png")).touch()
    (note,) = load(root).notes
    assert note == "skipped 1 empty file: cat/\\udcff.png"
    (root / "dog").rename(root / os.fsdecode(b"d\xf6g"))
    with pytest.raises(UsageError, match=r"the class 'd\\udcf6g' is not UTF-8; rename its folder"):
        load(root)


def test_folders_beside_the_splits_are_counted(root, tmp_path):
    split = tmp_path / "split"
    for part in ("train", "test"):
        (split / part).mkdir(parents=True)
    (root / "cat").rename(split / "train" / "cat")
    (root / "dog").rename(split / "train" / "dog")
    for seed, name in enumerate(("cat", "dog")):
        (split / "test" / name).mkdir()
        picture(3000 + seed).save(split / "test" / name / "x.png")
    (split / "extra").mkdir()
    picture(4000).save(split / "test" / "stray.png")
    assert load(split).notes == (
        "skipped 1 image outside of a class's folder: test/stray.png",
        "skipped 1 folder beside the splits: extra",
        "there is no valid: 15% of each class were taken from train",
    )


def test_a_folder_that_is_none_is_named(root):
    with pytest.raises(PlausiblyError, match="is not a folder"):
        load(root / "cat" / "00.png")
