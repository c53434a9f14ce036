"""Trials as the browser gets them, where their participant stands, and the pictures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from db import repository
from db.repository import ParticipantInfo, TrialView
from study_app.api.context import context
from study_app.api.http import failure, integer, json_response, read, route, write
from study_app.api.participant import holder, limited, token_sha256
from study_app.participation import due_forms, endings
from study_app.study import stored_study

MAX_TRIALS = 20
"""Trials in one answer; the player asks for a few ahead."""


@limited
async def trials(request: Request) -> Response:
    """Say where the participant stands; send the trials from `from` on, at most `n`."""
    here = context(request)
    digest = token_sha256(request)

    def look(s: Session) -> tuple[dict[str, Any], bool]:
        # On one snapshot: who answers the last trial just now is complete and has a code.
        person = holder(s, digest)
        repository.require_open(person)
        start = integer(request, "from", 0, 0, 10**6)
        count = integer(request, "n", 5, 0, MAX_TRIALS)
        return _standing(s, person, start, count, now=here.now())

    answer, ended = await read(here.database, look)
    if ended:  # a read cannot note it
        await write(
            here.database,
            lambda s: repository.end_if_over(s, holder(s, digest), now=here.now()),
        )
    return json_response(answer)


@route
async def stimulus(request: Request) -> Response:
    """Send a picture's file, which never changes."""
    opaque_id = request.path_params["opaque_id"]
    png = await read(context(request).database, lambda s: repository.stimulus_png(s, opaque_id))
    if png is None:
        return failure(404, "not_found", "There is no such picture.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(png, media_type="image/png", headers=headers)


def _standing(
    s: Session, person: ParticipantInfo, start: int, count: int, *, now: datetime
) -> tuple[dict[str, Any], bool]:
    """Return where somebody stands, with trials; and whether that is not stored of them yet."""
    standing = repository.state_of(person, now=now)
    over = standing in repository.OVER
    progress = repository.progress(s, person.id)
    views = repository.trials_from(s, participant_id=person.id, start=start, count=count)
    answer: dict[str, Any] = {
        "state": standing,
        "language": person.language,
        "position": progress.position,
        "total": progress.total,
        "presentations": progress.presentations,
        "complete": person.status == "complete",
        "form": None if over else _due_form(s, person, answered=progress.complete),
        "trials": [] if over else [_trial(view) for view in views],
    }
    if ended := endings.ending(s, person):
        key, said = ended
        answer[key] = said
    return answer, standing != person.status


def _due_form(s: Session, person: ParticipantInfo, *, answered: bool) -> dict[str, Any] | None:
    """Return what the browser gets of the form that is due, or None when none is."""
    if person.status not in ("consented", "admitted") or (
        person.status == "admitted" and not answered
    ):
        return None
    study = stored_study(s, person.study_version_id)
    sent = repository.form_attempts(s, person.id)
    wanted = due_forms.due(study, person.status, sent, answered=answered)
    return None if wanted is None else due_forms.shown(study, wanted, person.language)


def _trial(view: TrialView) -> dict[str, Any]:
    """Return what the browser may know of a trial: no condition, no right answer, no source."""
    return {
        "trial_id": view.trial_id,
        "position": view.position,
        "presentation_id": view.presentation_id,
        "presentation": view.presentation_index,
        "phase": view.phase,
        "block": view.block,
        "task": view.task,
        "images": [
            {
                "url": f"/s/{picture.opaque_id}.png",
                "sha256": picture.file_sha256,
                "width": picture.width,
                "height": picture.height,
            }
            for picture in view.pictures
        ],
        **view.view,
    }
