"""What Plausibly needs of a database system. Each system is one file: `sqlite`, `postgres`."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from db.backends.base import Backend


def open_backend(url_or_path: str | Path) -> Backend:
    """Return the backend for a file, a sqlite:/// URL of a file, or a postgresql:// URL.

    Opening touches nothing.

    Raises:
        ValueError: it is anything else. The sentence repeats no part of a URL, for it may hold a
            password.
        ModuleNotFoundError: PostgreSQL's driver is not installed.
    """
    url = _parsed(str(url_or_path))
    # Imported here: each imports this module, and SQLite must not need PostgreSQL's driver.
    if url.get_backend_name() == "sqlite":
        from db.backends.sqlite import SQLite

        return SQLite(url)
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        from db.backends.postgres import PostgreSQL

        return PostgreSQL(url.set(drivername="postgresql+psycopg"))
    raise ValueError(
        f"{url.drivername!r} is not known: use a file, sqlite:///FILE or "
        "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
    )


def _parsed(text: str) -> URL:
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        # What these errors quote may be a piece of the password.
        raise ValueError(
            "it is not a URL such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE; "
            "in the password, write @ : / ? # and % as %40 %3A %2F %3F %23 and %25"
        ) from None
