"""The researcher's side: login, exports made, the audit log, and what the installation owes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.declarative import Base


class ExportRecord(Base):
    """An export that left the database."""

    __tablename__ = "export_record"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the export")
    study_id: Mapped[int] = mapped_column(
        ForeignKey("study.id", ondelete="CASCADE"), index=True, comment="The study"
    )
    exported_at: Mapped[datetime] = mapped_column(comment="When the export was made, UTC")
    format: Mapped[str] = mapped_column(String(16), comment="Format, such as csv")
    rows: Mapped[int] = mapped_column(comment="Rows of the ratings table")
    sha256: Mapped[str] = mapped_column(
        String(64), comment="SHA-256 of the export's own list of checksums"
    )
    stale: Mapped[bool] = mapped_column(
        comment="Whether a participant in it has withdrawn since, so that it must not be used"
    )


class Researcher(Base):
    """Somebody who may log in."""

    __tablename__ = "researcher"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the researcher")
    name: Mapped[str] = mapped_column(String(100), unique=True, comment="Login name")
    password_hash: Mapped[str] = mapped_column(
        String(255), comment="scrypt$n$r$p$salt$hash, salt and hash in hexadecimal"
    )
    created_at: Mapped[datetime] = mapped_column(comment="When the login was made, UTC")
    password_changed_at: Mapped[datetime] = mapped_column(
        comment="When the password was last set, UTC"
    )


class ResearcherSession(Base):
    """A login in one browser."""

    __tablename__ = "researcher_session"

    token_sha256: Mapped[str] = mapped_column(
        String(64), primary_key=True, comment="SHA-256 of the session's secret token"
    )
    researcher_id: Mapped[int] = mapped_column(
        ForeignKey("researcher.id", ondelete="CASCADE"), index=True, comment="Who logged in"
    )
    created_at: Mapped[datetime] = mapped_column(comment="When the login happened, UTC")
    expires_at: Mapped[datetime] = mapped_column(index=True, comment="When it ends, UTC")


class AuditEntry(Base):
    """Something that a researcher or the system did. Holds nothing about participants' answers."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the entry")
    at: Mapped[datetime] = mapped_column(comment="When it happened, UTC")
    actor: Mapped[str] = mapped_column(String(100), comment="Who did it")
    action: Mapped[str] = mapped_column(String(64), comment="What was done")
    detail_json: Mapped[str] = mapped_column(Text, comment="Particulars, as JSON")


class Erasure(Base):
    """Something personal that was deleted, and is still to be wiped from the log and the copies."""

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the erasure")
    person_sha256: Mapped[str | None] = mapped_column(
        String(64),
        comment="SHA-256 of the id of who withdrew; empty: raw provider ids whose time was over",
    )
    deleted_at: Mapped[datetime] = mapped_column(comment="When it was deleted here, UTC")


class Installation(Base):
    """The installation whose database this is. One row."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Always 1")
    key_fingerprint: Mapped[str] = mapped_column(
        String(32), comment="Keyed hash that tells the installation's secret key from every other"
    )
    since: Mapped[datetime] = mapped_column(comment="Since when it has that key, UTC")
