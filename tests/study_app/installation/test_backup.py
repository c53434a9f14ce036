"""A copy of the installation, made while people write, is whole, and becomes one again."""

import json
import os
import secrets
import shutil
import subprocess
import threading
from datetime import UTC, datetime
from functools import partial

import pytest
from databases import on_postgresql
from lab import KEY, open_lab
from starlette.testclient import TestClient
from typer.testing import CliRunner

from db import repository as repo
from db.models import AuditEntry
from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError, UsageError
from study_app.api import Context, create_api
from study_app.cli.plausibly import app
from study_app.installation import AppState, Settings, restore
from study_app.installation.backup import backup
from study_app.installation.key import require_key
from study_app.installation.restore import restore as restored
from study_app.participation.texts import consent_sha256
from study_app.study import study_of, wording

PROLIFIC = {"name": "prolific", "complete": "C1"}
PERSON = {"name": "prolific", "id": "5a9d64f5f6dfdd0001eaa73d", "session": "5" * 24}


@pytest.fixture(scope="module")
def made(tmp_path_factory, store):
    """A home with a study and somebody from Prolific, and a copy that was made while it was used.

    Returns the home's folder, the copy's, what was acknowledged before it began, and all that was.
    """
    home = tmp_path_factory.mktemp("used") / "home"
    shutil.copytree(store.root, home / "artifacts")
    lab = open_lab(home, store=ArtifactStore(home / "artifacts"))
    lab.change(provider=PROLIFIC)
    lab.participant(provider=PERSON)
    (home / "artifacts" / "model" / ("f" * 64)).mkdir()  # no study rests on it
    acknowledged: list[str] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            mark = secrets.token_hex(8)
            entry = {"actor": "load", "action": mark, "detail": {}, "now": datetime.now(UTC)}
            lab.database.write(partial(repo.audit, **entry))
            acknowledged.append(mark)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for thread in writers:
        thread.start()
    while len(acknowledged) < 20:
        pass
    before = set(acknowledged)
    try:
        done = backup(Settings(PLAUSIBLY_HOME=home), lab.database, home.parent / "copy")
    finally:
        stop.set()
        for thread in writers:
            thread.join()
    lab.database.close()
    assert done.artifacts > 0
    return home, done.folder, before, set(acknowledged)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path / "moved"))
    return Settings()


def test_what_was_acknowledged_before_is_there_after_a_restore_elsewhere(made, settings):
    home, copy, before, acknowledged = made
    done = CliRunner().invoke(app, ["restore", str(copy)])
    assert done.exit_code == 0, done.output
    assert settings.home.stat().st_mode & 0o777 == 0o700
    database = settings.database()
    database.check()
    with database.read() as s:
        found = {entry.action for entry in s.query(AuditEntry).filter_by(actor="load")}
    assert before <= found <= acknowledged
    assert require_key(settings, database) == KEY
    store = settings.store
    assert [problem for artifact in store.all() for problem in artifact.problems()] == []
    there = {path.name for path in (home / "artifacts").glob("*/*")}
    assert {artifact.key for artifact in store.all()} == there - {"f" * 64}
    # Whoever comes again from Prolific is known, and does not take part twice.
    client = TestClient(create_api(Context(AppState(database, store, KEY))))
    with database.read() as s:
        version = repo.study(s, "demo")
    body = {
        "study": "demo",
        "consent_sha256": consent_sha256(wording(study_of(version), "en")),
        "language": "en",
        "provider": PERSON,
        "nonce": secrets.token_hex(16),
    }
    assert client.post("/api/consent", json=body).status_code == 200
    database.close()


def test_a_home_with_data_is_left_unless_told(made, settings):
    settings.home.mkdir()
    (settings.home / "study.db").write_text("mine")
    with pytest.raises(UsageError, match=r"holds data \(study\.db\).*--replace"):
        restored(settings, made[1])
    assert (settings.home / "study.db").read_text() == "mine"
    before = restored(settings, made[1], replace=True).before
    assert (before / "study.db").read_text() == "mine"
    assert (settings.home / "secret.key").read_bytes() == KEY


