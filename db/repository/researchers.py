"""Researchers' passwords and logins, the record of exports, and the audit log."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.canonical import canonical_json
from db.errors import StudyNotFoundError
from db.models import (
    AuditEntry,
    ExportRecord,
    Researcher,
    ResearcherSession,
    Study,
    StudyVersion,
    Tombstone,
)
from db.models.studies import SIMULATED

# About 50 ms and 16 MB a try; recorded with each hash, so that they can grow.
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1


@dataclass(frozen=True)
class ResearcherInfo:
    """Somebody who may log in."""

    id: int
    name: str


@dataclass(frozen=True)
class ExportInfo:
    """An export that was made; `stale` where somebody in it has withdrawn since."""

    id: int
    exported_at: datetime
    format: str
    rows: int
    sha256: str
    stale: bool


def hash_password(password: str) -> str:
    """Return a fresh salted hash: "scrypt$n$r$p$salt$hash"."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P)
    return f"scrypt${SCRYPT_N}${SCRYPT_R}${SCRYPT_P}${salt.hex()}${digest.hex()}"


def password_matches(password: str, password_hash: str) -> bool:
    """Return whether `password` is the one hashed; takes the same time either way."""
    _, n, r, p, salt, digest = password_hash.split("$")
    actual = _scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(actual, bytes.fromhex(digest))


def set_password(s: Session, *, name: str, password_hash: str, now: datetime) -> ResearcherInfo:
    """Set a researcher's password (see `hash_password`), making the login if it is new.

    Setting it again ends all their logins. It is put into the audit log.
    """
    researcher = s.scalar(select(Researcher).where(Researcher.name == name))
    if researcher is None:
        researcher = Researcher(name=name, created_at=now)
        s.add(researcher)
    researcher.password_hash = password_hash
    researcher.password_changed_at = now
    s.flush()
    s.execute(delete(ResearcherSession).where(ResearcherSession.researcher_id == researcher.id))
    audit(s, actor="server", action="password", detail={"researcher": name}, now=now)
    return ResearcherInfo(researcher.id, researcher.name)


def has_researcher(s: Session) -> bool:
    """Return whether anybody can log in yet."""
    return s.scalar(select(Researcher.id).limit(1)) is not None


def check_password(s: Session, *, name: str, password: str) -> ResearcherInfo | None:
    """Return the researcher if name and password are right; an unknown name takes as long."""
    researcher = s.scalar(select(Researcher).where(Researcher.name == name))
    if researcher is None:
        hash_password(password)
        return None
    if not password_matches(password, researcher.password_hash):
        return None
    return ResearcherInfo(researcher.id, researcher.name)


def create_session(
    s: Session, *, researcher_id: int, token_sha256: str, expires: datetime, now: datetime
) -> None:
    """Remember a login until `expires`; forget those that ended."""
    s.execute(delete(ResearcherSession).where(ResearcherSession.expires_at <= now))
    s.add(
        ResearcherSession(
            token_sha256=token_sha256,
            researcher_id=researcher_id,
            created_at=now,
            expires_at=expires,
        )
    )


def find_session(s: Session, *, token_sha256: str, now: datetime) -> ResearcherInfo | None:
    """Return who is logged in with this token at `now`, or None."""
    row = s.execute(
        select(Researcher.id, Researcher.name)
        .join(ResearcherSession, ResearcherSession.researcher_id == Researcher.id)
        .where(ResearcherSession.token_sha256 == token_sha256, ResearcherSession.expires_at > now)
    ).first()
    return None if row is None else ResearcherInfo(row.id, row.name)


def delete_session(s: Session, *, token_sha256: str) -> None:
    """Log out; no error if nobody was logged in."""
    s.execute(delete(ResearcherSession).where(ResearcherSession.token_sha256 == token_sha256))


def audit(s: Session, *, actor: str, action: str, detail: Mapping[str, Any], now: datetime) -> None:
    """Add an entry to the audit log. Put no participant's identity into `detail`."""
    s.add(AuditEntry(at=now, actor=actor, action=action, detail_json=canonical_json(detail)))


def withdrawals(s: Session, study_name: str) -> int:
    """Return how many people have withdrawn from a study so far; simulated ones are none."""
    return (
        s.scalar(
            select(func.count(Tombstone.id))
            .join(StudyVersion, StudyVersion.id == Tombstone.study_version_id)
            .join(Study, Study.id == StudyVersion.study_id)
            .where(Study.name == study_name, StudyVersion.stage != SIMULATED)
        )
        or 0
    )


def record_export(
    s: Session,
    *,
    study_name: str,
    format: str,
    rows: int,
    sha256: str,
    now: datetime,
    actor: str = "command line",
) -> None:
    """Remember that an export left and who made it, so that a withdrawal can mark it.

    Raises:
        StudyNotFoundError: there is no such study.
    """
    study_id = s.scalar(select(Study.id).where(Study.name == study_name))
    if study_id is None:
        raise StudyNotFoundError(f"There is no study {study_name!r}.")
    s.add(
        ExportRecord(
            study_id=study_id, exported_at=now, format=format, rows=rows, sha256=sha256, stale=False
        )
    )
    detail = {"study": study_name, "format": format, "rows": rows, "sha256": sha256}
    audit(s, actor=actor, action="export", detail=detail, now=now)


def exports(s: Session, study_name: str) -> list[ExportInfo]:
    """Return the exports of a study, oldest first."""
    rows = s.scalars(
        select(ExportRecord)
        .join(Study, Study.id == ExportRecord.study_id)
        .where(Study.name == study_name)
        .order_by(ExportRecord.id)
    )
    return [
        ExportInfo(row.id, row.exported_at, row.format, row.rows, row.sha256, row.stale)
        for row in rows
    ]


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    memory = 128 * r * (n + p + 2)  # what RFC 7914 needs; OpenSSL refuses more than it is allowed
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=memory + 2**20, dklen=32
    )
