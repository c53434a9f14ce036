"""Answers to forms: screening, comprehension check, demographics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from db.canonical import canonical_json
from db.models import FormResponse, Participant


@dataclass(frozen=True)
class FormAttempt:
    """One attempt at a form. `passed` is None where nothing is judged."""

    form: str
    attempt: int
    passed: bool | None


def form_attempts(s: Session, participant_id: str) -> list[FormAttempt]:
    """Return the forms that a participant has sent, each form's attempts in order."""
    rows = s.execute(
        select(FormResponse.form, FormResponse.attempt, FormResponse.passed)
        .where(FormResponse.participant_id == participant_id)
        .order_by(FormResponse.form, FormResponse.attempt)
    )
    return [FormAttempt(*row) for row in rows]


def record_form(
    s: Session,
    *,
    participant_id: str,
    form: str,
    attempt: int,
    answers: Mapping[str, Any],
    device: Mapping[str, Any] | None,
    passed: bool | None,
    now: datetime,
) -> None:
    """Store one attempt at a form. The caller has checked that it is due and that it fits.

    Raises:
        ValueError: NaN or an infinity is in it.
    """
    s.execute(
        insert(FormResponse).values(
            participant_id=participant_id,
            form=form,
            attempt=attempt,
            answers_json=canonical_json(answers),
            device_json=None if device is None else canonical_json(device),
            passed=passed,
            received_at=now,
        )
    )
    s.execute(update(Participant).where(Participant.id == participant_id).values(last_seen_at=now))