@pytest.mark.parametrize("what", ["changed", "missing", "link"])
def test_a_copy_that_is_not_whole_restores_nothing(made, settings, tmp_path, what):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in made[1].rglob("*"):
        if path.is_file():
            (copy / path.relative_to(made[1])).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, copy / path.relative_to(made[1]))
    victim = max((copy / "artifacts").rglob("*.png"), default=next(copy.rglob("*.npz")))
    content = victim.read_bytes()
    victim.unlink()
    if what == "changed":
        victim.write_bytes(content[:-1] + b"x")
    elif what == "link":
        victim.symlink_to(made[0] / "secret.key")
    with pytest.raises(PlausiblyError, match="is not what was copied"):
        restored(settings, copy)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (None, "no copy that 'plausibly backup' made"),
        ("[]", "no copy that 'plausibly backup' made"),
        ({"format": 2}, "newer version"),
        ({"files": {"study.db": "", "../../evil": ""}}, "no copy that 'plausibly backup' made"),
    ],
)
def test_what_is_no_copy_is_refused(made, settings, tmp_path, manifest, said):
    folder = tmp_path / "odd"
    folder.mkdir()
    if isinstance(manifest, dict):
        manifest = json.dumps(json.loads((made[1] / "manifest.json").read_text()) | manifest)
    if manifest is not None:
        (folder / "manifest.json").write_text(manifest)
    with pytest.raises(UsageError, match=said):
        restored(settings, folder)
    assert not settings.home.exists()


def test_a_home_that_cannot_be_put_in_place_leaves_what_was_there(made, settings, monkeypatch):
    settings.home.mkdir()
    (settings.home / "notes.txt").write_text("mine")

    def fails(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restore.carried, "copy_file", lambda *_: fails(None))
    with pytest.raises(PlausiblyError, match="No space left on device; nothing was changed"):
        restored(settings, made[1], replace=True)
    assert (settings.home / "notes.txt").read_text() == "mine"
    assert [path.name for path in settings.home.parent.iterdir()] == ["moved"]


def test_a_copy_is_not_made_into_a_folder_that_holds_something(made, monkeypatch, tmp_path):
    monkeypatch.setenv("PLAUSIBLY_HOME", str(made[0]))
    (tmp_path / "notes.txt").touch()
    done = CliRunner().invoke(app, ["backup", str(tmp_path)])
    assert isinstance(done.exception, UsageError)
    (made[0] / "artifacts" / "model" / ("f" * 64)).is_dir()
    done = CliRunner().invoke(app, ["backup", str(tmp_path / "all"), "--all", "--json"])
    assert done.exit_code == 0
    assert ["is damaged" in each for each in json.loads(done.output)["left_out"]] == [True]
    assert not (tmp_path / "all/artifacts/model" / ("f" * 64)).exists()


@on_postgresql
def test_of_postgresql_the_archive_is_carried_and_the_way_on_is_said(
    database, store, tmp_path, monkeypatch
):
    lab = open_lab(tmp_path, database, store)
    lab.participant()
    used = tmp_path / "used"
    used.mkdir()
    (used / "secret.key").write_bytes(KEY)
    done = backup(Settings(PLAUSIBLY_HOME=used), database, tmp_path / "copy")
    assert done.artifacts == 0
    assert all("is not in" in sentence for sentence in done.left_out)
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path / "moved"))
    said = CliRunner().invoke(app, ["restore", str(done.folder)]).output
    archive = tmp_path / "moved/study.pgdump"
    assert f'pg_restore --no-owner --dbname=DATABASE "{archive}", and set DATABASE_URL' in said
    listed = subprocess.run(["pg_restore", "--list", archive], capture_output=True, text=True)
    assert "TABLE DATA public participant" in listed.stdout
    assert (tmp_path / "moved/secret.key").read_bytes() == KEY
