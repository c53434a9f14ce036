"""Participants' routes: consent, admission, trials, answers, withdrawal, stimuli."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from db import repository
from db.repository import Outcome, ParticipantInfo, StudyVersionInfo, TrialView
from study_app import plan, questions, tokens
from study_app.api.http import (
    Body,
    RefusedError,
    bearer,
    body,
    failure,
    integer,
    json_response,
    read,
    route,
    write,
)
from study_app.participant.texts import markdown_html
from study_app.publish import consent_sha256
from study_app.state import AppState

MAX_TRIALS = 20
"""Trials in one answer; the player asks for a few ahead."""


class _Provider(Body):
    name: Literal["direct"]
    id: None = None


class _Consent(Body):
    study: Annotated[str, Field(max_length=40)]
    consent_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    language: Annotated[str, Field(max_length=10)]
    provider: _Provider
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


def _finite(facts: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Refuse NaN and infinity, which JSON has not and Python reads all the same."""
    json.dumps(facts, allow_nan=False)
    return facts


_Facts = Annotated[dict[str, JsonValue], Field(max_length=30), AfterValidator(_finite)]


class _Answer(Body):
    event_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    trial_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    attempt: Annotated[int, Field(ge=1, le=1000)]
    answer: Annotated[str, Field(max_length=200)]
    rt_ms: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None
    timing: _Facts
    display: _Facts


