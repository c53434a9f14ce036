"""The database as the rest of Plausibly sees it: open, upgrade, check, read, write, back up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from sqlalchemy.orm import Session

from db.backends.opening import open_backend
from db.errors import DatabaseError
from db.writer import GroupCommitWriter

T = TypeVar("T")


class Database:
    """One database: any number of readers, one writer thread with group commit.

        database = Database("plausibly-data/study.db")
        database.upgrade()
        info = database.write(lambda s: repository.set_study_status(s, name="demo", ...))
        with database.read() as s:
            repository.study(s, "demo")

    Opening touches nothing; every failure of the database itself is a DatabaseError.
    """

    def __init__(self, url_or_path: str | Path) -> None:
        """Open nothing yet.

        Args:
            url_or_path: a file, a sqlite:/// URL of a file, or a PostgreSQL URL.

        Raises:
            ValueError: it is anything else.
        """
        self._backend = open_backend(url_or_path)
        self.path = self._backend.path
        self.where = self._backend.where
        self._readers = self._backend.readers()
        self._writers = self._backend.writers()
        self._writer = GroupCommitWriter(self._writers, self._backend)

    def __repr__(self) -> str:
        """Name the database without its password."""
        return f"Database({self.where!r})"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one consistent snapshot. Writing through it is refused by the database."""
        try:
            with Session(self._readers) as session:
                yield session
        except Exception as error:
            self._reraise(error)

    def submit(self, function: Callable[[Session], T]) -> Future[T]:
        """Queue `function(session)` for the writer thread; the future resolves after the commit.

        The function should be short and do nothing but use its session: it holds the write lock,
        and the session ends with it.

        Raises:
            DatabaseBusyError: too much is waiting.
        """
        return self._writer.submit(function)

    def write(self, function: Callable[[Session], T]) -> T:
        """Run `function(session)` on the writer thread and return its result, once it is durable.

        What the function raises is raised here, and nothing that it wrote remains.
        """
        return self.submit(function).result()

    def upgrade(self) -> Path | None:
        """Create the database, or bring it to the newest revision; safe to call at every start.

        Returns:
            The backup that was made first, or None: none was needed, or (PostgreSQL) backups are
            the server's.

        Raises:
            DatabaseError: the database is from a newer version, or not one of Plausibly's; it is
                left as it was.
        """
        backup: Path | None = None
        if not self._backend.is_empty():
            if self._is_current():
                return None
            backup = self._backend.backup_before_upgrade()
        from db.upgrade import is_current, run_migrations

        engine = self._backend.migrators()
        try:
            with engine.begin() as connection:
                # Another process may have been faster: ask again now that the lock is ours.
                if not is_current(connection, self.where):
                    run_migrations(connection)
                    self._backend.check_migrated(connection)
        except Exception as error:
            self._reraise(error)
        finally:
            engine.dispose()
        return backup

    def check(self) -> None:
        """Raise DatabaseError, one clear sentence, unless the database can be used now.

        Refused: missing, not a database, damaged, of an older or newer version, on a full disk, or
        on a server that would lose what was acknowledged.
        """
        self._backend.require_usable()
        if not self._is_current():
            raise DatabaseError(
                f"The database {self.where} is of an older version; "
                "bring it up to date with 'plausibly db upgrade'."
            )
        with self.read() as session:
            self._backend.require_sound(session.connection())

    def wipe_log(self) -> bool:
        """Empty the log that holds what was deleted; return whether that could be done.

        False where somebody still reads what was there before: ask again later. On PostgreSQL
        the log is the server's, and nothing is done.
        """
        return self._writer.between(self._backend.wipe_log).result()

    def wipe_copies(self, people: Collection[str], now: datetime) -> None:
        """Delete people, and raw provider ids whose time is over, in the copies made by itself.

        Args:
            people: SHA-256 (hex) of their ids.
            now: the time.

        Raises:
            DatabaseError: a copy could not be written; those before it are done.
        """
        self._backend.wipe_copies(people, now)

    def require_alive(self) -> None:
        """Read something, and raise DatabaseError unless it is from where writes go."""
        with self.read() as session:
            connection = session.connection()
            connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
            self._backend.require_in_place(connection)

    def backup(self, target: Path) -> Path:
        """Copy the database, also while it is in use, to the file `target`; whole or absent.

        Of SQLite a database file, of PostgreSQL an archive for pg_restore.

        Raises:
            DatabaseError: there is nothing to copy, or the copy could not be made.
        """
        self._backend.backup(target)
        return target

    def close(self) -> None:
        """Finish the writes taken in and let go of the file. May be called twice."""
        self._writer.close()
        self._writers.dispose()
        self._readers.dispose()

    def _is_current(self) -> bool:
        from db.upgrade import is_current  # brings Alembic, which most commands do without

        try:
            with self._readers.connect() as connection:
                return is_current(connection, self.where)
        except Exception as error:
            self._reraise(error)

    def _reraise(self, error: Exception) -> NoReturn:
        translated = self._backend.as_database_error(error)
        if translated is None or translated is error:
            raise error
        raise translated from error
