"""SQLite's particulars: how connections are opened and begun, copied, and what its errors mean."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from db.backends import files, sqlite_copies
from db.backends.base import Backend
from db.errors import DatabaseError

FILE, WAL_FILE = "plausibly.file", "plausibly.wal"
"""Under which a connection remembers which files it has open."""

BUSY_TIMEOUT_MS = 10_000
MIN_FREE_BYTES = 16 * 2**20
LOG_BYTES = 16 * 2**20
"""What the log keeps of its size once it was written back."""
WIPE_TIMEOUT_MS = 250
"""How long writes wait for readers while the log is emptied; then it is tried again later."""

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
_ONLY_READABLE = (
    "The database {where} can be read here and not written; copy it, with its -wal if there is "
    "one, to a folder that can be written and name that folder by PLAUSIBLY_HOME."
)


class SQLite(Backend):
    """One file: WAL, synchronous=FULL, writers begin with BEGIN IMMEDIATE."""

    path: Path

    def __init__(self, url: URL) -> None:
        """Open nothing yet.

        Args:
            url: of a file.

        Raises:
            ValueError: it is of a database in memory.
        """
        if not url.database or url.database == ":memory:":
            raise ValueError("the database must be a file: readers and the writer share it")
        self.path = Path(url.database).absolute()
        self.where = str(self.path)

    def readers(self) -> Engine:
        """Connections with `query_only`."""
        return _engine(self.path, read_only=True)

    def writers(self) -> Engine:
        """Transactions that take SQLite's write lock, waiting at most BUSY_TIMEOUT_MS for it."""
        return _engine(self.path, begin="BEGIN IMMEDIATE")

    def migrators(self) -> Engine:
        """Make the folder and the file if they are missing; foreign keys are not enforced."""
        try:
            files.make_folder(self.path.parent)
            files.make_file(self.path)
        except OSError as error:
            raise DatabaseError(
                f"The database {self.where} cannot be made: {error.strerror}."
            ) from error
        return _engine(self.path, begin="BEGIN IMMEDIATE", migrating=True)

    def in_transaction(self, connection: Connection) -> bool:
        """Some errors, such as a full disk, make SQLite roll back by itself."""
        driver = connection.connection.dbapi_connection
        return not isinstance(driver, sqlite3.Connection) or driver.in_transaction

    def as_database_error(self, error: BaseException) -> DatabaseError | None:
        """By the primary error code."""
        if isinstance(error, DatabaseError):
            return error
        if not isinstance(error, DBAPIError | sqlite3.Error):
            return None
        # After some errors SQLite forgets the savepoint; trying to go back to it hides them.
        shown: BaseException | None = error
        while shown is not None:
            cause = shown.orig if isinstance(shown, DBAPIError) else shown
            name = getattr(cause, "sqlite_errorname", None) or ""
            for prefix, sentence in _SENTENCES.items():
                if name.startswith(prefix):
                    closed = prefix in ("SQLITE_READONLY", "SQLITE_CANTOPEN")
                    if closed and files.only_readable(self.path):
                        sentence = _ONLY_READABLE
                    return DatabaseError(sentence.format(where=self.where))
            shown = shown.__context__
        return None

    def passes(self, error: BaseException) -> bool:
        """Never: whoever has the write lock meets nobody."""
        return False

    def is_empty(self) -> bool:
        """Return whether there is no file, or one of no bytes."""
        return not self.path.exists() or not self.path.stat().st_size

    def require_usable(self) -> None:
        """The file is there and its disk has MIN_FREE_BYTES left."""
        if not self.path.is_file() or self.is_empty():
            raise DatabaseError(
                f"There is no database at {self.where}; make one with 'plausibly db upgrade'."
            )
        if files.only_readable(self.path):
            return  # it may be read; whoever writes is told
        free = shutil.disk_usage(self.path.parent).free
        if free < MIN_FREE_BYTES:
            raise DatabaseError(
                f"The disk of {self.where} is full ({free // 2**20} MiB left); free some space."
            )

    def require_sound(self, connection: Connection) -> None:
        """SQLite finds the whole file well-formed. Reads all of it."""
        if connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() != "ok":
            raise DatabaseError(f"The database {self.where} is damaged; restore it from a backup.")

    def require_in_place(self, connection: Connection) -> None:
        """The file and its WAL are those that were opened, not deleted and not replaced."""
        opened = connection.info
        wal = Path(f"{self.path}-wal")
        # The WAL is made by the first transaction, so what is there in one is what is written to.
        if WAL_FILE not in opened:
            opened[WAL_FILE] = _identity(wal)
        if _identity(self.path) != opened[FILE] or _identity(wal) != opened[WAL_FILE]:
            raise DatabaseError(
                f"The database {self.where} was deleted or replaced while the server used it; "
                "nothing is stored. Stop the server, put the right file there, and start it again."
            )

    def check_migrated(self, connection: Connection) -> None:
        """Foreign keys were not enforced meanwhile: look at all of them."""
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise DatabaseError(
                f"The database {self.where} is damaged: "
                f"table {broken[0]} points to missing rows of {broken[2]}."
            )

    def backup(self, target: Path) -> None:
        """Copy through SQLite's backup API."""
        if not self.path.is_file():
            raise DatabaseError(f"There is no database at {self.where}, so nothing to back up.")
        try:
            files.make_folder(target.absolute().parent)
            sqlite_copies.copy(self.path, target)
        except sqlite_copies.OriginError as error:
            raise self._unreadable(error, self.where) from error
        except (sqlite3.Error, OSError) as error:
            raise DatabaseError(
                f"The backup {target} could not be written: {_reason(error)}."
            ) from error

    def backup_before_upgrade(self) -> Path:
        """In `backups/` beside the file."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        target = self._backups / f"{self.path.stem}-{stamp}.db"
        self.backup(target)
        return target

    def wipe_log(self) -> bool:
        """Write the log back and cut it to nothing."""
        with closing(
            sqlite3.connect(f"file:{quote(self.where)}?mode=rw", uri=True, isolation_level=None)
        ) as connection:
            # Nobody waits for this one. Where a reader still needs the log, it says so.
            _, pages, written_back = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages != written_back:
                return False
            connection.execute(f"PRAGMA busy_timeout = {WIPE_TIMEOUT_MS}")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

    def wipe_copies(self, people: Collection[str], now: datetime) -> None:
        """Those in `backups/` beside the file."""
        files.remove_abandoned(self._backups)
        for path in sorted(self._backups.glob("*.db")):
            try:
                sqlite_copies.wipe(path, people, now)
            except sqlite_copies.OriginError as error:
                raise self._unreadable(error, str(path)) from error
            except (sqlite3.Error, OSError) as error:
                raise DatabaseError(
                    f"People who withdrew are still in the copy {path}, which could not be "
                    f"written: {_reason(error)}. It is tried again; or delete the copy."
                ) from error

    @property
    def _backups(self) -> Path:
        return self.path.parent / "backups"

    def _unreadable(self, error: sqlite_copies.OriginError, where: str) -> BaseException:
        """Return the sentence about a file that is copied, or rid of people, and cannot be read."""
        cause = error.__cause__
        assert cause is not None
        if where == self.where:
            return self.as_database_error(cause) or cause
        return DatabaseError(
            f"The copy {where} cannot be read ({cause}): whether people who withdrew are still in "
            "it cannot be told. Delete it, or move it away."
        )


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    full = str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_FULL")
    return "the disk is full" if full else str(error)


def _engine(
    path: Path, *, begin: str = "BEGIN", read_only: bool = False, migrating: bool = False
) -> Engine:
    """Return an engine on the file `path`, which must exist.

    Args:
        path: the file.
        begin: the statement that opens a transaction ("BEGIN" or "BEGIN IMMEDIATE"); the driver's
            own handling is switched off, so that SAVEPOINT and reads are transactional
            (SQLAlchemy's recipe).
        read_only: every write through this engine is refused by SQLite.
        migrating: foreign keys are not enforced: changing a table means rebuilding it, which must
            not cascade to its children. Follow with `check_migrated`.
    """
    closed = read_only and files.only_readable(path)

    def connect() -> sqlite3.Connection:
        uri = sqlite_copies.reading(path) if closed else f"file:{quote(str(path))}?mode=rw"
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
    pragmas = _set_pragmas(read_only, closed=closed, foreign_keys=not migrating)
    event.listen(engine, "connect", pragmas)

    def remember_file(_: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info[FILE] = _identity(path)

    event.listen(engine, "connect", remember_file)

    def emit_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "begin", emit_begin)
    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which file is at `path`, by its device and number; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _set_pragmas(
    read_only: bool, *, closed: bool, foreign_keys: bool
) -> Callable[[DBAPIConnection, ConnectionPoolEntry], None]:
    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if not closed:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        # FULL: a commit is on the disk before it returns, also after a power cut.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        # Withdrawal must overwrite what it deletes, not only unlink it.
        cursor.execute("PRAGMA secure_delete = ON")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    return on_connect
