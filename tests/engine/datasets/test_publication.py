"""Whether data are as published: by the hashes of their files, and later without any file."""

from __future__ import annotations

import hashlib
from typing import ClassVar

import pytest

from engine import datasets
from engine.datasets import NOT_RECORDED, Data, Dataset, File, Pair, Published, publication

CONTENT = {"images.gz": b"images", "labels.gz": b"labels"}


class Letters(Published):
    """Two files that somebody publishes."""

    files: ClassVar[tuple[File, ...]] = tuple(
        File(name, f"http://127.0.0.1/{name}", hashlib.sha256(content).hexdigest())
        for name, content in CONTENT.items()
    )

    def load(self) -> Data:
        raise AssertionError("only its files are looked at")


class Own(Dataset):
    """Something of a user's."""


@pytest.fixture
def letters(tmp_path):
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    return Letters(root=str(tmp_path))


def test_files_with_the_published_hashes_are_as_published(letters):
    found = publication(letters, "d" * 64)
    assert str(found) == "as published: all 2 files have the published SHA-256"
    assert found.state == "as published"
    # What two classes are chosen from is what was published.
    assert publication(Pair(base=letters, classes=("a", "b")), "e" * 64) == found


def test_a_changed_file_is_named_with_both_hashes_and_no_path(letters, tmp_path):
    (tmp_path / "labels.gz").write_bytes(b"other")
    found = publication(letters, "d" * 64)
    assert found.state == "not as published"
    assert found.reason == (
        f"labels.gz has SHA-256 {hashlib.sha256(b'other').hexdigest()}, published is "
        f"{hashlib.sha256(b'labels').hexdigest()}"
    )


def test_without_a_published_hash_nobody_knows(letters, monkeypatch):
    monkeypatch.setattr(Letters, "files", (Letters.files[0], File("labels.gz")))
    found = publication(letters, "d" * 64)
    assert (found.state, found.words) == ("unknown", "unknown whether as published")
    assert found.reason.endswith("labels.gz")
    assert publication(Own(), "d" * 64).reason == "images of one's own have no published hash"


def test_built_in_data_are_known_by_their_checksum():
    digits = datasets.create("digits")
    assert publication(digits, str(digits.expected_sha256)).state == "built in"
    assert publication(datasets.create("digits:3,8"), "d" * 64).state == "built in"
    changed = publication(digits, "d" * 64)
    assert changed.state == "not as published"
    assert "dddddddddddd…" in changed.reason


def test_long_after_the_files_are_not_looked_at(letters, monkeypatch):
    monkeypatch.setattr(Letters, "verify", lambda _self: pytest.fail("a file was hashed"))
    assert datasets.without_files(letters, "d" * 64) == NOT_RECORDED
    assert datasets.without_files(Pair(base=letters, classes=("a", "b")), "") == NOT_RECORDED
    digits = datasets.create("digits")
    assert datasets.without_files(digits, str(digits.expected_sha256)).state == "built in"
