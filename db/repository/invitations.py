"""Invitations: codes that each let one person in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from db.errors import NotInvitedError, StudyNotFoundError
from db.models import Invitation, Study


@dataclass(frozen=True)
class InvitationCounts:
    """Codes made for a study, and how many of them somebody came with."""

    made: int
    used: int


def add_invitations(
    s: Session, *, study_name: str, code_hmacs: Iterable[str], now: datetime
) -> None:
    """Let in one person for each code; what is stored is its keyed hash.

    Raises:
        StudyNotFoundError: there is no such study.
    """
    study_id = s.scalar(select(Study.id).where(Study.name == study_name))
    if study_id is None:
        raise StudyNotFoundError(f"There is no study {study_name!r}.")
    rows = [
        {"study_id": study_id, "code_hmac": code_hmac, "created_at": now}
        for code_hmac in code_hmacs
    ]
    if rows:
        s.execute(insert(Invitation), rows)


def invitation_counts(s: Session, study_name: str) -> InvitationCounts:
    """Return how many invitations a study has; none for an unknown one."""
    made, used = s.execute(
        select(func.count(), func.count(Invitation.used_at))
        .join(Study, Study.id == Invitation.study_id)
        .where(Study.name == study_name)
    ).one()
    return InvitationCounts(made, used)


def require_invitation(s: Session, *, study_id: int, code_hmac: str | None) -> None:
    """Raise NotInvitedError unless the code is one of the study's and nobody has come with it.

    A code stays used when its holder withdraws.
    """
    row = s.execute(
        select(Invitation.used_at).where(
            Invitation.study_id == study_id, Invitation.code_hmac == code_hmac
        )
    ).first()
    if row is None:
        raise NotInvitedError(
            "invitation", "This invitation is not known. Please check the link you were sent."
        )
    if row.used_at is not None:
        raise NotInvitedError("used_invitation", "This invitation has been used already.")


def use_invitation(
    s: Session, *, study_id: int, code_hmac: str | None, participant_id: str, now: datetime
) -> None:
    """Note who came with a code."""
    s.execute(
        update(Invitation)
        .where(Invitation.study_id == study_id, Invitation.code_hmac == code_hmac)
        .values(used_by=participant_id, used_at=now)
    )
