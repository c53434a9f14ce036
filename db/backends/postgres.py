"""PostgreSQL's particulars: how connections are opened and begun, and what its errors mean."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from db.backends import files
from db.backends.base import Backend
from db.errors import DatabaseError

# One writer at a time, in whichever process: SQLite's BEGIN IMMEDIATE. Advisory locks belong to one
# database of the server, so that two studies on one server do not wait for each other.
WRITE_LOCK = int.from_bytes(b"plausibl")
LOCK_TIMEOUT_MS = 10_000
# A process that hangs inside a write loses it, and the lock, after this time.
IDLE_TIMEOUT_MS = 30_000
# Readers at once: the server's thread pool has 40 threads. The rest of the pool is not kept open.
KEPT, MAX_READERS = 8, 48

_UNREACHABLE = "The server of {where} cannot be reached; is it running, and is the address right?"
_LOST = "The server of {where} broke the connection; try again."
_BUSY = "The database {where} is locked by another program; try again."
_DAMAGED = "The database {where} is damaged; restore it from a backup."
_LOGIN = "The server of {where} refuses the login: wrong user or password, or it is not let in."
_MISSING = "There is no database at {where}; make one with 'createdb'."

# SQLSTATE codes, or the classes that they begin with, and what to tell a person.
_SENTENCES = {
    "08": _LOST,
    "25P03": _LOST,
    "25006": "The database {where} cannot be written here: it is open for reading only.",
    "28": _LOGIN,
    "3D000": _MISSING,
    "40": _BUSY,
    "42501": "The login may not do this in the database {where}; give it rights on its tables.",
    "53100": "The disk is full: {where} could not be written, and nothing was stored.",
    "53200": "The server of {where} is out of memory; try again.",
    "53300": "The server of {where} takes no more connections; try again.",
    "53": "The server of {where} is at a limit of its own; try again.",
    "55P03": _BUSY,
    "57P01": _LOST,
    "57P02": _LOST,
    "57P03": "The server of {where} is starting or stopping; try again.",
    "57P04": _MISSING,
    "57": "The server of {where} stopped the statement; try again.",
    "58": "The disk failed while using the database {where}.",
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}

# libpq gives no code when it cannot connect, only English text, or the server's own language.
_CONNECTING = {
    "password authentication failed": _LOGIN,
    "no password supplied": _LOGIN,
    "no pg_hba.conf entry": _LOGIN,
    "authentication failed": _LOGIN,
    "role ": _LOGIN,
    "database ": _MISSING,
    "connection option": "The address of {where} has an option that libpq does not know.",
    "too many clients": _SENTENCES["53300"],
    "connection slots": _SENTENCES["53300"],
    "starting up": _SENTENCES["57P03"],
    "shutting down": _SENTENCES["57P03"],
}


class _TextDumper(StrDumperUnknown):
    """Text without NUL, which PostgreSQL cannot hold; U+FFFD stands for it, as in web pages."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


