"""`plausibly datasets list|fetch|verify` as people type it."""

import hashlib
import json
import re

import pytest
from file_server import file_server
from PIL import Image
from typer.testing import CliRunner

from engine import datasets
from engine.datasets import File
from engine.errors import PlausiblyError, UsageError
from study_app.cli.datasets import app

CONTENT = b"an archive" * 1000


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Serves what `cifar10` wants, in place of its authors."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PLAUSIBLY_DATASETS", str(tmp_path))
    with file_server() as running:
        running.files["archive"] = CONTENT
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        files = (File("archive", running.url + "archive", sha256),)
        monkeypatch.setattr(datasets.registry.get("cifar10"), "files", files)
        yield running


def run(*arguments):
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def states():
    return {row["name"]: row["state"] for row in json.loads(run("list", "--json").stdout)}


def test_a_dataset_is_listed_fetched_and_verified(server, tmp_path):
    assert states()["cifar10"] == "to fetch"
    assert states()["letters"] == "built in"
    assert states()["folder"] == "yours"
    assert run("verify", "cifar10").exit_code == 1
    fetched = run("fetch", "cifar10")
    assert fetched.exit_code == 0
    assert f"cifar10 is in {tmp_path / 'cifar10'}" in fetched.stdout
    assert states()["cifar10"] == "here"
    assert re.search(r"^cifar10 +here +60000 photographs", run("list").stdout, re.M)
    verified = json.loads(run("verify", "cifar10", "--json").stdout)
    assert [(row["dataset"], row["status"]) for row in verified] == [("cifar10", "as published")]


def test_a_damaged_file_makes_verify_fail(server, tmp_path):
    run("fetch", "cifar10")
    (tmp_path / "cifar10" / "archive").write_bytes(CONTENT[1:])
    result = run("verify", "cifar10")
    assert result.exit_code == 1
    assert "cifar10: archive  not as published  has SHA-256" in result.stdout


def test_the_list_says_which_files_a_loader_reads(server, tmp_path, monkeypatch):
    def reads(name):
        rows = json.loads(run("list", "--json").stdout)
        return next(row["reads"] for row in rows if row["name"] == name)

    assert reads("digits") == []
    images = reads("mnist")[0]
    assert images["forms"] == [["train-images-idx3-ubyte"], ["train-images-idx3-ubyte.gz"]]
    assert images["sha256"].startswith("440fcabf")
    assert [each["without"] for each in reads("svhn")][:2] == ["", ""]
    assert reads("svhn")[2]["without"].startswith("extra: false")
    assert states()["mnist"] == "to fetch"
    (tmp_path / "mnist").mkdir()
    for name in images["forms"][0]:
        (tmp_path / "mnist" / name).write_bytes(b"")
    assert states()["mnist"] == "partly here"
    for each in reads("mnist"):
        (tmp_path / "mnist" / each["forms"][0][0]).write_bytes(b"")
    assert states()["mnist"] == "here, unpacked"
    assert run("verify", "mnist").stdout.count("  not as published  has SHA-256 e3b0c442") == 4


def test_a_folder_of_the_users_choice(server, tmp_path):
    result = run("fetch", "cifar10", "--root", str(tmp_path / "mine"), "--json")
    assert json.loads(result.stdout)["folder"] == str(tmp_path / "mine")
    assert run("verify", "cifar10", "--root", str(tmp_path / "mine")).exit_code == 0
    assert run("verify", "cifar10").exit_code == 1
    with pytest.raises(UsageError, match="--root needs the name of the one dataset"):
        run("verify", "--root", str(tmp_path))


def test_a_changed_built_in_dataset_is_noticed(monkeypatch):
    assert run("verify", "digits").stdout.startswith("digits: built in  ok  sha256 e57f28b6")
    monkeypatch.setattr(datasets.registry.get("digits"), "expected_sha256", "0" * 64)
    result = run("verify", "digits")
    assert result.exit_code == 1
    assert "has checksum e57f28b6" in result.stdout


def test_reading_reports_what_was_skipped(server, tmp_path):
    for number, name in enumerate("ab"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for k in range(5):
            image = Image.new("L", (8, 8), 100 * number + k)
            image.save(tmp_path / "mine" / name / f"{k}.png")
    (tmp_path / "mine" / "a" / "cut.png").write_bytes(b"")
    result = run("verify", "folder", "--root", str(tmp_path / "mine"), "--read")
    assert result.exit_code == 0
    assert "folder: images  read  6 / 2 / 2 images; checksum " in result.stdout
    assert "; skipped 1 empty file: a/cut.png" in result.stdout
    assert "; a 3 / 1 / 1, b 3 / 1 / 1 images (train / valid / test); " in result.stdout
    assert "2 classes have fewer than 20 test images (a 1, b 1)" in result.stdout
    run("fetch", "cifar10")
    result = run("verify", "cifar10", "--read")
    assert result.exit_code == 1
    assert "cifar10: images  wrong" in result.stdout


def test_wrong_use_is_explained():
    with pytest.raises(UsageError, match="digits is not downloaded; those that are: cifar10"):
        run("fetch", "digits")
    with pytest.raises(UsageError, match="unknown dataset 'nonsense'"):
        run("fetch", "nonsense")
    with pytest.raises(UsageError, match="folder has no hash"):
        run("verify", "folder")


def test_a_server_that_fails_is_named(server):
    server.files.clear()
    with pytest.raises(PlausiblyError, match="answers 404"):
        run("fetch", "cifar10")
