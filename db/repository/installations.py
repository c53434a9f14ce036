"""Whose secret key the database's hashes were made with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from db.models import Installation


def key_fingerprint(s: Session) -> str | None:
    """Return the fingerprint of the installation's key; None where none was used yet."""
    found = s.get(Installation, 1)
    return None if found is None else found.key_fingerprint


def set_key_fingerprint(s: Session, *, fingerprint: str, now: datetime) -> None:
    """Record the fingerprint of the key that is used from now on."""
    found = s.get(Installation, 1)
    if found is None:
        s.add(Installation(id=1, key_fingerprint=fingerprint, since=now))
    elif found.key_fingerprint != fingerprint:
        found.key_fingerprint, found.since = fingerprint, now
