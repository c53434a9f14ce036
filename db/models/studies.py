"""Studies, their versions, and the stimuli that they show."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.models.declarative import Base, one_of

STUDY_STATUSES = ("draft", "live", "closed")
SIMULATED = "simulated"
"""The stage of people who are none: no public page leads to it, and it holds nothing back."""
STAGES = ("pilot", "main", SIMULATED)


class Study(Base):
    """A named study; what it asks and shows is in its versions."""

    __tablename__ = "study"
    __table_args__ = (CheckConstraint(one_of("status", STUDY_STATUSES), name="status"),)

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the study")
    name: Mapped[str] = mapped_column(String(100), unique=True, comment="Name of the study")
    status: Mapped[str] = mapped_column(
        String(16), comment="draft, live (takes participants) or closed"
    )
    created_at: Mapped[datetime] = mapped_column(comment="When the study was first published, UTC")


class StudyVersion(Base):
    """One immutable content of a study. Participants stay with the version they consented to."""

    __tablename__ = "study_version"
    __table_args__ = (
        UniqueConstraint("study_id", "version"),
        CheckConstraint(one_of("stage", STAGES), name="stage"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the version")
    study_id: Mapped[int] = mapped_column(
        ForeignKey("study.id", ondelete="CASCADE"), comment="The study"
    )
    version: Mapped[int] = mapped_column(comment="Version of the study, counted from 1")
    content_sha256: Mapped[str] = mapped_column(
        String(64), comment="SHA-256 of everything that defines this version"
    )
    config_json: Mapped[str] = mapped_column(Text, comment="The study file, resolved, as JSON")
    design_json: Mapped[str] = mapped_column(
        Text, comment="Arms, lists and the stimulus pools that plans are drawn from, as JSON"
    )
    stage: Mapped[str] = mapped_column(
        String(16), comment="What the data are for: pilot, main or simulated"
    )
    silence_s: Mapped[int | None] = mapped_column(
        comment="Seconds without an answer after which an admitted person's place may be given "
        "away; empty: an hour"
    )
    frozen: Mapped[bool] = mapped_column(comment="Whether this version has been open to people")
    created_at: Mapped[datetime] = mapped_column(comment="When this version was published, UTC")


class Stimulus(Base):
    """Exact 8-bit pixels with their passport; shared by all studies that show them."""

    __tablename__ = "stimulus"

    stimulus_id: Mapped[str] = mapped_column(
        String(64), primary_key=True, comment="Identity of the stimulus: SHA-256 of its passport"
    )
    pixels_sha256: Mapped[str] = mapped_column(
        String(64), comment="SHA-256 of the pixels shown (shape, dtype and raw uint8 values)"
    )
    file_sha256: Mapped[str] = mapped_column(
        String(64), comment="SHA-256 of the PNG file sent to the browser"
    )
    image_id: Mapped[str] = mapped_column(
        String(64), comment="Identity of the clean source image: SHA-256 of its pixels"
    )
    passport_json: Mapped[str] = mapped_column(
        Text, comment="Passport: data, weights and attack that the pixels come from, as JSON"
    )
    png: Mapped[bytes] = mapped_column(LargeBinary, comment="The PNG file")
    width: Mapped[int] = mapped_column(comment="Width in stimulus pixels")
    height: Mapped[int] = mapped_column(comment="Height in stimulus pixels")


class StudyStimulus(Base):
    """The name under which one study serves one stimulus: random, so that it tells nothing."""

    __tablename__ = "study_stimulus"
    __table_args__ = (UniqueConstraint("study_id", "stimulus_id"),)

    opaque_id: Mapped[str] = mapped_column(
        String(32), primary_key=True, comment="Random 128-bit name in the image's address"
    )
    study_id: Mapped[int] = mapped_column(
        ForeignKey("study.id", ondelete="CASCADE"), comment="The study"
    )
    stimulus_id: Mapped[str] = mapped_column(
        ForeignKey("stimulus.stimulus_id"), index=True, comment="The stimulus"
    )


class StudyVersionStimulus(Base):
    """Which of a study's stimuli one version shows."""

    __tablename__ = "study_version_stimulus"

    study_version_id: Mapped[int] = mapped_column(
        ForeignKey("study_version.id", ondelete="CASCADE"),
        primary_key=True,
        comment="The study version",
    )
    stimulus_id: Mapped[str] = mapped_column(
        ForeignKey("stimulus.stimulus_id"),
        primary_key=True,
        index=True,
        comment="A stimulus that this version may show",
    )
