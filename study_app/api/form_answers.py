"""Forms: what is asked before and after the trials."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from db import repository
from db.repository import FormAttempt, ParticipantInfo
from study_app.api.bodies import FormBody
from study_app.api.context import context
from study_app.api.http import RefusedError, json_response, write
from study_app.api.participant import body_of_holder, holder, limited, over, token_sha256
from study_app.forms import FormError
from study_app.participation import due_forms, endings
from study_app.study import StoredStudy, stored_study


@limited
async def form(request: Request) -> Response:
    """Take the answers to the form that is due; say what they led to."""
    given = await body_of_holder(request, FormBody)
    here = context(request)
    digest = token_sha256(request)
    taken = await write(here.database, lambda s: take(s, digest, given, here.now))
    if taken is None:
        return over(409)  # as for any form that is not due: the player asks where it stands
    result, status = taken
    return json_response({"result": result, "state": status})


def take(
    s: Session, digest: str, given: FormBody, clock: Callable[[], datetime]
) -> tuple[due_forms.Result, str] | None:
    """Store a form's answers; return what they led to and the participant's status.

    A form sent again has the result that it had. None: the participation is over.
    """
    person = holder(s, digest)
    repository.require_open(person)
    now = clock()
    if repository.end_if_over(s, person, now=now):
        return None
    study = stored_study(s, person.study_version_id)
    sent = repository.form_attempts(s, person.id)
    for before in sent:
        if (before.form, before.attempt) == (given.form, given.attempt):
            return due_forms.result(study, before), person.status
    answered = repository.progress(s, person.id).complete
    wanted = due_forms.due(study, person.status, sent, answered=answered)
    if wanted != due_forms.Due(given.form, given.attempt):
        raise RefusedError(409, "not_due", "This page is not to be filled in now.")
    result = _record(s, person, study, given, now)
    if outcome := due_forms.outcome(given.form, result):
        person = endings.conclude(s, person, study, outcome, now)
    return result, person.status


def _record(
    s: Session, person: ParticipantInfo, study: StoredStudy, given: FormBody, now: datetime
) -> due_forms.Result:
    """Check and store the answers to a form that is due; return what they lead to."""
    try:
        answers = due_forms.read(study, given.form, given.answers)
    except FormError as error:
        item = due_forms.unfit(study, given.form, given.answers)
        raise RefusedError(422, "invalid", str(error), item=item) from None
    device = None if given.device is None else given.device.model_dump()
    if given.form == "screening" and device is None:
        raise RefusedError(422, "invalid", "The facts about the device are missing.")
    passed = due_forms.passes(study, given.form, answers, device)
    repository.record_form(
        s,
        participant_id=person.id,
        form=given.form,
        attempt=given.attempt,
        answers=answers,
        device=device,
        passed=passed,
        now=now,
    )
    return due_forms.result(study, FormAttempt(given.form, given.attempt, passed))
