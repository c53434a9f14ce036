"""PostgreSQL itself: what its errors are called, what it promises, what it never tells."""

import subprocess
import threading
from types import SimpleNamespace
from urllib.parse import quote

import psycopg
import pytest
from databases import on_postgresql
from sqlalchemy import make_url, text
from sqlalchemy.exc import IntegrityError

import db.upgrade
from db import repository as repo
from db.backends.opening import open_backend
from db.errors import DatabaseError
from db.models import AuditEntry, Participant
from db.session import Database
from db.writer import MAX_TRIES

PASSWORD = "tulip-7#/@:%x"
RAISE = "DO $$ BEGIN RAISE EXCEPTION 'said the server' USING ERRCODE = '{}'; END $$"


@pytest.fixture
def opened():
    """Opens databases, and closes them at the end."""
    made = []

    def open_database(url):
        made.append(Database(url))
        return made[-1]

    yield open_database
    for database in made:
        database.close()


def note(action):
    return lambda s: repo.audit(s, actor="", action=action, detail={}, now=note.now)


@pytest.fixture(autouse=True)
def _now(lab):
    note.now = lab.now


pytestmark = on_postgresql


def notes(database):
    with database.read() as s:
        return [entry.action for entry in s.query(AuditEntry).order_by(AuditEntry.id)]


def shown(s, name):
    return s.scalar(text(f"SELECT current_setting('{name}')"))


def test_writes_are_durable_and_wait_for_the_lock_only_so_long(database_url, opened):
    # A server that acknowledges early must not decide for us.
    database = opened(f"{database_url}&options=-c%20synchronous_commit%3Doff")
    names = ("synchronous_commit", "transaction_isolation", "lock_timeout", "fsync")
    assert database.write(lambda s: [shown(s, name) for name in names]) == [
        "on",
        "read committed",
        "10s",
        "on",
    ]
    with database.read() as s:
        names = ("transaction_isolation", "transaction_read_only")
        assert [shown(s, name) for name in names] == ["repeatable read", "on"]


def test_times_do_not_depend_on_the_servers_clock_zone(lab, database_url, opened):
    person, _ = lab.consent(lab.open())
    tokyo = opened(f"{database_url}&options=-c%20timezone%3DAsia%2FTokyo")
    with tokyo.read() as s:
        assert shown(s, "timezone") == "Asia/Tokyo"
        held = repo.participant(s, person.id).created_at
    assert (held, held.utcoffset()) == (lab.start, lab.start.utcoffset())


def test_text_with_nul_is_not_found_and_not_an_error(lab):
    with lab.database.read() as s:
        assert repo.study(s, "de\0mo") is None
        assert repo.stimulus_png(s, "\0") is None
    lab.database.write(note("a\0b"))
    assert notes(lab.database) == ["a\ufffdb"]


@pytest.fixture
def guarded(postgres, database_url):
    """The URL of this worker's database for somebody who needs a password."""
    postgres.run(
        "DO $$ BEGIN CREATE ROLE guarded LOGIN PASSWORD 'right'; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    url = make_url(database_url)
    return lambda password: url.set(username="guarded", password=password).render_as_string(False)


def test_the_password_is_in_no_message(guarded, opened, tmp_path, caplog):
    wrong = opened(guarded(PASSWORD))
    with pytest.raises(DatabaseError, match="refuses the login") as refused:
        wrong.check()
    with pytest.raises(DatabaseError, match="refuses the login") as not_written:
        wrong.write(note("x"))
    with pytest.raises(DatabaseError, match="could not be written") as not_copied:
        wrong.backup(tmp_path / "copy")
    told = [repr(wrong), wrong.where, caplog.text]
    for caught in (refused, not_written, not_copied):
        error = caught.value
        while error is not None:
            told.append(repr(error))
            error = error.__cause__ or error.__context__
    assert not any(secret in "".join(told) for secret in (PASSWORD, quote(PASSWORD, safe="")))


def test_the_right_password_is_let_in(guarded, opened):
    with opened(guarded("right")).read() as s:
        assert s.scalar(text("SELECT current_user")) == "guarded"
    with pytest.raises(DatabaseError, match="may not do this"):
        opened(guarded("right")).write(note("x"))


def test_a_password_in_the_query_is_not_shown(database_url, opened):
    assert PASSWORD[:5] not in opened(f"{database_url}&password={PASSWORD[:5]}").where


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{PASSWORD}@db/study:1x",
        "postgresql://ann:tulip@7@db:1x/study",
        "postgresql://ann:tulip@[db/study",
        "mysql://ann:tulip@db/study",
        "postgresql+psycopg2://ann:tulip@db/study",
        "postgresql://ann:tulip@db",
    ],
)
def test_a_wrong_address_is_not_repeated(url):
    try:
        told = open_backend(url).where
    except ValueError as error:
        told = str(error)
    assert "tulip" not in told


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"database": "missing"}, "no database at .*/missing.*; make one with 'createdb'"),
        ({"username": "stranger"}, "refuses the login"),
        ({"query": {"host": "/tmp"}}, "cannot be reached"),
        ({"query": {"host": "127.0.0.1"}, "port": 1}, "cannot be reached"),
        ({"query": {"hots": "/tmp"}}, "has an option that libpq does not know"),
    ],
)
def test_who_cannot_connect_hears_why(database_url, opened, change, sentence):
    database = opened(make_url(database_url).set(**change).render_as_string(False))
    for use in (database.check, database.upgrade, lambda: database.write(note("x"))):
        with pytest.raises(DatabaseError, match=sentence):
            use()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("53100", "The disk is full: .* nothing was stored"),
        ("53300", "no more connections"),
        ("53400", "at a limit of its own"),
        ("55P03", "locked by another program; try again"),
        ("57014", "stopped the statement"),
        ("XX001", "is damaged; restore it"),
        ("58030", "The disk failed"),
    ],
)
def test_what_the_server_says_becomes_one_sentence(lab, state, sentence):
    with pytest.raises(DatabaseError, match=sentence):
        lab.database.write(lambda s: s.execute(text(RAISE.format(state))))
    with pytest.raises(DatabaseError, match=sentence), lab.database.read() as s:
        s.execute(text(RAISE.format(state)))
    lab.database.write(note("afterwards"))
    assert notes(lab.database) == ["afterwards"]


