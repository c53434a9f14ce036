"""The database as the rest of Plausibly sees it: open, upgrade, check, read, write, back up."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.orm import Session

from db.errors import DatabaseError
from db.sqlite import (
    as_database_error,
    check_foreign_keys,
    copy_database,
    is_sound,
    sqlite_engine,
)
from db.upgrade import is_current, run_migrations
from db.writer import GroupCommitWriter

T = TypeVar("T")

MIN_FREE_BYTES = 16 * 2**20


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
        """url_or_path: a file, a sqlite:/// URL of a file, or a PostgreSQL URL."""
        text = str(url_or_path)
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
        self.path: Path | None = None
        self._readers: Engine
        writers: Engine
        if url.get_backend_name() == "sqlite":
            if not url.database or url.database == ":memory:":
                raise ValueError("the database must be a file: readers and the writer share it")
            self.path = Path(url.database).absolute()
            self.where = str(self.path)
            self._readers = sqlite_engine(self.path, read_only=True)
            writers = sqlite_engine(self.path, begin="BEGIN IMMEDIATE")
        else:
            self.where = url.render_as_string(hide_password=True)
            writers = create_engine(url)
            self._readers = create_engine(
                url,
                execution_options={
                    "postgresql_readonly": True,
                    "isolation_level": "REPEATABLE READ",
                },
            )
        self._writers = writers
        self._writer = GroupCommitWriter(writers, self.where)

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
        and the session ends with it. Raises DatabaseBusyError when too much is waiting.
        """
        return self._writer.submit(function)

    def write(self, function: Callable[[Session], T]) -> T:
        """Run `function(session)` on the writer thread and return its result, once it is durable.

        What the function raises is raised here, and nothing that it wrote remains.
        """
        return self.submit(function).result()

    def upgrade(self) -> Path | None:
        """Create the database, or bring it to the newest revision; safe to call at every start.

        Returns the backup that was made first, in `backups/` beside the database, or None if none
        was needed. Raises DatabaseError, leaving the database as it was, if it is from a newer
        version or is not one of Plausibly's.
        """
        backup: Path | None = None
        if self.path is not None and self.path.exists() and self.path.stat().st_size:
            if self._is_current():
                return None
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
            backup = self.path.parent / "backups" / f"{self.path.stem}-{stamp}.db"
            self.backup(backup)
        engine = self._migrating_engine()
        try:
            with engine.begin() as connection:
                # Another process may have been faster: ask again now that the lock is ours.
                if not is_current(connection, self.where):
                    run_migrations(connection)
                    if self.path is not None:
                        check_foreign_keys(connection, self.where)
        except Exception as error:
            self._reraise(error)
        finally:
            if engine is not self._writers:
                engine.dispose()
        return backup

    def check(self) -> None:
        """Raise DatabaseError, one clear sentence, unless the database can be used now.

        Refused: missing, not a database, damaged, of an older or newer version, or a disk with less
        than MIN_FREE_BYTES left.
        """
        if self.path is not None:
            if not self.path.is_file() or not self.path.stat().st_size:
                raise DatabaseError(
                    f"There is no database at {self.where}; make one with 'plausibly db upgrade'."
                )
            free = shutil.disk_usage(self.path.parent).free
            if free < MIN_FREE_BYTES:
                raise DatabaseError(
                    f"The disk of {self.where} is full ({free // 2**20} MiB left); free some space."
                )
        if not self._is_current():
            raise DatabaseError(
                f"The database {self.where} is of an older version; "
                "bring it up to date with 'plausibly db upgrade'."
            )
        if self.path is not None:
            with self.read() as session:
                sound = is_sound(session.connection())
            if not sound:
                raise DatabaseError(
                    f"The database {self.where} is damaged; restore it from a backup."
                )

    def backup(self, target: Path) -> Path:
        """Copy the database, also while it is in use, to the file `target`; whole or absent.

        Raises DatabaseError for PostgreSQL, which brings its own tool.
        """
        if self.path is None:
            raise DatabaseError("Back up a PostgreSQL database with pg_dump.")
        copy_database(self.path, target)
        return target

    def close(self) -> None:
        """Finish the writes taken in and let go of the file. May be called twice."""
        self._writer.close()
        self._writers.dispose()
        self._readers.dispose()

    def _is_current(self) -> bool:
        try:
            with self._readers.connect() as connection:
                return is_current(connection, self.where)
        except Exception as error:
            self._reraise(error)

    def _migrating_engine(self) -> Engine:
        if self.path is None:
            return self._writers
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"The folder {self.path.parent} cannot be made.") from error
        return sqlite_engine(self.path, begin="BEGIN IMMEDIATE", migrating=True)

    def _reraise(self, error: Exception) -> NoReturn:
        translated = as_database_error(error, self.where)
        if translated is None or translated is error:
            raise error
        raise translated from error
