"""SQLite's particulars: how connections are opened and begun, copied, and what its errors mean."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from db.errors import DatabaseError

BUSY_TIMEOUT_MS = 10_000

# Primary error codes, and what to tell a person. Extended codes begin with these names.
_SENTENCES = {
    "SQLITE_FULL": "The disk is full: {where} could not be written, and nothing was stored.",
    "SQLITE_BUSY": "The database {where} is locked by another program; try again.",
    "SQLITE_LOCKED": "The database {where} is locked; try again.",
    "SQLITE_CORRUPT": "The database {where} is damaged; restore it from a backup.",
    "SQLITE_NOTADB": "{where} is not a database; restore it from a backup or move it away.",
    "SQLITE_READONLY": "The database {where} cannot be written here: it is open for reading only.",
    "SQLITE_IOERR": "The disk failed while using the database {where}.",
    "SQLITE_CANTOPEN": "There is no database at {where}, or it cannot be opened.",
}


def as_database_error(error: Exception, where: str) -> DatabaseError | None:
    """`error` as a DatabaseError of one sentence, or None if it is not the database's failing.

    `where` names the database. Broken constraints and mistakes in SQL stay what they are.
    """
    if isinstance(error, DatabaseError):
        return error
    if not isinstance(error, DBAPIError | sqlite3.Error):
        return None
    # After some errors SQLite forgets the savepoint, and the attempt to go back to it hides them.
    shown: BaseException | None = error
    while shown is not None:
        cause = shown.orig if isinstance(shown, DBAPIError) else shown
        name = getattr(cause, "sqlite_errorname", None) or ""
        for prefix, sentence in _SENTENCES.items():
            if name.startswith(prefix):
                return DatabaseError(sentence.format(where=where))
        shown = shown.__context__
    return None


def sqlite_engine(
    path: Path, *, begin: str = "BEGIN", read_only: bool = False, migrating: bool = False
) -> Engine:
    """An engine on the file `path`, which must exist unless `migrating`.

    begin: the statement that opens a transaction ("BEGIN" or "BEGIN IMMEDIATE"); the driver's own
    handling is switched off, so that SAVEPOINT and reads are transactional (SQLAlchemy's recipe).
    read_only: every write through this engine is refused by SQLite.
    migrating: the file is made if missing, and foreign keys are not enforced: changing a table
    means rebuilding it, which must not cascade to its children. Follow with `check_foreign_keys`.
    """
    uri = f"file:{quote(str(path))}?mode={'rwc' if migrating else 'rw'}"

    def connect() -> sqlite3.Connection:
        # isolation_level None: the driver never opens or commits a transaction by itself.
        return sqlite3.connect(
            uri,
            uri=True,
            check_same_thread=False,
            isolation_level=None,
            timeout=BUSY_TIMEOUT_MS / 1000,
        )

    # Readers come from the server's thread pool: waiting for one another gains nothing.
    engine = create_engine("sqlite:///", creator=connect, poolclass=QueuePool, max_overflow=-1)
    event.listen(engine, "connect", _set_pragmas(read_only, foreign_keys=not migrating))

    def emit_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "begin", emit_begin)
    return engine


def _set_pragmas(
    read_only: bool, *, foreign_keys: bool
) -> Callable[[DBAPIConnection, ConnectionPoolEntry], None]:
    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit is on the disk before it returns, also after a power cut.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        # Withdrawal must overwrite what it deletes, not only unlink it.
        cursor.execute("PRAGMA secure_delete = ON")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    return on_connect


def in_transaction(connection: Connection) -> bool:
    """Whether SQLite still has the transaction open; some errors make it roll back by itself."""
    driver = connection.connection.dbapi_connection
    return not isinstance(driver, sqlite3.Connection) or driver.in_transaction


def check_foreign_keys(connection: Connection, where: str) -> None:
    """Raise DatabaseError if a row points to one that does not exist."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise DatabaseError(
            f"The database {where} is damaged: "
            f"table {broken[0]} points to missing rows of {broken[2]}."
        )


def is_sound(connection: Connection) -> bool:
    """Whether SQLite finds the whole file well-formed. Reads all of it."""
    return bool(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok")


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that may be in use, through SQLite's backup API: whole or absent.

    Raises DatabaseError if the source is missing or damaged or the target cannot be written.
    """
    if not source.is_file():
        raise DatabaseError(f"There is no database at {source}, so nothing to back up.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as origin,
            closing(sqlite3.connect(partial)) as copy,
        ):
            origin.backup(copy)
        partial.replace(target)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise as_database_error(error, str(source)) or DatabaseError(
            f"The backup {target} could not be written: {error}."
        ) from error
