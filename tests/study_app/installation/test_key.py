"""A database goes on only with the key that it was used with; the home is its owner's alone."""

import os

import pytest
from sqlalchemy import select
from stored_study import Lab
from typer.testing import CliRunner

from db import repository as repo
from db.models import AuditEntry
from engine.errors import PlausiblyError, UsageError
from study_app.cli.plausibly import app
from study_app.installation import Settings
from study_app.installation.key import fingerprint, replace_key, require_key


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("PLAUSIBLY_HOME", str(folder))
    return folder


@pytest.fixture
def lab(home, sqlite_template):
    """A home whose database nobody has used yet."""
    settings = Settings()
    settings.make_home()
    (home / "study.db").write_bytes(sqlite_template.read_bytes())
    database = settings.database()
    yield Lab(database)
    database.close()


def take_part(lab):
    """Somebody from Prolific, somebody invited, and two invitations that nobody used."""
    version = lab.open("maps")
    lab.database.write(
        lambda s: repo.add_invitations(
            s, study_name="maps", code_hmacs=["c1", "c2", "c3"], now=lab.now
        )
    )
    lab.consent(version, provider="prolific", provider_id_hmac="p1")
    lab.consent(version, provider="invitation", provider_id_hmac="c1", invited=True)


def test_the_first_use_makes_a_key_and_the_database_knows_it(lab, home):
    key = require_key(Settings(), lab.database)
    assert (home / "secret.key").stat().st_mode & 0o777 == 0o600
    with lab.database.read() as s:
        known = repo.key_fingerprint(s)
    assert known == fingerprint(key)
    assert key.decode() not in known
    assert require_key(Settings(), lab.database) == key


@pytest.mark.parametrize("recorded", [True, False])
def test_a_missing_key_is_refused_and_none_is_made(lab, home, recorded):
    if recorded:
        require_key(Settings(), lab.database)
        (home / "secret.key").unlink()
    else:  # a database from before fingerprints were kept
        take_part(lab)
    with pytest.raises(PlausiblyError, match=r"secret\.key is missing.*serve --new-key"):
        require_key(Settings(), lab.database)
    assert not (home / "secret.key").exists()


def test_a_foreign_key_is_refused(lab, home):
    require_key(Settings(), lab.database)
    (home / "secret.key").write_text("f" * 64)
    with pytest.raises(PlausiblyError, match=r"secret\.key is another one.*plausibly backup"):
        require_key(Settings(), lab.database)


def test_a_new_key_says_what_it_ends(lab, home):
    take_part(lab)
    (home / "secret.key").write_text("a" * 64)
    require_key(Settings(), lab.database)
    with pytest.raises(UsageError, match="has its key"):
        replace_key(Settings(), lab.database)
    (home / "secret.key").write_text("b" * 64)
    said = "\n".join(replace_key(Settings(), lab.database))
    assert "study maps, prolific: ids of 1 person\n" in said
    assert "study maps, invitation: personal links of 1 person, and 2 invitations" in said
    made = require_key(Settings(), lab.database)
    assert made not in (b"a" * 64, b"b" * 64)
    assert [path.read_text() for path in home.glob("secret.key.*")] == ["b" * 64]
    with lab.database.read() as s:
        assert s.scalars(select(AuditEntry.action)).all() == ["new key"]


def test_serve_and_invite_refuse_without_the_key(lab, home):
    take_part(lab)
    for command in (["serve", "--port", "1024"], ["study", "invite", "maps", "--count", "1"]):
        failed = CliRunner().invoke(app, command)
        assert failed.exit_code == 1
        assert not (home / "secret.key").exists()


def test_a_home_is_made_for_its_owner_alone(home):
    assert CliRunner().invoke(app, ["db", "upgrade"]).exit_code == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in [home, home / "study.db"]}
    assert modes == {"home": 0o700, "study.db": 0o600}


@pytest.mark.parametrize(("shared", "mode"), [("", 0o700), ("0", 0o700), ("1", 0o755)])
def test_a_wide_home_is_narrowed_with_a_sentence(home, monkeypatch, shared, mode):
    monkeypatch.setenv("PLAUSIBLY_SHARED", shared)
    (home / "artifacts").mkdir(parents=True)
    home.chmod(0o755)
    said = [CliRunner().invoke(app, ["db", "backup", "copy.db"]).stderr for _ in range(2)]
    assert home.stat().st_mode & 0o777 == mode
    assert ["is yours alone now" in each for each in said] == [mode == 0o700, False]


@pytest.mark.parametrize(("mode", "content"), [(0o755, "notes.txt"), (0o1777, "study.db")])
def test_what_is_no_home_or_belongs_to_all_stays_open(home, mode, content):
    home.mkdir()
    (home / content).touch()
    home.chmod(mode)
    assert Settings().narrow_home() is None
    assert home.stat().st_mode & 0o7777 == mode


def test_the_group_of_a_shared_folder_may_use_what_is_made_in_it(home, monkeypatch):
    monkeypatch.setenv("PLAUSIBLY_SHARED", "1")
    home.mkdir()
    home.chmod(0o2770)
    before = os.umask(0o002)  # that of people who share
    try:
        for command in (["upgrade"], ["backup", str(home / "backups/a.db")]):
            assert CliRunner().invoke(app, ["db", *command]).exit_code == 0
    finally:
        os.umask(before)
    made = [home, home / "study.db", home / "backups/a.db"]
    assert [oct(path.stat().st_mode & 0o777) for path in made] == ["0o770", "0o660", "0o660"]
