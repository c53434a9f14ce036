"""A participant's plan (presentations and trials) and the answers given to it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.declarative import Base, UtcDateTime, one_of

PHASES = ("practice", "main")
ROLES = ("practice", "main", "catch")
# The tables' check has one word more, which nothing ever was: to take it out would copy the table.
_STORABLE_ROLES = (*ROLES, "repeat")


class Presentation(Base):
    """One showing of one or several stimuli to one participant."""

    __tablename__ = "presentation"
    __table_args__ = (
        UniqueConstraint("participant_id", "presentation_index"),
        CheckConstraint(one_of("phase", PHASES), name="phase"),
        CheckConstraint(one_of("role", _STORABLE_ROLES), name="role"),
    )

    id: Mapped[str] = mapped_column(
        String(32),
        primary_key=True,
        comment="Random identity of the presentation; groups the questions of one showing",
    )
    participant_id: Mapped[str] = mapped_column(
        ForeignKey("participant.id", ondelete="CASCADE"), comment="The participant"
    )
    presentation_index: Mapped[int] = mapped_column(
        comment="Place of the presentation in the participant's plan, from 0"
    )
    stimulus_id: Mapped[str] = mapped_column(
        ForeignKey("stimulus.stimulus_id"),
        index=True,
        comment="The stimulus shown, or the first of several",
    )
    phase: Mapped[str] = mapped_column(String(16), comment="practice or main")
    role: Mapped[str] = mapped_column(
        String(16), comment="What the presentation is for: practice, main or catch"
    )
    condition: Mapped[str] = mapped_column(
        String(64), comment="What is compared within a participant, such as a defense or clean"
    )
    block: Mapped[int] = mapped_column(comment="Block of the plan, from 0")


class FurtherPicture(Base):
    """A picture of a presentation beside its first; the places are in the order shown."""

    __tablename__ = "further_picture"
    __table_args__ = (CheckConstraint("place >= 1", name="place"),)

    presentation_id: Mapped[str] = mapped_column(
        ForeignKey("presentation.id", ondelete="CASCADE"),
        primary_key=True,
        comment="The presentation",
    )
    place: Mapped[int] = mapped_column(
        primary_key=True, comment="Place of the picture; the presentation's own stimulus is at 0"
    )
    stimulus_id: Mapped[str] = mapped_column(
        ForeignKey("stimulus.stimulus_id"), index=True, comment="The stimulus shown there"
    )


class Trial(Base):
    """One question on one presentation, fixed at admission."""

    __tablename__ = "trial"
    __table_args__ = (UniqueConstraint("participant_id", "position"),)

    id: Mapped[str] = mapped_column(
        String(32), primary_key=True, comment="Random identity of the trial; one row each"
    )
    presentation_id: Mapped[str] = mapped_column(
        ForeignKey("presentation.id", ondelete="CASCADE"), index=True, comment="The presentation"
    )
    participant_id: Mapped[str] = mapped_column(
        ForeignKey("participant.id", ondelete="CASCADE"), comment="The participant"
    )
    position: Mapped[int] = mapped_column(
        comment="Place of the trial in the participant's plan, from 0"
    )
    task: Mapped[str] = mapped_column(String(64), comment="Kind of question asked")
    view_json: Mapped[str] = mapped_column(
        Text, comment="Everything the browser gets: prompt, layout and options in order, as JSON"
    )
    correct_option: Mapped[str | None] = mapped_column(
        String(200), comment="Value of the right option, where there is one"
    )
    shown_label: Mapped[str | None] = mapped_column(
        String(200), comment="Label that the question names, in the data set's own words"
    )
    shown_label_index: Mapped[int | None] = mapped_column(
        comment="Class index of the label that the question names; what an analysis compares"
    )
    foil_policy: Mapped[str | None] = mapped_column(
        String(64), comment="How the shown label or the other options were chosen"
    )


class Response(Base):
    """One acknowledged answer. Rows are never changed; only withdrawal deletes them."""

    __tablename__ = "response"
    __table_args__ = (UniqueConstraint("trial_id", "attempt"),)

    event_id: Mapped[str] = mapped_column(
        String(64), primary_key=True, comment="Identity of the answer, made by the browser"
    )
    trial_id: Mapped[str] = mapped_column(
        ForeignKey("trial.id", ondelete="CASCADE"), comment="The trial"
    )
    attempt: Mapped[int] = mapped_column(comment="Which answer to this trial, from 1")
    answer: Mapped[str] = mapped_column(
        Text, comment="Value of the option chosen, or the answer in its one spelling"
    )
    answer_label: Mapped[str] = mapped_column(
        Text, comment="The answer as it was shown, in the participant's language"
    )
    values_json: Mapped[str] = mapped_column(
        Text,
        server_default="{}",
        comment="The data columns that the question type makes of the answer, as JSON",
    )
    rt_ms: Mapped[float | None] = mapped_column(
        Float, comment="Reaction time from the first painted frame, in milliseconds"
    )
    timing_json: Mapped[str] = mapped_column(Text, comment="Timing as measured, as JSON")
    display_json: Mapped[str] = mapped_column(Text, comment="How the image was shown, as JSON")
    received_at: Mapped[datetime] = mapped_column(comment="When the server took the answer, UTC")


class RefusedResponse(Base):
    """An answer that contradicted a locked one: kept for the record, never counted."""

    __tablename__ = "refused_response"
    __table_args__ = (UniqueConstraint("trial_id", "event_id", "attempt", "answer"),)

    id: Mapped[int] = mapped_column(primary_key=True, comment="Internal number of the record")
    trial_id: Mapped[str] = mapped_column(
        ForeignKey("trial.id", ondelete="CASCADE"), comment="The trial"
    )
    event_id: Mapped[str] = mapped_column(
        String(64), comment="Identity of the refused answer, made by the browser"
    )
    attempt: Mapped[int] = mapped_column(comment="Attempt that the refused answer named")
    answer: Mapped[str] = mapped_column(Text, comment="The refused answer")
    received_at: Mapped[datetime] = mapped_column(comment="When it arrived, UTC")


# A view, made by the migrations: of each trial's responses the last attempt. It lives in a MetaData
# of its own, so that a migration never takes it for a table.
rating = Table(
    "rating",
    MetaData(),
    Column("event_id", String(64), primary_key=True, comment=Response.event_id.comment),
    Column("trial_id", String(32), comment=Response.trial_id.comment),
    Column("attempt", Integer, comment=Response.attempt.comment),
    Column("answer", Text, comment=Response.answer.comment),
    Column("answer_label", Text, comment=Response.answer_label.comment),
    Column("rt_ms", Float, comment=Response.rt_ms.comment),
    Column("timing_json", Text, comment=Response.timing_json.comment),
    Column("display_json", Text, comment=Response.display_json.comment),
    Column("received_at", UtcDateTime(), comment=Response.received_at.comment),
    Column("values_json", Text, comment=Response.values_json.comment),
)
