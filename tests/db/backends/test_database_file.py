"""The file itself: pragmas, versions, damage, backups."""

import os
import resource
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from databases import on_sqlite
from sqlalchemy import inspect, text

import db.upgrade
from db.errors import DatabaseError
from db.models import Base, Participant, rating
from db.session import Database


def pragma(session, name):
    return session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()


@on_sqlite
def test_every_connection_is_durable_and_consistent(database):
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 10_000,
        "secure_delete": 1,
    }
    in_writer = database.write(lambda s: {name: pragma(s, name) for name in expected})
    with database.read() as s:
        in_reader = {name: pragma(s, name) for name in expected}
    assert in_writer == in_reader == expected


def test_readers_cannot_write(database):
    with pytest.raises(DatabaseError, match="open for reading only"), database.read() as s:
        s.execute(text("DELETE FROM study"))


def test_a_read_sees_one_moment(lab):
    version = lab.open()
    with lab.database.read() as s:
        before = s.query(Participant).count()
        lab.consent(version)
        assert s.query(Participant).count() == before == 0
    assert lab.count(Participant) == 1


def test_migrations_make_exactly_the_models(database):
    with database.read() as s:
        context = MigrationContext.configure(s.connection(), opts={"compare_type": True})
        changes = compare_metadata(context, Base.metadata)
        view = [column["name"] for column in inspect(s.connection()).get_columns("rating")]
    flat = [one for many in changes for one in (many if isinstance(many, list) else [many])]
    # What columns mean is for the codebook: PostgreSQL could hold it, SQLite cannot.
    assert [change for change in flat if change[0] != "modify_comment"] == []
    assert view == [column.name for column in rating.columns]


def test_every_column_is_described():
    bare = [
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if not column.comment
    ]
    assert bare == []


def test_upgrade_works_anywhere_and_again(tmp_path, monkeypatch):
    elsewhere = tmp_path / "else where%"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    database = Database("new/folder/study.db")
    assert database.upgrade() is None
    assert database.upgrade() is None
    database.check()
    database.close()
    assert (elsewhere / "new/folder/study.db").is_file()
    assert not (elsewhere / "new/folder/backups").exists()


def test_a_sqlite_url_is_a_path(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/study.db")
    assert database.path == tmp_path / "study.db"
    with pytest.raises(ValueError, match="must be a file"):
        Database("sqlite://")


def test_an_older_database_is_backed_up_before_it_changes(tmp_path):
    path = tmp_path / "study.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        raw.commit()
    database = Database(path)
    with pytest.raises(DatabaseError, match=r"older version.*plausibly db upgrade"):
        database.check()
    backup = database.upgrade()
    database.check()
    database.close()
    assert backup is not None
    assert backup.parent == tmp_path / "backups"
    assert backup.name.startswith("study-")
    with closing(sqlite3.connect(backup)) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("alembic_version",)]


def test_a_failing_migration_changes_nothing(tmp_path, monkeypatch):
    def fails_at_the_end(connection):
        run_migrations(connection)
        raise RuntimeError("migration failed")

    run_migrations = db.upgrade.run_migrations
    monkeypatch.setattr(db.upgrade, "run_migrations", fails_at_the_end)
    database = Database(tmp_path / "study.db")
    with pytest.raises(RuntimeError, match="migration failed"):
        database.upgrade()
    database.close()
    with closing(sqlite3.connect(tmp_path / "study.db")) as raw:
        assert raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


@on_sqlite
def test_a_database_from_the_future_is_refused_untouched(database):
    database.write(lambda s: s.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    for use in (database.check, database.upgrade):
        with pytest.raises(DatabaseError, match=r"newer version of Plausibly \(revision 9999\)"):
            use()
    assert not (Path(database.path).parent / "backups").exists()


def test_somebody_elses_database_is_refused(tmp_path):
    path = tmp_path / "study.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE cats (name TEXT)")
        raw.commit()
    for use in (Database(path).check, Database(path).upgrade):
        with pytest.raises(DatabaseError, match="not one of Plausibly"):
            use()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "study.db"
    path.write_text("name,age\n" * 100)
    for use in (Database(path).check, Database(path).upgrade):
        with pytest.raises(DatabaseError, match="is not a database"):
            use()
    assert path.read_text() == "name,age\n" * 100


