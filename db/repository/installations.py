"""Whose secret key the database's hashes were made with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from db.models import Installation, Invitation, Participant, Study


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


@dataclass(frozen=True)
class KnownByKey:
    """People of a study whose links or provider ids only the key can recognise.

    Attributes:
        study: its name.
        provider: which.
        people: who came from there.
        unused: invitations that nobody has come with.
    """

    study: str
    provider: str
    people: int
    unused: int


def key_was_used(s: Session) -> bool:
    """Return whether anything was stored that a key is needed for."""
    return bool(s.scalar(select(exists().select_from(Participant)))) or bool(
        s.scalar(select(exists().select_from(Invitation)))
    )


def known_by_key(s: Session) -> list[KnownByKey]:
    """Return who is recognised by the key alone, by study and provider."""
    people = s.execute(
        select(Study.name, Participant.provider, func.count())
        .join(Study, Study.id == Participant.study_id)
        .where(Participant.provider_id_hmac.is_not(None))
        .group_by(Study.name, Participant.provider)
    ).all()
    unused = s.execute(
        select(Study.name, func.count())
        .join(Invitation, Invitation.study_id == Study.id)
        .where(Invitation.used_at.is_(None))
        .group_by(Study.name)
    ).all()
    counts = {(name, provider): [count, 0] for name, provider, count in people}
    for name, count in unused:
        counts.setdefault((name, "invitation"), [0, 0])[1] = count
    return [KnownByKey(*place, *found) for place, found in sorted(counts.items())]
