"""How a participation ends: the text, and the provider's code and way back for each outcome."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from db import repository
from db.repository import ParticipantInfo
from study_app.participation.load import ui_in
from study_app.study import Study, markdown_html, stored_study, wording

Ending = Literal["complete", "screened_out", "failed_check"]

_TEXTS: dict[Ending, str] = {
    "complete": "debrief",
    "screened_out": "screened_out",
    "failed_check": "failed_check",
}


def conclude(
    s: Session, person: ParticipantInfo, study: Study, outcome: Ending, now: datetime
) -> ParticipantInfo:
    """End a participation and give its code out."""
    return repository.conclude(
        s,
        participant_id=person.id,
        status=outcome,
        completion_code=study.provider.code(outcome),
        now=now,
    )


def turned_away(person: ParticipantInfo, study: Study) -> dict[str, Any] | None:
    """Return the last page for somebody who consented and gets no place; None: the player's own.

    Where their provider has a way back for those who do not take part, it is theirs.
    """
    code = study.provider.code("no_consent")
    back = study.provider.redirect("no_consent", code, None)
    if code is None and back is None:
        return None
    said = ui_in(person.language)
    text = f"## {said['full_title']}\n\n{said['full_text']}"
    return {"html": markdown_html(text), "code": code, "redirect": back}


def ending(s: Session, person: ParticipantInfo) -> tuple[str, dict[str, Any]] | None:
    """Return the reply's key and what stands there, for somebody whose participation has ended."""
    outcome = next((known for known in _TEXTS if known == person.status), None)
    if outcome is None:
        return None
    study = stored_study(s, person.study_version_id)
    code = person.completion_code
    said = {
        "html": markdown_html(wording(study, person.language).texts[_TEXTS[outcome]]),
        "code": code,
        "redirect": study.provider.redirect(outcome, code, repository.provider_id(s, person.id)),
    }
    return ("debrief" if outcome == "complete" else "ending"), said
