"""Published files: fetched, resumed, compared with their hashes; every failure named."""

import errno
import hashlib
import shutil
from collections import namedtuple
from typing import ClassVar

import pytest
from file_server import file_server

from engine import datasets
from engine.datasets import _published
from engine.datasets._published import File, Published
from engine.errors import PlausiblyError

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server() as running:
        running.files["data.bin"] = CONTENT
        yield running


def published(server, root, **expected):
    class Small(Published):
        name = "small"
        files: ClassVar = (File("data.bin", server.url + "data.bin", **expected),)

    return Small(root=str(root))


def test_a_file_is_fetched_with_progress_and_not_again(server, tmp_path):
    seen = []
    dataset = published(server, tmp_path / "new", sha256=SHA256)
    checks = dataset.fetch(lambda *told: seen.append(told))
    assert [(c.name, c.status, c.sha256) for c in checks] == [("data.bin", "as published", SHA256)]
    (path,) = dataset.paths(dataset.files[0])
    assert path.read_bytes() == CONTENT
    assert seen[0] == ("data.bin", 0, len(CONTENT))
    assert seen[-1] == ("data.bin", len(CONTENT), len(CONTENT))
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["data.bin"]
    dataset.fetch()
    assert len(server.asked) == 1


def test_a_cut_download_is_resumed_where_it_was_cut(server, tmp_path):
    server.cut = 30_000
    dataset = published(server, tmp_path, sha256=SHA256)
    with pytest.raises(PlausiblyError, match="connection was cut after 90000 bytes; fetch again"):
        dataset.fetch()
    assert not (tmp_path / "data.bin").exists()
    dataset.fetch()
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    starts = [wanted for _, wanted in server.asked]
    assert starts == [None, "bytes=30000-", "bytes=60000-", "bytes=90000-"]


def test_a_server_without_ranges_starts_anew(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    published(server, tmp_path, sha256=SHA256).fetch()
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_starts_anew(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT + b"more")
    published(server, tmp_path, sha256=SHA256).fetch()
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_another_file_than_was_published_is_not_kept(server, tmp_path):
    with pytest.raises(PlausiblyError, match=r"data.bin sent .*deleted"):
        published(server, tmp_path, sha256="0" * 64).fetch()
    assert list(tmp_path.iterdir()) == []


def test_without_a_published_hash_nothing_is_known(server, tmp_path):
    dataset = published(server, tmp_path)
    assert [(c.status, c.sha256) for c in dataset.fetch()] == [("unknown", SHA256)]
    assert [c.status for c in dataset.verify()] == ["unknown"]


def test_what_is_unpacked_is_found_verified_and_not_fetched(server, tmp_path):
    halves = CONTENT[:1000], CONTENT[1000:]
    first, second = (
        File(f"inside/{k}.bin", sha256=hashlib.sha256(half).hexdigest())
        for k, half in enumerate(halves)
    )
    dataset = published(server, tmp_path, sha256=SHA256, unpacked=((first, second),))
    assert dataset.state() == "to fetch"
    (tmp_path / "inside").mkdir()
    (tmp_path / first.name).write_bytes(halves[0])
    (missing,) = dataset.verify()
    assert missing.status == "missing"
    assert missing.detail.endswith("of what was unpacked from it there is no inside/1.bin")
    with pytest.raises(PlausiblyError, match=r"there is no inside/1.bin; fetch it with"):
        dataset.paths(dataset.files[0])
    (tmp_path / second.name).write_bytes(halves[1])
    assert dataset.state() == "here, unpacked"
    assert dataset.present()
    assert dataset.paths(dataset.files[0]) == [tmp_path / each.name for each in (first, second)]
    assert [(c.name, c.status) for c in dataset.verify()] == [
        ("inside/0.bin", "as published"),
        ("inside/1.bin", "as published"),
    ]
    dataset.fetch()
    assert server.asked == []
    (tmp_path / second.name).write_bytes(b"?")
    assert [c.status for c in dataset.verify()] == ["as published", "not as published"]


def test_a_file_that_can_be_done_without_says_how(server, tmp_path):
    dataset = published(server, tmp_path, without="extra: false")
    assert dataset.verify()[0].detail.endswith("; or do without it: extra: false")
    with pytest.raises(PlausiblyError, match=r"; or do without it: extra: false$"):
        dataset.paths(dataset.files[0])


def test_a_damaged_file_of_the_users_is_named_and_not_replaced(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(PlausiblyError, match=f"has SHA-256 .*published is {SHA256}"):
        published(server, tmp_path, sha256=SHA256).fetch()
    assert (tmp_path / "data.bin").read_bytes() == CONTENT[:-1]
    assert server.asked == []


def test_a_missing_file_and_an_absent_server_are_named(server, tmp_path):
    server.files.clear()
    with pytest.raises(PlausiblyError, match=r"answers 404 Not Found; get data.bin elsewhere"):
        published(server, tmp_path).fetch()
    server.url = "http://127.0.0.1:9/"
    with pytest.raises(PlausiblyError, match="refused after 0 bytes"):
        published(server, tmp_path).fetch()


def test_a_disk_that_is_too_small_is_noticed_before_the_download(server, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100, 99, 1))
    with pytest.raises(PlausiblyError, match=f"needs {len(CONTENT)} more bytes, .* has 1 left"):
        published(server, tmp_path).fetch()


def test_a_disk_that_fills_up_is_named_and_the_part_stays(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_published._Resuming, "_require_space", full)
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(PlausiblyError, match=r"no space left on the disk of .*it resumes"):
        published(server, tmp_path).fetch()
    assert (tmp_path / "data.bin.part").stat().st_size == 1000


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PlausiblyError, match=r"cannot write to .*file.inside"):
        published(server, tmp_path / "file" / "inside").fetch()


@pytest.mark.parametrize("name", ["cifar10", "mnist", "notmnist", "svhn"])
def test_loading_never_downloads(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAUSIBLY_DATASETS", str(tmp_path))
    dataset = datasets.create(name)
    assert dataset.folder == tmp_path / name
    assert dataset.config()["root"] is None
    assert not dataset.present()
    with pytest.raises(PlausiblyError, match=f"missing; fetch it with `plausibly .* {name}`"):
        dataset.load()
    assert {check.status for check in dataset.verify()} == {"missing"}
    assert list(tmp_path.iterdir()) == []


def test_the_default_folder_is_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("PLAUSIBLY_DATASETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert datasets.create("mnist").folder == tmp_path / "plausibly" / "datasets" / "mnist"