@on_sqlite
def test_a_damaged_file_is_refused(lab):
    lab.open()
    lab.database.close()
    content = bytearray(lab.database.path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    lab.database.path.write_bytes(content)
    with pytest.raises(DatabaseError, match="damaged"):
        Database(lab.database.path).check()


def test_a_missing_database_is_not_made_by_looking(tmp_path):
    database = Database(tmp_path / "study.db")
    with pytest.raises(DatabaseError, match="There is no database"):
        database.check()
    with pytest.raises(DatabaseError, match="There is no database"), database.read() as s:
        s.execute(text("SELECT 1"))
    with pytest.raises(DatabaseError, match="There is no database"):
        database.backup(tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


@on_sqlite
def test_a_full_disk_is_named(database, monkeypatch):
    usage = shutil.disk_usage(database.path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DatabaseError, match="is full"):
        database.check()


@pytest.fixture
def only_readable(tmp_path, monkeypatch):
    """Makes a folder one in which nothing can be written; returns whether that is really so."""
    mounted = []

    def close(folder):
        if os.geteuid() != 0:
            folder.chmod(0o555)
            return True
        for options in (["--bind", folder], ["-o", "remount,ro,bind"]):
            if subprocess.run(["mount", *options, folder], capture_output=True).returncode:
                # root may not mount here: then SQLite is at least told that it may not write
                monkeypatch.setattr(os, "access", lambda *_: False)
                return False
            mounted.append(folder)
        return True

    yield close
    if mounted:
        subprocess.run(["umount", "--lazy", mounted[0]], check=True)


@on_sqlite
def test_a_database_that_can_only_be_read_is_read_and_says_so_to_who_writes(
    lab, tmp_path, only_readable
):
    lab.consent(lab.open())
    folder = tmp_path / "closed"
    folder.mkdir()
    lab.database.backup(folder / "study.db")
    lab.database.close()
    with closing(sqlite3.connect(folder / "study.db")) as raw:
        raw.execute("PRAGMA journal_mode = WAL")  # as a server leaves it
    really = only_readable(folder)
    database = Database(folder / "study.db")
    database.check()
    with database.read() as s:
        assert s.query(Participant).count() == 1
    if really:
        with pytest.raises(DatabaseError, match=r"can be read here and not written; copy it"):
            database.write(lambda s: s.execute(text("DELETE FROM study")))
    database.backup(tmp_path / "copy.db")
    database.close()


@on_sqlite
@pytest.mark.parametrize("place", ["copies/copy.db", "notes.txt/copy.db"])
def test_a_backup_that_cannot_be_written_is_blamed_and_leaves_nothing(lab, tmp_path, place):
    lab.open()
    (tmp_path / "notes.txt").touch()
    target = tmp_path / place
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, hard))
    try:
        with pytest.raises(DatabaseError, match=f"^The backup {target} could not be written: "):
            lab.database.backup(target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert not (tmp_path / "copies").exists() or not any((tmp_path / "copies").iterdir())


@on_sqlite
def test_a_backup_is_a_working_copy(lab, tmp_path):
    version = lab.open()
    lab.consent(version)
    copy = Database(lab.database.backup(tmp_path / "copies" / "copy.db"))
    copy.check()
    with copy.read() as s:
        assert s.query(Participant).count() == 1
    copy.close()
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["copy.db"]
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "copies", copy.path)]
    assert modes == [0o700, 0o600]


@on_sqlite
@pytest.mark.parametrize("lost", ["study.db", "study.db-wal"])
@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_nothing_is_acknowledged_into_a_file_that_nobody_finds(lab, lost, how):
    version = lab.open()
    lab.consent(version)
    lab.database.require_alive()
    file = lab.database.path.with_name(lost)
    aside = file.with_name("aside")
    file.rename(aside)
    if how == "replaced":
        shutil.copy(aside, file)
    for use in (lambda: lab.consent(version), lab.database.require_alive):
        with pytest.raises(
            DatabaseError, match=r"was deleted or replaced while the server used it"
        ):
            use()
    aside.replace(file)  # back again, it is the one that is used
    lab.database.require_alive()
    lab.consent(version)
    assert lab.count(Participant) == 2


@on_sqlite
def test_a_file_that_goes_while_its_commit_is_made_is_noticed(lab, monkeypatch):
    """A file may go between the look before the commit and the commit."""
    version = lab.open()
    backend, looks = lab.database._backend, []
    in_place = backend.require_in_place

    def look(connection):
        in_place(connection)
        looks.append(connection.in_transaction())
        if len(looks) == 1:
            backend.path.rename(backend.path.with_name("aside"))

    monkeypatch.setattr(backend, "require_in_place", look)
    with pytest.raises(DatabaseError, match="was deleted or replaced"):
        lab.consent(version)
    assert looks == [True]
