"""What was deleted for somebody and is still to be wiped from the log and the copies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.models import Erasure


@dataclass(frozen=True)
class Owed:
    """Erasures that are not finished yet.

    Attributes:
        ids: of their rows.
        people: SHA-256 (hex) of the ids of those who withdrew.
    """

    ids: tuple[int, ...]
    people: frozenset[str]

    def __bool__(self) -> bool:
        """Whether anything is owed."""
        return bool(self.ids)


def owe_erasure(s: Session, *, participant_id: str | None, now: datetime) -> None:
    """Note that something was deleted in this transaction; None: raw provider ids alone.

    The id is kept as a hash: what reminds of the deletion must not be what was to be deleted.
    """
    digest = None if participant_id is None else hashlib.sha256(participant_id.encode())
    s.add(Erasure(person_sha256=digest and digest.hexdigest(), deleted_at=now))


def owed_erasures(s: Session) -> Owed:
    """Return what is still to be wiped."""
    rows = s.execute(select(Erasure.id, Erasure.person_sha256)).all()
    return Owed(tuple(row[0] for row in rows), frozenset(row[1] for row in rows if row[1]))


def erased(s: Session, owed: Owed) -> None:
    """Forget what is wiped now."""
    s.execute(delete(Erasure).where(Erasure.id.in_(owed.ids)))
