"""What practice says about an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db.repository import Outcome, ParticipantInfo
from study_app import questions
from study_app.study import stored_study, wording


@dataclass(frozen=True)
class Taken:
    """An answer that was taken in, and what it was an answer to."""

    outcome: Outcome
    person: ParticipantInfo
    task: str
    view: Mapping[str, Any]
    given: questions.Given


def feedback(s: Session, taken: Taken) -> dict[str, Any]:
    """Return what practice says about an answer, in the participant's own language."""
    study = stored_study(s, taken.person.study_version_id)
    texts = wording(study, taken.person.language).texts
    right = taken.outcome.correct_option or ""
    correct = taken.given.answer == right
    late = taken.given.answer == questions.TIMED_OUT
    key = "feedback_late" if late else "feedback_right" if correct else "feedback_wrong"

    def word(found: re.Match[str]) -> str:
        if found[0] == "{given}":
            return taken.given.label
        return questions.registry.get(taken.task).read(taken.view, right).label

    # In one go: what somebody wrote may itself hold such a word.
    text = re.sub(r"\{(?:right|given)\}", word, texts[key])
    return {"correct": correct, "text": text}