@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_a_write_that_met_another_runs_again(lab, state):
    meetings = []

    def meets_somebody(s):
        note("met")(s)
        if len(meetings) < 2:
            meetings.append(s)
            s.execute(text(RAISE.format(state)))

    lab.database.write(meets_somebody)
    assert (notes(lab.database), len(meetings)) == (["met"], 2)


def test_a_write_that_always_meets_another_gives_up(lab):
    tries = []

    def always(s):
        tries.append(s)
        s.execute(text(RAISE.format("40P01")))

    with pytest.raises(DatabaseError, match="locked by another program; try again"):
        lab.database.write(always)
    assert len(tries) == MAX_TRIES


def test_a_broken_connection_is_told_and_the_next_write_works(lab):
    def breaks(s):
        s.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DatabaseError, match="broke the connection; try again"):
        lab.database.write(breaks)
    with pytest.raises(DatabaseError, match="broke the connection"), lab.database.read() as s:
        breaks(s)
    lab.database.write(note("afterwards"))
    assert notes(lab.database) == ["afterwards"]


def test_whoever_hangs_in_a_write_loses_the_lock(lab, database_url, opened, monkeypatch):
    # Long enough for a busy machine to get from one statement to the next.
    monkeypatch.setattr("db.backends.postgres.IDLE_TIMEOUT_MS", 1000)
    hanging = opened(database_url)
    entered, release = threading.Event(), threading.Event()

    def hangs(s):
        note("hung")(s)
        s.flush()
        entered.set()
        assert release.wait(60)

    hung = hanging.submit(hangs)
    assert entered.wait(60)
    lab.database.write(note("meanwhile"))
    release.set()
    with pytest.raises(DatabaseError, match="broke the connection"):
        hung.result(10)
    hanging.write(note("afterwards"))
    assert notes(lab.database) == ["meanwhile", "afterwards"]


def test_a_server_that_was_restarted_is_not_noticed(lab, postgres, database_url):
    lab.database.write(note("before"))
    assert notes(lab.database) == ["before"]
    name = make_url(database_url).database
    ended = postgres.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{name}' AND application_name = 'plausibly'"
    )
    assert ended == [(True,), (True,)]  # the writer's and the reader's
    lab.database.write(note("after"))
    assert notes(lab.database) == ["before", "after"]


def test_when_the_commit_fails_nothing_is_stored(postgres, opened):
    database = opened(postgres.new())
    # A deferred constraint is checked by the commit itself.
    database.write(
        lambda s: s.execute(
            text(
                "ALTER TABLE consent ALTER CONSTRAINT fk_consent_participant_id_participant"
                " DEFERRABLE INITIALLY DEFERRED"
            )
        )
    )

    def violates(s):
        s.execute(
            text(
                "INSERT INTO consent (participant_id, text_sha256, language, version, given_at)"
                " VALUES ('nobody', '', '', '', '2026-01-01')"
            )
        )

    with pytest.raises(IntegrityError):
        database.write(violates)
    database.write(note("again"))
    assert notes(database) == ["again"]


