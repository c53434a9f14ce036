"""The researchers' login: one password, kept hashed; a cookie that scripts cannot read."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from db import repository
from db.repository import ResearcherInfo
from db.session import Database
from study_app.installation import tokens

NAME = "researcher"
COOKIE = "plausibly_researcher"
LIFETIME = timedelta(hours=12)


def find(s: Session, token: str) -> ResearcherInfo | None:
    """Return who is logged in with the cookie's token, or None."""
    return repository.find_session(s, token_sha256=tokens.sha256(token), now=datetime.now(UTC))


def ensure_password(database: Database, given: str | None) -> str | None:
    """Make sure that there is a password; return it when it was generated just now.

    A password from the environment becomes the password; otherwise the stored one stays, and at
    the first start one is generated, to be shown once.
    """
    with database.read() as s:
        if given is None and repository.has_researcher(s):
            return None
        if given is not None and repository.check_password(s, name=NAME, password=given):
            return None
    password = given if given is not None else secrets.token_urlsafe(12)
    hashed = repository.hash_password(password)
    now = datetime.now(UTC)
    database.write(lambda s: repository.set_password(s, name=NAME, password_hash=hashed, now=now))
    return password if given is None else None
