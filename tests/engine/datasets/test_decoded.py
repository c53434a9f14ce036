"""Decoded data that processes share: whole or absent, checked, and never without a place."""

import os

import numpy as np
import pytest
from dataset_contract import held

from engine.datasets import Data, Split, _decoded
from engine.datasets._decoded import shared
from engine.errors import PlausiblyError

RANDOM = np.random.default_rng(0)
PIXELS = {part: RANDOM.integers(0, 256, (6, 1, 4, 4), np.uint8) for part in ("train", "valid")}
PIXELS["test"] = RANDOM.integers(0, 256, (6, 1, 4, 4), np.uint8)


class Decoder:
    def __init__(self):
        self.calls = 0

    def __call__(self, empty):
        self.calls += 1
        splits = []
        for part, pixels in PIXELS.items():
            array = empty(part, pixels.shape)
            array[:] = pixels
            splits.append(Split(array, np.arange(6) % 2))
        return Data(splits[0], splits[1], splits[2], ("no", "yes"), ("a note",))


def test_it_is_decoded_once(tmp_path):
    decode = Decoder()
    first = held(shared([tmp_path], "key", decode))
    again = held(shared([tmp_path], "key", decode))
    assert decode.calls == 1
    assert again.sha256 == first.sha256
    assert np.array_equal(again.train.pixels, PIXELS["train"])
    assert (again.class_names, again.notes) == (("no", "yes"), ("a note",))
    assert [path.name for path in tmp_path.iterdir()] == ["decoded-key"]
    shared([tmp_path], "other", decode)
    assert decode.calls == 2


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("train-pixels.npy", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
        ("test-pixels.npy", lambda content: content[:-3]),
        ("valid-labels.npy", lambda content: b""),
        ("about.json", lambda content: content.replace(b"yes", b"yet")),
        ("about.json", lambda content: b"[]"),
    ],
)
def test_what_was_damaged_is_decoded_again(tmp_path, name, change):
    decode = Decoder()
    first = shared([tmp_path], "key", decode).sha256
    path = tmp_path / "decoded-key" / name
    path.write_bytes(change(path.read_bytes()))
    assert shared([tmp_path], "key", decode).sha256 == first
    assert shared([tmp_path], "key", decode).sha256 == first
    assert decode.calls == 2


def test_where_a_folder_cannot_be_written_the_next_is_taken(tmp_path):
    decode = Decoder()
    (tmp_path / "file").write_text("")
    closed, cache = tmp_path / "file" / "inside", tmp_path / "cache"
    for _ in range(2):
        shared([closed, cache], "key", decode)
    assert decode.calls == 1
    assert (cache / "decoded-key").is_dir()
    # With no place at all each load decodes.
    for _ in range(2):
        assert held(shared([closed], "key", decode)).notes == ("a note",)
    assert decode.calls == 3


def test_a_full_disk_leaves_nothing_and_kills_nobody(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    decode = Decoder()
    assert held(shared([tmp_path], "key", decode)).notes == ("a note",)
    assert list(tmp_path.iterdir()) == []


def test_what_a_decoder_refuses_is_raised_and_leaves_nothing(tmp_path):
    def refuse(empty):
        empty("train", (2, 1, 4, 4))
        raise PlausiblyError("damaged")

    with pytest.raises(PlausiblyError, match="damaged"):
        shared([tmp_path], "key", refuse)
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_killed_processes_are_removed_when_they_are_old(tmp_path):
    old, new = tmp_path / ".decoded-key-1", tmp_path / ".decoded-key-2"
    for draft in (old, new):
        draft.mkdir()
    os.utime(old, (0, 0))
    shared([tmp_path], "key", Decoder())
    assert not old.exists()
    assert new.exists()
    assert _decoded._ABANDONED_S > 3600
