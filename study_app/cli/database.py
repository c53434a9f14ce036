"""The study database as commands use it: opened, brought up to date, searched for a study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError
from study_app.installation import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.repository import StudyVersionInfo
    from db.session import Database


@contextmanager
def opened() -> Iterator[Database]:
    """Open the database that is there; commands that only look make none."""
    database = Settings().database()
    try:
        database.check()
        yield database
    finally:
        database.close()


def upgraded(settings: Settings) -> Path | None:
    """Create the database or bring it up to date; return the backup that was made."""
    settings.make_home()
    database = settings.database()
    try:
        return database.upgrade()
    finally:
        database.close()


def require_study(session: Session, name: str) -> StudyVersionInfo:
    """Return the newest version of a study.

    Raises:
        UsageError: there is none of that name; the message lists those there are.
    """
    from db import repository

    version = repository.study(session, name)
    if version is None:
        known = ", ".join(repository.study_names(session)) or "none yet"
        raise UsageError(f"unknown study {name!r}; published: {known}")
    return version