def test_a_database_that_cannot_be_upgraded_is_left_alone(postgres, opened):
    future = opened(postgres.new())
    future.write(lambda s: s.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    foreign = opened(postgres.new("template0"))
    foreign.write(lambda s: s.execute(text("CREATE TABLE cats (name text)")))
    for database, sentence in ((future, "newer version of Plausibly"), (foreign, "not one of")):
        for use in (database.check, database.upgrade):
            with pytest.raises(DatabaseError, match=sentence):
                use()


def test_a_failing_migration_changes_nothing(postgres, opened, monkeypatch):
    def fails_at_the_end(connection):
        run_migrations(connection)
        raise RuntimeError("migration failed")

    run_migrations = db.upgrade.run_migrations
    monkeypatch.setattr(db.upgrade, "run_migrations", fails_at_the_end)
    database = opened(postgres.new("template0"))
    with pytest.raises(RuntimeError, match="migration failed"):
        database.upgrade()
    with pytest.raises(DatabaseError, match=r"older version.*plausibly db upgrade"):
        database.check()
    with database.read() as s:
        assert s.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0
    monkeypatch.undo()
    assert database.upgrade() is None
    database.check()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("LATIN1", False, "on"), "encoding LATIN1"),
        (("UTF8", True, "on"), "is a standby"),
        (("UTF8", False, "off"), "fsync = off"),
    ],
)
def test_a_server_that_cannot_keep_answers_is_refused(database_url, row, sentence):
    answers = SimpleNamespace(exec_driver_sql=lambda _: SimpleNamespace(one=lambda: row))
    with pytest.raises(DatabaseError, match=sentence):
        open_backend(database_url).require_sound(answers)


def test_a_backup_can_be_restored(lab, postgres, opened, tmp_path):
    lab.consent(lab.open())
    archive = lab.database.backup(tmp_path / "copies" / "study.dump")
    assert [path.name for path in archive.parent.iterdir()] == ["study.dump"]
    url = postgres.new("template0")
    connection = url.replace("+psycopg", "")
    subprocess.run(["pg_restore", f"--dbname={connection}", archive], check=True)
    copy = opened(url)
    copy.check()
    with copy.read() as s:
        assert s.query(Participant).count() == 1


def test_a_backup_hides_the_password_and_names_what_is_missing(
    guarded, opened, tmp_path, monkeypatch
):
    seen = []

    def run(command, env, **_):
        seen.append((command, env["PGPASSWORD"]))
        return SimpleNamespace(returncode=1, stderr="pg_dump: error: version mismatch\nmore\n")

    monkeypatch.setattr("db.backends.postgres.subprocess.run", run)
    database = opened(guarded(PASSWORD))
    with pytest.raises(DatabaseError, match=r"pg_dump: error: version mismatch$"):
        database.backup(tmp_path / "copy")
    ((command, password),) = seen
    assert password == PASSWORD
    assert PASSWORD not in " ".join(map(str, command))
    monkeypatch.setattr("db.backends.postgres.shutil.which", lambda _: None)
    with pytest.raises(DatabaseError, match="postgresql-client"):
        database.backup(tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_an_outside_deadlock_ends_with_the_write_stored(lab, database_url):
    """Somebody at the database's own prompt holds a row, and then wants one that the write has."""
    person, _ = lab.consent(lab.open())
    other, _ = lab.consent(lab.open())
    url = make_url(database_url)
    change = "UPDATE participant SET language = %s WHERE id = %s"
    with psycopg.connect(dbname=url.database, user=url.username, host=url.query["host"]) as prompt:
        # Only the write looks for deadlocks in time, so it is the one that gives way.
        prompt.execute("SET deadlock_timeout = '60s'")
        prompt.execute(change, ["aa", other.id])

        def write(s):
            s.execute(text("SET LOCAL deadlock_timeout = '100ms'"))
            s.execute(text("UPDATE participant SET arm = 'b' WHERE id = :id"), {"id": person.id})
            entered.append(s)
            s.execute(text("UPDATE participant SET arm = 'b' WHERE id = :id"), {"id": other.id})

        entered = []
        future = lab.database.submit(write)
        while not entered:
            pass
        prompt.execute(change, ["aa", person.id])
        prompt.commit()
        future.result(10)
    assert len(entered) >= 2  # one gave way; a next may meet the prompt's commit, and goes again
    with lab.database.read() as s:
        assert {(row.language, row.arm) for row in s.query(Participant)} == {("aa", "b")}
