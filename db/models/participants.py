"""People: who takes part, what they consented to, and the traces that withdrawal leaves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.declarative import Base, one_of

PARTICIPANT_STATUSES = (
    "consented",
    "admitted",
    "complete",
    "timed_out",
    "returned",
    "screened_out",
    "failed_check",
)
FORMS = ("screening", "comprehension", "demographics")


class Participant(Base):
    """One person in one study. Deleting the row deletes everything that is theirs."""

    __tablename__ = "participant"
    __table_args__ = (
        UniqueConstraint("study_id", "nonce_sha256"),
        UniqueConstraint("study_id", "provider_id_hmac"),
        CheckConstraint(one_of("status", PARTICIPANT_STATUSES), name="status"),
        Index(None, "study_version_id", "arm", "list_index"),
    )

    id: Mapped[str] = mapped_column(
        String(32), primary_key=True, comment="Random identity of the participant"
    )
    study_id: Mapped[int] = mapped_column(
        ForeignKey("study.id", ondelete="CASCADE"), comment="The study"
    )
    study_version_id: Mapped[int] = mapped_column(
        ForeignKey("study_version.id", ondelete="CASCADE"), comment="The version consented to"
    )
    token_sha256: Mapped[str] = mapped_column(
        String(64), unique=True, comment="SHA-256 of the participant's secret token"
    )
    nonce_sha256: Mapped[str] = mapped_column(
        String(64), comment="SHA-256 of the browser's nonce: the same nonce is the same person"
    )
    provider: Mapped[str] = mapped_column(
        String(32), comment="Where the participant came from, such as direct or prolific"
    )
    provider_id_hmac: Mapped[str | None] = mapped_column(
        String(64), comment="Keyed hash of the provider's id of the person"
    )
    language: Mapped[str] = mapped_column(String(35), comment="Language of the study as shown")
    seed: Mapped[int] = mapped_column(
        BigInteger, comment="Seed of the participant's slot and plan, below 2**63"
    )
    status: Mapped[str] = mapped_column(
        String(16),
        comment="consented, admitted, complete, screened_out, failed_check, timed_out or returned",
    )
    arm: Mapped[str | None] = mapped_column(String(64), comment="Between-participant group")
    list_index: Mapped[int | None] = mapped_column(comment="Counterbalancing list, from 0")
    plan_hash: Mapped[str | None] = mapped_column(
        String(64), comment="SHA-256 of the participant's whole plan as drawn at admission"
    )
    plan_rules: Mapped[int | None] = mapped_column(
        comment="Rules by which the plan was drawn; empty: those before they were numbered"
    )
    completion_code: Mapped[str | None] = mapped_column(
        String(64), comment="Code released when the participation ended, for the way it did"
    )
    created_at: Mapped[datetime] = mapped_column(comment="When the participant consented, UTC")
    admitted_at: Mapped[datetime | None] = mapped_column(comment="When the plan was drawn, UTC")
    completed_at: Mapped[datetime | None] = mapped_column(
        comment="When the last answer or form was in, UTC"
    )
    last_seen_at: Mapped[datetime] = mapped_column(
        comment="When the participant last consented, was admitted or answered anything, UTC"
    )


class FormResponse(Base):
    """The answers to a form, one attempt. Rows are never changed; only withdrawal deletes them."""

    __tablename__ = "form_response"
    __table_args__ = (
        UniqueConstraint("participant_id", "form", "attempt"),
        CheckConstraint(one_of("form", FORMS), name="form"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the record")
    participant_id: Mapped[str] = mapped_column(
        ForeignKey("participant.id", ondelete="CASCADE"), comment="The participant"
    )
    form: Mapped[str] = mapped_column(
        String(16), comment="screening, comprehension or demographics"
    )
    attempt: Mapped[int] = mapped_column(comment="Which attempt at the form, from 1")
    answers_json: Mapped[str] = mapped_column(Text, comment="Answers by item, as JSON")
    device_json: Mapped[str | None] = mapped_column(
        Text, comment="Facts about the device, sent with screening, as JSON"
    )
    passed: Mapped[bool | None] = mapped_column(
        comment="Whether the answers let the participant go on; empty where nothing is judged"
    )
    received_at: Mapped[datetime] = mapped_column(comment="When the server took the form, UTC")


class Consent(Base):
    """What a participant agreed to."""

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the record")
    participant_id: Mapped[str] = mapped_column(
        ForeignKey("participant.id", ondelete="CASCADE"), index=True, comment="The participant"
    )
    text_sha256: Mapped[str] = mapped_column(
        String(64), comment="SHA-256 of the consent text that was shown"
    )
    language: Mapped[str] = mapped_column(String(35), comment="Language of the consent text")
    version: Mapped[str] = mapped_column(String(64), comment="Version of the consent text")
    given_at: Mapped[datetime] = mapped_column(comment="When consent was given, UTC")


class ProviderIdentity(Base):
    """The raw provider ids: kept apart from the data, needed only until people are paid."""

    __tablename__ = "provider_identity"

    participant_id: Mapped[str] = mapped_column(
        ForeignKey("participant.id", ondelete="CASCADE"),
        primary_key=True,
        comment="The participant",
    )
    provider_id: Mapped[str] = mapped_column(
        String(200), comment="The provider's id of the person, as received"
    )
    session: Mapped[str | None] = mapped_column(
        String(200), comment="The provider's id of this participation, as received"
    )
    expires_at: Mapped[datetime] = mapped_column(
        index=True, comment="When this row is to be deleted, UTC"
    )


class Invitation(Base):
    """A code that lets one person in. The code itself is not stored."""

    __tablename__ = "invitation"
    __table_args__ = (UniqueConstraint("study_id", "code_hmac"),)

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the invitation")
    study_id: Mapped[int] = mapped_column(
        ForeignKey("study.id", ondelete="CASCADE"), comment="The study"
    )
    code_hmac: Mapped[str] = mapped_column(String(64), comment="Keyed hash of the code")
    created_at: Mapped[datetime] = mapped_column(comment="When the code was made, UTC")
    used_by: Mapped[str | None] = mapped_column(
        ForeignKey("participant.id", ondelete="SET NULL"),
        index=True,
        comment="Who came with the code; empty again when they have withdrawn",
    )
    used_at: Mapped[datetime | None] = mapped_column(
        comment="When somebody came with the code, UTC: it lets in nobody else"
    )


class Tombstone(Base):
    """That somebody withdrew, and the slot that became free; not who."""

    __tablename__ = "tombstone"

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the tombstone")
    study_version_id: Mapped[int] = mapped_column(
        ForeignKey("study_version.id", ondelete="CASCADE"),
        index=True,
        comment="The version that the person had consented to",
    )
    arm: Mapped[str | None] = mapped_column(String(64), comment="Arm, if one was given")
    list_index: Mapped[int | None] = mapped_column(comment="List, if one was given")
    withdrawn_at: Mapped[datetime] = mapped_column(comment="When the data were deleted, UTC")