def routes(state: AppState) -> list[BaseRoute]:
    """Return the participants' routes over `state`."""
    database = state.database

    async def me(request: Request) -> ParticipantInfo:
        digest = _digest(request)
        return await read(database, lambda s: _holder(s, digest))

    @route
    async def consent(request: Request) -> Response:
        given = await body(request, _Consent)
        version = await read(database, lambda s: repository.study(s, given.study))
        if version is None:
            raise RefusedError(404, "not_found", "There is no such study.")
        token = tokens.participant_token(state.key, given.study, given.nonce)
        known = await read(
            database, lambda s: repository.participant_by_token(s, tokens.sha256(token))
        )
        if known is None and given.consent_sha256 != consent_sha256(version):
            raise RefusedError(
                409, "consent_changed", "The text of this page has changed. Please read it again."
            )
        person, created = await write(
            database,
            lambda s: repository.create_participant(
                s,
                study_version_id=version.id,
                token_sha256=tokens.sha256(token),
                nonce_sha256=tokens.sha256(given.nonce),
                provider=given.provider.name,
                provider_id=None,
                provider_id_hmac=None,
                language=given.language,
                consent_sha256=given.consent_sha256,
                consent_version=str(version.version),
                seed=secrets.randbits(63),
                now=datetime.now(UTC),
            ),
        )
        return json_response({"token": token, "state": person.status}, 201 if created else 200)

    @route
    async def admit(request: Request) -> Response:
        person = await me(request)
        version = await read(
            database, lambda s: repository.study_version(s, person.study_version_id)
        )
        admitted = await write(
            database,
            lambda s: repository.admit(
                s,
                participant_id=person.id,
                slots=plan.slots(version.design),
                draw=partial(plan.draw, version.design),
                now=datetime.now(UTC),
            ),
        )
        progress = await read(database, lambda s: repository.progress(s, person.id))
        return json_response(
            {"state": admitted.status, "position": progress.position, "total": progress.total}
        )

    @route
    async def trials(request: Request) -> Response:
        digest = _digest(request)

        def look(s: Session) -> dict[str, Any]:
            # On one snapshot: who answers the last trial just now is complete and has a code.
            person = _holder(s, digest)
            start = integer(request, "from", 0, 0, 10**6)
            count = integer(request, "n", 5, 0, MAX_TRIALS)
            progress = repository.progress(s, person.id)
            views = repository.trials_from(s, participant_id=person.id, start=start, count=count)
            answer: dict[str, Any] = {
                "state": person.status,
                "position": progress.position,
                "total": progress.total,
                "presentations": progress.presentations,
                "complete": progress.complete,
                "trials": [_trial(view) for view in views],
            }
            if person.completion_code is not None:
                version = repository.study_version(s, person.study_version_id)
                answer["debrief"] = _debrief(version, person.completion_code)
            return answer

        return json_response(await read(database, look))

    @route
    async def respond(request: Request) -> Response:
        try:
            given = await body(request, _Answer)
        except RefusedError:
            await me(request)  # to somebody unknown only that is said
            raise
        digest = _digest(request)

        def take(s: Session) -> tuple[Outcome, ParticipantInfo]:
            # One visit to the database for everything: answers are what comes all the time.
            person = _holder(s, digest)
            view = repository.trial_view(s, participant_id=person.id, trial_id=given.trial_id)
            label = questions.answer_label(view, given.answer)
            if label is None:
                raise RefusedError(
                    422, "invalid", "That is not one of the answers to this question."
                )
            outcome = repository.record_response(
                s,
                participant_id=person.id,
                event_id=given.event_id,
                trial_id=given.trial_id,
                attempt=given.attempt,
                answer=given.answer,
                answer_label=label,
                rt_ms=given.rt_ms,
                timing=given.timing,
                display=given.display,
                now=datetime.now(UTC),
                completion_code=tokens.completion_code,
            )
            return outcome, person

        outcome, person = await write(database, take)
        if outcome.status == "refused":
            return failure(409, "locked", "This question has been answered already.")
        answer: dict[str, Any] = {
            "status": outcome.status,
            "position": outcome.progress.position,
            "complete": outcome.progress.complete,
        }
        if outcome.phase == "practice" and outcome.correct_option is not None:
            right = given.answer == outcome.correct_option
            version = await read(
                database, lambda s: repository.study_version(s, person.study_version_id)
            )
            texts = version.config["texts"]
            answer["feedback"] = {
                "correct": right,
                "text": texts["feedback_right" if right else "feedback_wrong"],
            }
        return json_response(answer)

    @route
    async def withdraw(request: Request) -> Response:
        person = await me(request)
        await write(
            database,
            lambda s: repository.withdraw(s, participant_id=person.id, now=datetime.now(UTC)),
        )
        return json_response({"state": "withdrawn"})

    @route
    async def health(request: Request) -> Response:
        return json_response({"status": "ok"})

    @route
    async def stimulus(request: Request) -> Response:
        opaque_id = request.path_params["opaque_id"]
        png = await read(database, lambda s: repository.stimulus_png(s, opaque_id))
        if png is None:
            return failure(404, "not_found", "There is no such picture.")
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(png, media_type="image/png", headers=headers)

    return [
        Route("/api/consent", consent, methods=["POST"]),
        Route("/api/admit", admit, methods=["POST"]),
        Route("/api/trials", trials, methods=["GET"]),
        Route("/api/response", respond, methods=["POST"]),
        Route("/api/withdraw", withdraw, methods=["POST"]),
        Route("/api/health", health, methods=["GET"]),
        Route("/s/{opaque_id}.png", stimulus, methods=["GET"]),
    ]


def _digest(request: Request) -> str:
    return tokens.sha256(bearer(request) or "")


def _holder(s: Session, digest: str) -> ParticipantInfo:
    """Return the participant who holds the token of this hash; refuse with 401 when none does."""
    found = repository.participant_by_token(s, digest)
    if found is None:
        raise RefusedError(401, "unknown_token", "This link is not valid any more.")
    return found


def _trial(view: TrialView) -> dict[str, Any]:
    """Return what the browser may know of a trial: no condition, no right answer, no source."""
    return {
        "trial_id": view.trial_id,
        "position": view.position,
        "presentation_id": view.presentation_id,
        "presentation": view.presentation_index,
        "phase": view.phase,
        "task": view.task,
        "image": {
            "url": f"/s/{view.opaque_id}.png",
            "sha256": view.file_sha256,
            "width": view.width,
            "height": view.height,
        },
        **view.view,
    }


def _debrief(version: StudyVersionInfo, code: str) -> dict[str, Any]:
    return {
        "html": markdown_html(version.config["texts"]["debrief"]),
        "code": code,
        "redirect": None,
    }