class PostgreSQL(Backend):
    """One database of a server; several processes may use it at once.

    Readers see one moment (REPEATABLE READ). Writers read what is committed (READ COMMITTED) under
    an advisory lock that is theirs until the commit: a snapshot taken before the lock was granted
    would miss what the one before them wrote.
    """

    def __init__(self, url: URL) -> None:
        """Open nothing yet.

        Args:
            url: its driver is psycopg. The password may stand in it or come from PGPASSFILE.
        """
        if not url.database:
            raise ValueError(
                "it names no database: postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
            )
        self._url = url
        # Built from its parts: a query may hold a password as well.
        shown = URL.create(
            "postgresql",
            host=url.host,
            port=url.port,
            database=url.database,
            query={key: url.query[key] for key in ("host", "port") if key in url.query},
        )
        self.where = shown.render_as_string()

    def readers(self) -> Engine:
        """Read-only transactions of one snapshot each; connections are made as they are needed."""
        return self._engine(
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
            pool_size=KEPT,
            max_overflow=MAX_READERS - KEPT,
        )

    def writers(self) -> Engine:
        """Transactions that take the write lock, waiting at most LOCK_TIMEOUT_MS for it."""
        return self._locking_engine(LOCK_TIMEOUT_MS, IDLE_TIMEOUT_MS)

    def migrators(self) -> Engine:
        """As `writers`, but patient: another process may be upgrading, which can take minutes."""
        return self._locking_engine(0, 0)

    def in_transaction(self, connection: Connection) -> bool:
        """A statement that failed outside a savepoint, or a ROLLBACK, ends all that came before."""
        driver = connection.connection.dbapi_connection
        return (
            not isinstance(driver, psycopg.Connection)
            or driver.info.transaction_status == TransactionStatus.INTRANS
        )

    def as_database_error(self, error: BaseException) -> DatabaseError | None:
        """By SQLSTATE; where there is none, the server was never reached or has gone."""
        if isinstance(error, DatabaseError):
            return error
        if isinstance(error, PoolTimeoutError):
            return DatabaseError(f"The database {self.where} has too many readers; try again.")
        if not isinstance(error, DBAPIError | psycopg.Error):
            return None
        cause = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(cause, "sqlstate", None)
        if state is None:
            return self._unconnected(error, cause)
        for length in (5, 2):
            if state[:length] in _SENTENCES:
                return DatabaseError(_SENTENCES[state[:length]].format(where=self.where))
        return None

    def _unconnected(
        self, error: BaseException, cause: BaseException | None
    ) -> DatabaseError | None:
        sentence = _sentence(_CONNECTING, str(cause))
        if isinstance(cause, psycopg.OperationalError):
            broke = isinstance(error, DBAPIError) and error.connection_invalidated
            sentence = _LOST if broke else sentence or _UNREACHABLE
        return None if sentence is None else DatabaseError(sentence.format(where=self.where))

    def passes(self, error: BaseException) -> bool:
        """A deadlock or serialization failure: another program was in the way at that moment."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        return getattr(cause, "sqlstate", None) in ("40P01", "40001")

    def is_empty(self) -> bool:
        """Only the revision tells; an upgrade looks at it in any case."""
        return False

    def require_usable(self) -> None:
        """Whether the server answers shows with the first statement."""

    def require_sound(self, connection: Connection) -> None:
        """The server keeps any text, is the one that is written to, and keeps it after a crash."""
        encoding, standby, fsync = connection.exec_driver_sql(
            "SELECT current_setting('server_encoding'), pg_is_in_recovery(),"
            " current_setting('fsync')"
        ).one()
        if encoding != "UTF8":
            raise DatabaseError(
                f"The database {self.where} has the encoding {encoding}, which cannot hold every "
                "language; make one with 'createdb --encoding=UTF8 --template=template0'."
            )
        if standby:
            raise DatabaseError(
                f"The server of {self.where} is a standby and cannot be written; name its primary."
            )
        if fsync != "on":
            raise DatabaseError(
                f"The server of {self.where} runs with fsync = off: acknowledged answers could be "
                "lost when its machine fails; set it to on."
            )

    def require_in_place(self, connection: Connection) -> None:
        """A server keeps its files to itself, and a connection ends with it."""

    def check_migrated(self, connection: Connection) -> None:
        """Nothing to look for: foreign keys hold during a migration too."""

    def backup(self, target: Path) -> None:
        """Let pg_dump write an archive for pg_restore."""
        dump = shutil.which("pg_dump")
        if dump is None:
            raise DatabaseError(
                "A PostgreSQL database is backed up by pg_dump, which is not here; install the "
                "package postgresql-client."
            )
        partial = files.partial_of(target)
        arguments = self._connect_arguments()
        # Everybody on the machine can read a command line: the password goes by the environment.
        password = arguments.pop("password", None)
        environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
        command = [dump, "--format=custom", "--no-owner", f"--file={partial}"]
        try:
            files.make_folder(target.absolute().parent)
            files.make_file(partial)
            done = subprocess.run(
                [*command, f"--dbname={make_conninfo(**arguments)}"],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                said = (done.stderr.strip() or "no reason given").splitlines()[0]
                raise DatabaseError(f"The backup {target} could not be written: {said}")
            files.put_in_place(partial, target)
        except OSError as error:
            raise DatabaseError(
                f"The backup {target} could not be written: {error.strerror}."
            ) from error
        finally:
            files.remove(partial)

    def backup_before_upgrade(self) -> None:
        """Where copies belong, the server's administrator knows; a migration is all or nothing."""

    def wipe_log(self) -> bool:
        """The log is the server's; docs/database.md says what remains in it until when."""
        return True

    def wipe_copies(self, people: Collection[str], now: datetime) -> None:
        """There are none that Plausibly made by itself."""

    def _connect_arguments(self) -> dict[str, Any]:
        """What libpq gets; what the URL says in its query comes before the defaults here."""
        given = self._url.get_dialect()().create_connect_args(self._url)[1]
        return {
            "application_name": "plausibly",
            "client_encoding": "utf8",
            "connect_timeout": "10",
            **given,
        }

    def _engine(self, **options: Any) -> Engine:
        engine = create_engine(
            self._url,
            connect_args=self._connect_arguments(),
            hide_parameters=True,  # what people answered does not belong in a log
            pool_pre_ping=True,  # a server that was restarted meanwhile is no reason to fail
            **options,
        )

        def on_connect(connection: Any, _: ConnectionPoolEntry) -> None:
            connection.adapters.register_dumper(str, _TextDumper)

        event.listen(engine, "connect", on_connect)
        return engine

    def _locking_engine(self, lock_timeout: int, idle_timeout: int) -> Engine:
        engine = self._engine(isolation_level="READ COMMITTED")

        def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
            cursor = connection.cursor()
            cursor.execute(f"SET lock_timeout = {lock_timeout}")
            cursor.execute(f"SET idle_in_transaction_session_timeout = {idle_timeout}")
            # A server may be set to acknowledge before the disk has it; answers may not.
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
            cursor.close()
            connection.commit()

        def take_lock(connection: Connection) -> None:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")

        event.listen(engine, "connect", on_connect)
        event.listen(engine, "begin", take_lock)
        return engine


def _sentence(sentences: dict[str, str], text: str) -> str | None:
    """Return the sentence of the first key that the text contains."""
    return next((sentence for key, sentence in sentences.items() if key in text), None)
