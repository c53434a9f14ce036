"""Answers to trials: they come all the time, so each is one visit to the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from db import repository
from db.repository import ParticipantInfo
from study_app import questions
from study_app.api.bodies import AnswerBody
from study_app.api.context import context
from study_app.api.feedback import Taken, feedback
from study_app.api.http import RefusedError, failure, json_response, read, write
from study_app.api.participant import body_of_holder, holder, limited, over, token_sha256
from study_app.participation import due_forms
from study_app.study import stored_study


@limited
async def respond(request: Request) -> Response:
    """Take an answer; acknowledge it when it is on the disk."""
    given = await body_of_holder(request, AnswerBody)
    here = context(request)
    digest = token_sha256(request)
    taken = await write(here.database, lambda s: take(s, digest, given, here.now))
    if taken is None:
        return over(410)
    outcome = taken.outcome
    if outcome.status == "refused":
        return failure(409, "locked", "This question has been answered already.")
    answer: dict[str, Any] = {
        "status": outcome.status,
        "position": outcome.progress.position,
        "complete": outcome.complete,
    }
    if outcome.phase == "practice" and outcome.correct_option is not None:
        answer["feedback"] = await read(here.database, lambda s: feedback(s, taken))
    return json_response(answer)


def take(s: Session, digest: str, given: AnswerBody, clock: Callable[[], datetime]) -> Taken | None:
    """Store an answer; None when the participation is over.

    The clock is read here, on the thread that writes: the log is then in the order of its times.
    """
    person = holder(s, digest)
    now = clock()
    if repository.end_if_over(s, person, now=now):
        return None
    task, view = repository.asked(s, participant_id=person.id, trial_id=given.trial_id)
    try:
        read_as = questions.read(task, view, given.answer)
    except questions.AnswerError as error:
        raise RefusedError(422, "invalid", str(error)) from None
    outcome = repository.record_response(
        s,
        participant_id=person.id,
        event_id=given.event_id,
        trial_id=given.trial_id,
        attempt=given.attempt,
        answer=read_as.answer,
        answer_label=read_as.label,
        values=read_as.values,
        rt_ms=given.rt_ms,
        timing=given.timing.model_dump(exclude_unset=True),
        display=given.display.model_dump(exclude_unset=True),
        now=now,
        completion_code=partial(_code_when_through, s, person),
    )
    return Taken(outcome, person, task, view, read_as)


def _code_when_through(s: Session, person: ParticipantInfo) -> str | None:
    """Return the code for somebody with every trial answered, unless a form is still to come."""
    study = stored_study(s, person.study_version_id)
    sent = repository.form_attempts(s, person.id)
    if due_forms.due(study, "admitted", sent, answered=True):
        return None
    return study.provider.code("complete")
