"""Writes: many share a commit, each is its own, and what was acknowledged is on the disk."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from databases import on_sqlite
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

import db
from db import repository as repo
from db import writer
from db.errors import DatabaseBusyError, DatabaseError
from db.models import AuditEntry, Response
from db.session import Database


def note(lab, action, detail="x"):
    """A write: one row of the audit log."""
    return lambda s: repo.audit(s, actor="test", action=action, detail={"": detail}, now=lab.now)


def notes(lab):
    with lab.database.read() as s:
        return [entry.action for entry in s.query(AuditEntry).order_by(AuditEntry.id)]


class Held:
    """Holds the writer thread inside a write, so that what is submitted meanwhile is one batch."""

    def __init__(self, database):
        self.entered, self.release = threading.Event(), threading.Event()
        self.future = database.submit(self._wait)
        assert self.entered.wait(10)

    def _wait(self, session):
        self.entered.set()
        assert self.release.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release.set()
        self.future.result(10)


def test_answers_sent_twice_by_many_are_stored_once(lab):
    version = lab.open()
    people = [lab.admit(version) for _ in range(63)]
    work = [(person, trial.trial_id) for person in people for trial in lab.trials(person)][:500]
    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(lambda job: lab.answer(*job).status, work * 2))
    assert len(work) == 500
    assert outcomes.count("stored") == outcomes.count("duplicate") == 500
    assert lab.count(Response) == 500


def test_neighbours_share_one_commit(lab, monkeypatch):
    batches = []
    commit = writer.GroupCommitWriter._commit
    monkeypatch.setattr(
        writer.GroupCommitWriter,
        "_commit",
        lambda self, batch: (batches.append(len(batch)), commit(self, batch)),
    )
    with Held(lab.database):
        futures = [lab.database.submit(note(lab, str(n))) for n in range(300)]
    for future in futures:
        future.result(10)
    assert batches == [1, writer.MAX_BATCH, 300 - writer.MAX_BATCH]
    assert notes(lab) == [str(n) for n in range(300)]


def test_a_failing_write_undoes_only_itself(lab):
    def fails(s):
        note(lab, "undone")(s)
        s.flush()
        raise KeyError("mine")

    def breaks_a_constraint(s):
        s.execute(text("INSERT INTO consent (participant_id) VALUES ('nobody')"))

    with Held(lab.database):
        first = lab.database.submit(note(lab, "first"))
        failing = lab.database.submit(fails)
        breaking = lab.database.submit(breaks_a_constraint)
        last = lab.database.submit(note(lab, "last"))
    assert first.result(10) is last.result(10) is None
    with pytest.raises(KeyError, match="mine"):
        failing.result(10)
    with pytest.raises(IntegrityError):
        breaking.result(10)
    assert notes(lab) == ["first", "last"]


def test_a_write_that_loses_the_transaction_undoes_only_itself(lab):
    def loses_the_transaction(s):
        s.connection().exec_driver_sql("ROLLBACK")

    with Held(lab.database):
        before = lab.database.submit(note(lab, "before"))
        losing = lab.database.submit(loses_the_transaction)
        after = lab.database.submit(note(lab, "after"))
    with pytest.raises(DBAPIError, match="savepoint"):
        losing.result(10)
    assert before.result(10) is after.result(10) is None
    assert notes(lab) == ["before", "after"]


@on_sqlite
def test_when_the_commit_fails_everyone_hears(lab):
    # A deferred constraint is checked by the commit itself.
    def defers_a_violation(s):
        s.connection().exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        s.execute(
            text(
                "INSERT INTO consent (participant_id, text_sha256, language, version, given_at)"
                " VALUES ('nobody', '', '', '', '2026-01-01')"
            )
        )

    with Held(lab.database):
        innocent = lab.database.submit(note(lab, "innocent"))
        guilty = lab.database.submit(defers_a_violation)
    for future in (innocent, guilty):
        with pytest.raises(IntegrityError):
            future.result(10)
    lab.database.write(note(lab, "again"))
    assert notes(lab) == ["again"]


@on_sqlite
def test_a_full_disk_stores_nothing_by_halves(lab):
    database = lab.database
    pages = database.write(lambda s: s.connection().exec_driver_sql("PRAGMA page_count").scalar())
    limit = "PRAGMA max_page_count = {}"
    database.write(lambda s: s.connection().exec_driver_sql(limit.format(pages + 4)))

    def two_rows(s):
        note(lab, "small")(s)
        s.flush()
        note(lab, "large", detail="x" * 1_000_000)(s)

    with Held(database):
        before = database.submit(note(lab, "before"))
        large = database.submit(two_rows)
        after = database.submit(note(lab, "after"))
    with pytest.raises(DatabaseError, match="The disk is full"):
        large.result(10)
    assert before.result(10) is after.result(10) is None
    assert notes(lab) == ["before", "after"]
    database.write(lambda s: s.connection().exec_driver_sql(limit.format(2**30)))
    database.write(two_rows)
    assert notes(lab) == ["before", "after", "small", "large"]


def test_a_locked_database_is_named(lab, database_url, monkeypatch):
    monkeypatch.setattr("db.backends.sqlite.BUSY_TIMEOUT_MS", 1)
    monkeypatch.setattr("db.backends.postgres.LOCK_TIMEOUT_MS", 1)
    impatient = Database(database_url)
    with Held(lab.database), pytest.raises(DatabaseError, match="locked by another program"):
        impatient.write(note(lab, "late"))
    impatient.write(note(lab, "in time"))
    impatient.close()
    assert notes(lab) == ["in time"]


def test_too_many_waiting_writes_are_refused(lab, database_url, monkeypatch):
    monkeypatch.setattr(writer, "MAX_WAITING", 3)
    database = Database(database_url)
    with Held(database):
        futures = [database.submit(note(lab, str(n))) for n in range(3)]
        with pytest.raises(DatabaseBusyError, match="try again"):
            database.submit(note(lab, "one too many"))
    for future in futures:
        future.result(10)
    database.close()
    assert notes(lab) == ["0", "1", "2"]


def test_close_finishes_what_it_took(lab):
    with Held(lab.database):
        futures = [lab.database.submit(note(lab, str(n))) for n in range(10)]
    lab.database.close()
    assert all(future.done() for future in futures)
    lab.database.close()
    with pytest.raises(DatabaseError, match="is closed"):
        lab.database.write(note(lab, "late"))
    assert len(notes(lab)) == 10


def test_a_write_inside_a_write_is_refused_rather_than_waiting_for_itself(lab):
    with pytest.raises(RuntimeError, match="cannot start another"):
        lab.database.write(lambda s: lab.database.write(note(lab, "inner")))


WRITE_FOREVER = """
import sys
from datetime import UTC, datetime
from db import repository as repo
from db.session import Database

database = Database(sys.argv[1])
number = 0
while True:
    write = lambda s: repo.audit(s, actor="", action=str(number), detail={}, now=datetime.now(UTC))
    database.write(write)
    print(number, flush=True)
    number += 1
"""


def test_acknowledged_writes_survive_kill_9(lab, database_url):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, database_url],
        cwd=Path(db.__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    acknowledged = 20 + len(process.stdout.read().split())
    process.wait()
    lab.database.check()
    assert notes(lab)[:acknowledged] == [str(n) for n in range(acknowledged)]
