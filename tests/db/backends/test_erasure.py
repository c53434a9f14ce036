"""What a withdrawal deletes is gone from the bytes of the files: database, log and copies."""

import sqlite3
import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest
from databases import on_sqlite

from db import repository as repo
from db.backends import sqlite_copies
from db.errors import DatabaseError
from db.models import Erasure, Participant, ProviderIdentity
from db.session import Database
from study_app.installation import erasing

pytestmark = on_sqlite


def take_part(lab, version, **changes):
    """Somebody who answers everything; the marks by which they would be found."""
    person = lab.admit(version, **changes)
    lab.finish(person)
    return person, [person.id, *(trial.trial_id for trial in lab.trials(person))]


def withdraw(lab, person):
    lab.database.write(lambda s: repo.withdraw(s, participant_id=person.id, now=lab.now))


def hits(lab, marks):
    """How often the marks are in each file of the home."""
    home = lab.database.path.parent
    found = {
        path.relative_to(home).as_posix(): sum(path.read_bytes().count(m.encode()) for m in marks)
        for path in home.rglob("*")
        if path.is_file()
    }
    return {name: count for name, count in found.items() if count}


def kept_copy(lab, name="study-before.db"):
    return lab.database.backup(lab.database.path.parent / "backups" / name)


def people_in(path):
    with closing(sqlite3.connect(path)) as copy:
        return {row[0] for row in copy.execute("SELECT id FROM participant")}


def test_nothing_of_who_withdrew_is_in_any_file_while_others_write_and_read(lab):
    version = lab.open()
    gone = [take_part(lab, version) for _ in range(6)]
    stays = [take_part(lab, version)[0] for _ in range(3)]
    marks = [mark for _, theirs in gone for mark in theirs]
    copy = kept_copy(lab)
    stop = threading.Event()

    def load(work):
        while not stop.is_set():
            work()

    def look():
        with lab.database.read() as s:
            assert s.query(Participant).count() >= len(stays)

    loads = [
        threading.Thread(target=load, args=(work,))
        for work in (lambda: lab.consent(version), look, look)
    ]
    for thread in loads:
        thread.start()
    try:
        for person, _ in gone:
            withdraw(lab, person)
        assert hits(lab, marks).keys() >= {"study.db-wal", "backups/study-before.db"}
        deadline = time.monotonic() + 60
        while not erasing.wipe(lab.database, lab.now):
            assert time.monotonic() < deadline
        assert hits(lab, marks) == {}
    finally:
        stop.set()
        for thread in loads:
            thread.join()
    assert lab.count(Erasure) == 0
    assert people_in(copy) == {person.id for person in stays}
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    opened = Database(copy)
    opened.check()
    opened.close()


def test_a_long_reader_is_waited_for(lab):
    version = lab.open()
    person, marks = take_part(lab, version)
    with lab.database.read() as s:
        assert s.query(Participant).count() == 1
        withdraw(lab, person)
        assert not erasing.wipe(lab.database, lab.now)
        lab.consent(version)  # nobody else waits for it
        assert hits(lab, marks)
        assert lab.count(Erasure) == 1
        assert s.query(Participant).count() == 1
    assert erasing.wipe(lab.database, lab.now)
    assert hits(lab, marks) == {}
    assert lab.count(Erasure) == 0


def test_a_process_that_was_killed_leaves_it_to_the_next(lab):
    person, marks = take_part(lab, lab.open())
    copy = kept_copy(lab)
    withdraw(lab, person)
    following = Database(lab.database.path)
    assert erasing.wipe(following, lab.now)
    following.close()
    assert hits(lab, marks) == {}
    assert people_in(copy) == set()


def test_raw_provider_ids_leave_log_and_copies_when_their_time_is_over(lab):
    version = lab.open()
    changes = {"provider": "prolific", "provider_session": "SESSION-MARK"}
    lab.consent(version, provider_id="RAW-ID-MARK", provider_id_hmac="h1", **changes)
    lab.later(days=60)
    lab.consent(version, provider_id="RAW-ID-LATER", provider_id_hmac="h2", **changes)
    kept_copy(lab)
    now = lab.start + timedelta(days=91)
    assert lab.database.write(lambda s: repo.delete_expired_identities(s, now=now)) == 1
    assert erasing.wipe(lab.database, now)
    assert hits(lab, ["RAW-ID-MARK"]) == {}
    assert set(hits(lab, ["RAW-ID-LATER"])) == {"study.db", "backups/study-before.db"}
    assert lab.count(Participant) == 2
    assert lab.count(ProviderIdentity) == 1


def test_who_is_in_a_copy_alone_did_not_withdraw(lab):
    """After an older copy was put back, a newer one may be all that is left of people."""
    version = lab.open()
    first, _ = take_part(lab, version)
    older = kept_copy(lab, "study-1.db")
    second, _ = take_part(lab, version)
    newer = kept_copy(lab, "study-2.db")
    with closing(sqlite3.connect(lab.database.path)) as raw, closing(sqlite3.connect(older)) as old:
        old.backup(raw)
    withdraw(lab, first)
    assert erasing.wipe(lab.database, lab.now)
    assert people_in(older) == set()
    assert people_in(newer) == {second.id}


def test_a_copy_that_cannot_be_wiped_is_named_and_tried_again(lab, monkeypatch):
    version = lab.open()
    person, marks = take_part(lab, version)
    copy = kept_copy(lab)
    before = copy.read_bytes()
    withdraw(lab, person)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_copies.files, "put_in_place", full)
        with pytest.raises(DatabaseError, match=r"study-before\.db.*No space left on device"):
            erasing.wipe(lab.database, lab.now)
    assert copy.read_bytes() == before
    assert list(copy.parent.iterdir()) == [copy]
    assert set(hits(lab, marks)) == {"backups/study-before.db"}
    (copy.parent / "notes.db").write_text("no database")
    with pytest.raises(DatabaseError, match=r"notes\.db cannot be read"):
        erasing.wipe(lab.database, lab.now)
    (copy.parent / "notes.db").unlink()
    assert erasing.wipe(lab.database, lab.now)
    assert hits(lab, marks) == {}
