"""Which version a database is of, and how it gets to the newest."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from db.errors import DatabaseError

MIGRATIONS = Path(__file__).parent / "migrations"


def newest_revision() -> str:
    """Return the revision that this code was written for."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if head is None:
        raise RuntimeError(f"no migrations in {MIGRATIONS}")
    return head


def is_current(connection: Connection, where: str) -> bool:
    """Return whether the database is of the newest revision; False for an empty or older one.

    Raises:
        DatabaseError: it is of an unknown (newer) revision or holds somebody else's tables.
    """
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        if set(inspect(connection).get_table_names()) - {"alembic_version"}:
            raise DatabaseError(f"{where} is a database, but not one of Plausibly.")
        return False
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if current not in known:
        raise DatabaseError(
            f"The database {where} was made by a newer version of Plausibly (revision {current}); "
            "install that version or restore a backup."
        )
    return current == newest_revision()


def run_migrations(connection: Connection) -> None:
    """Bring the database to the newest revision inside the caller's transaction."""
    config = Config()
    # The option is interpolated: a % in the path must be doubled.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
