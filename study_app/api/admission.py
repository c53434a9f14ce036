"""Admission: a participant gets a place in the design, and with it their trials."""

from __future__ import annotations

from functools import partial

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from db import repository
from db.errors import StudyFullError
from db.repository import ParticipantInfo, Progress, StudyVersionInfo
from study_app.api.context import context
from study_app.api.http import RefusedError, json_response, read, write
from study_app.api.participant import holder, limited, token_sha256
from study_app.design import participant_plan
from study_app.participation import due_forms, endings
from study_app.participation.refusals import quota_of
from study_app.study import study_of, wording


@limited
async def admit(request: Request) -> Response:
    """Admit the participant who asks; nothing changes for somebody who is admitted already."""
    here = context(request)
    digest = token_sha256(request)

    def look(s: Session) -> StudyVersionInfo:
        return repository.study_version(s, holder(s, digest).study_version_id)

    # Read beforehand: the design is large, and the write lock is everybody's.
    version = await read(here.database, look)
    study = study_of(version)

    def take(s: Session) -> tuple[ParticipantInfo, Progress]:
        person = holder(s, digest)
        repository.require_open(person)  # before a form is asked for
        sent = repository.form_attempts(s, person.id)
        if due_forms.due(study, person.status, sent, answered=False):
            raise RefusedError(409, "not_ready", "There is a page to fill in before this.")
        words = wording(study, person.language)
        admitted = repository.admit(
            s,
            participant_id=person.id,
            slots=participant_plan.slots(version.design),
            draw=partial(participant_plan.draw, version.design, wording=words),
            quota=quota_of(study, version.stage),
            plan_rules=participant_plan.RULES,
            now=here.now(),
        )
        return admitted, repository.progress(s, person.id)

    try:
        person, progress = await write(here.database, take)
    except StudyFullError as error:
        person = await read(here.database, lambda s: holder(s, digest))
        back = endings.turned_away(person, study)
        if back is None:
            raise
        return json_response(
            {"error": error.code, "message": str(error), "ending": back}, error.status
        )
    return json_response(
        {"state": person.status, "position": progress.position, "total": progress.total}
    )
