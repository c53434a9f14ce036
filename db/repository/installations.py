"""What the database needs beside itself: the key of its hashes, the artifacts of its studies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from db.models import Installation, Invitation, Participant, Stimulus, Study, StudyVersion

_KEY = re.compile(r"[0-9a-f]{64}")


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


def artifact_keys(s: Session) -> set[str]:
    """Return the keys of the artifacts that published studies name: experiments, and passports."""
    found: set[str] = set()
    for (design,) in s.execute(select(StudyVersion.design_json)):
        found.add(str(json.loads(design).get("experiment", "")))
    for (passport,) in s.execute(select(Stimulus.passport_json)):
        found |= set(_keys(json.loads(passport)))
    return {key for key in found if _KEY.fullmatch(key)}


def _keys(part: Any) -> Iterator[str]:
    """Yield what a passport names: the artifact of an attack or a map, and a model's id."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "artifact" or (name == "model" and isinstance(value, dict)):
                yield str(value.get("id") if isinstance(value, dict) else value)
            else:
                yield from _keys(value)
    elif isinstance(part, list):
        for each in part:
            yield from _keys(each)
