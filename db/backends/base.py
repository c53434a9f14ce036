"""What a database system must offer: engines for readers, the writer and migrations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from db.errors import DatabaseError


class Backend(ABC):
    """One database of one system: its engines, and what only that system can say or do.

    Attributes:
        where: the database as a person may see it; never with a password.
        path: its file, if it is one.
    """

    where: str
    path: Path | None = None

    @abstractmethod
    def readers(self) -> Engine:
        """Return an engine for many threads: a transaction sees one moment, a write is refused."""

    @abstractmethod
    def writers(self) -> Engine:
        """Return an engine whose transactions begin with the write lock and commit durably.

        The lock is one for the whole database: whoever holds it, in whichever process, is the only
        writer, and sees everything that was committed before.
        """

    @abstractmethod
    def migrators(self) -> Engine:
        """Return an engine as `writers` to change tables with; make the database if that can be."""

    @abstractmethod
    def in_transaction(self, connection: Connection) -> bool:
        """Return whether the database still has the connection's transaction open, and usable."""

    @abstractmethod
    def as_database_error(self, error: BaseException) -> DatabaseError | None:
        """Return `error` as a DatabaseError of one sentence; None if the database is not to blame.

        Broken constraints and mistakes in SQL stay what they are.
        """

    @abstractmethod
    def passes(self, error: BaseException) -> bool:
        """Return whether the write that raised `error` would succeed if it were run again."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Return whether there is nothing yet that an upgrade could harm."""

    @abstractmethod
    def require_usable(self) -> None:
        """Raise DatabaseError if the database is not there or has no room."""

    @abstractmethod
    def require_sound(self, connection: Connection) -> None:
        """Raise DatabaseError if the database is damaged or cannot keep what it is given."""

    @abstractmethod
    def require_in_place(self, connection: Connection) -> None:
        """Raise DatabaseError if what the connection writes to is not what others would open."""

    @abstractmethod
    def check_migrated(self, connection: Connection) -> None:
        """Raise DatabaseError if a migration left rows that point nowhere."""

    @abstractmethod
    def backup(self, target: Path) -> None:
        """Copy the database, also while it is in use, to the file `target`: whole or absent."""

    @abstractmethod
    def backup_before_upgrade(self) -> Path | None:
        """Make a copy where such copies belong; None where that is not Plausibly's to decide."""

    @abstractmethod
    def wipe_log(self) -> bool:
        """Empty the log of what was written; return False where a reader is in the way."""

    @abstractmethod
    def wipe_copies(self, people: Collection[str], now: datetime) -> None:
        """Delete people (SHA-256 of their ids) and expired provider ids in `backups/`."""
