"""Copies of a SQLite file: made while it is in use, and rid of people who withdrew since."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from db.backends import files

_OF_ORIGIN = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_BUSY", "SQLITE_LOCKED")
"""What only the file that is read can be to blame for."""


class OriginError(Exception):
    """What is to be copied cannot be read; the cause says why."""


def copy(origin: Path, target: Path) -> None:
    """Copy through SQLite's backup API: whole or absent.

    Raises:
        OriginError: `origin` cannot be read.
        OSError, sqlite3.Error: `target` cannot be written.
    """
    partial = files.partial_of(target)
    try:
        _copy(origin, partial)
        files.put_in_place(partial, target)
    finally:
        files.remove(partial)


def wipe(path: Path, people: Collection[str], now: datetime) -> bool:
    """Delete people and raw provider ids whose time is over from a copy; return whether any were.

    The copy is made anew beside itself and replaced, so that it is whole at any moment.

    Args:
        path: the copy, of any version of the schema; a file that is no study database is left.
        people: SHA-256 (hex) of their ids.
        now: the time.

    Raises:
        OriginError: the copy cannot be read.
        OSError, sqlite3.Error: it cannot be written.
    """
    if not _holds(path, people, now):
        return False
    partial = files.partial_of(path)
    try:
        _copy(path, partial)
        with closing(sqlite3.connect(partial, isolation_level=None)) as made:
            made.execute("PRAGMA secure_delete = ON")
            made.execute("PRAGMA foreign_keys = ON")
            _know(made, people)
            for table, condition in _CONDITIONS.items():
                made.execute(f"DELETE FROM {table} WHERE {condition}", {"now": _stored(now)})  # noqa: S608
            made.execute("VACUUM")
        files.put_in_place(partial, path)
    finally:
        files.remove(partial)
    return True


def reading(path: Path) -> str:
    """Return the URI by which a file is read, also where nothing can be written beside it.

    Where the folder cannot be written and there is no log, nobody writes the file: SQLite may
    then do without its shared memory.
    """
    log = path.with_name(f"{path.name}-wal")
    quiet = not log.exists() or not log.stat().st_size
    alone = "&immutable=1" if files.only_readable(path) and quiet else ""
    return f"file:{quote(str(path))}?mode=ro{alone}"


_CONDITIONS = {
    "participant": "is_gone(id)",  # all else of a person goes with it
    "provider_identity": "expires_at <= :now",
}


def _copy(origin: Path, partial: Path) -> None:
    with closing(_opened(origin)) as source:
        files.make_file(partial)
        with closing(sqlite3.connect(partial)) as made:
            try:
                source.backup(made)
            except sqlite3.Error as error:
                if str(getattr(error, "sqlite_errorname", "")).startswith(_OF_ORIGIN):
                    raise OriginError from error
                raise
            # No log: a copy is one file, and can be read where nothing can be written.
            made.execute("PRAGMA journal_mode = DELETE")


def _opened(path: Path) -> sqlite3.Connection:
    try:
        opened = sqlite3.connect(reading(path), uri=True)
        try:
            opened.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            opened.close()
            raise
    except sqlite3.Error as error:
        raise OriginError from error
    return opened


def _holds(path: Path, people: Collection[str], now: datetime) -> bool:
    """Return whether a copy has somebody, or something, that is to be deleted."""
    with closing(_opened(path)) as copy:
        _know(copy, people)
        tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master")}
        return tables.issuperset(_CONDITIONS) and any(
            copy.execute(
                f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1",  # noqa: S608
                {"now": _stored(now)},
            ).fetchone()
            for table, condition in _CONDITIONS.items()
        )


def _know(connection: sqlite3.Connection, people: Collection[str]) -> None:
    """Teach a connection who is gone."""

    def is_gone(person: str) -> bool:
        return hashlib.sha256(person.encode()).hexdigest() in people

    connection.create_function("is_gone", 1, is_gone, deterministic=True)


def _stored(moment: datetime) -> str:
    """Return a time as the tables hold it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
