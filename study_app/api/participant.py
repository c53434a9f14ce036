"""Participants' routes: consent, forms, admission, trials, answers, withdrawal, stimuli."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from db import repository
from db.repository import FormAttempt, ParticipantInfo, Quota, TrialView
from study_app import questions
from study_app.api.bodies import AnswerBody, ConsentBody, FormBody
from study_app.api.feedback import Taken, feedback
from study_app.api.http import (
    B,
    Handler,
    RefusedError,
    bearer,
    body,
    failure,
    integer,
    json_response,
    read,
    route,
    wait_first,
    write,
)
from study_app.api.limits import RateLimit
from study_app.design import participant_plan
from study_app.forms import FormError
from study_app.installation import AppState, tokens
from study_app.participation import due_forms as due_forms
from study_app.participation import endings
from study_app.participation.texts import consent_sha256
from study_app.providers import Identity, Provider
from study_app.study import languages, wording

MAX_TRIALS = 20
"""Trials in one answer; the player asks for a few ahead."""


def routes(state: AppState, limit: RateLimit | None = None) -> list[BaseRoute]:
    """Return the participants' routes over `state`; `limit` is how often each of them may ask."""
    database = state.database
    limit = RateLimit() if limit is None else limit

    def limited(handler: Handler) -> Handler:
        async def taken(request: Request) -> Response:
            wait = limit.wait_s(_digest(request))
            if wait:
                raise wait_first(wait)
            return await handler(request)

        return route(taken)

    async def body_of_holder(request: Request, model: type[B]) -> B:
        try:
            return await body(request, model)
        except RefusedError:
            digest = _digest(request)
            await read(database, lambda s: _holder(s, digest))  # to somebody unknown only that
            raise

    @route
    async def consent(request: Request) -> Response:
        given = await body(request, ConsentBody)
        token = tokens.participant_token(state.key, given.study, given.nonce)
        digest = tokens.sha256(token)

        def look(s: Session) -> tuple[repository.StudyVersionInfo | None, ParticipantInfo | None]:
            return repository.study(s, given.study), repository.participant_by_token(s, digest)

        version, known = await read(database, look)
        if version is None:
            raise RefusedError(404, "not_found", "There is no such study.")
        identity = Identity(given.provider.id, given.provider.session)
        provider = endings.provider_of(version.config)
        if known is None:  # else their answer was lost, and the text may have changed since
            _require_fits(given, version.config, provider, identity)
        provider_hmac = identity.id and tokens.provider_id_hmac(
            state.key, given.study, given.provider.name, identity.id
        )
        person, created = await write(
            database,
            lambda s: repository.create_participant(
                s,
                study_version_id=version.id,
                token_sha256=digest,
                nonce_sha256=tokens.sha256(given.nonce),
                provider=given.provider.name,
                provider_id=identity.id if provider.keeps_id else None,
                provider_session=identity.session,
                provider_id_hmac=provider_hmac,
                invited=provider.invites,
                language=given.language,
                consent_sha256=given.consent_sha256,
                consent_version=str(version.version),
                seed=secrets.randbits(63),
                quota=_quota(version.config),
                now=datetime.now(UTC),
            ),
        )
        return json_response({"token": token, "state": person.status}, 201 if created else 200)

    @limited
    async def form(request: Request) -> Response:
        given = await body_of_holder(request, FormBody)
        digest = _digest(request)

        def take(s: Session) -> tuple[due_forms.Result, str] | None:
            person = _holder(s, digest)
            repository.require_open(person)
            if repository.end_if_over(s, person, now=datetime.now(UTC)):
                return None
            config = repository.study_config(s, person.study_version_id)
            sent = repository.form_attempts(s, person.id)
            for before in sent:
                if (before.form, before.attempt) == (given.form, given.attempt):
                    return due_forms.result(config, before), person.status
            answered = repository.progress(s, person.id).complete
            wanted = due_forms.due(config, person.status, sent, answered=answered)
            if wanted != due_forms.Due(given.form, given.attempt):
                raise RefusedError(409, "not_due", "This page is not to be filled in now.")
            try:
                answers = due_forms.read(config, given.form, given.answers)
            except FormError as error:
                item = due_forms.unfit(config, given.form, given.answers)
                raise RefusedError(422, "invalid", str(error), item=item) from None
            device = None if given.device is None else given.device.model_dump()
            if given.form == "screening" and device is None:
                raise RefusedError(422, "invalid", "The facts about the device are missing.")
            passed = due_forms.passes(config, given.form, answers, device)
            now = datetime.now(UTC)
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
            result = due_forms.result(config, FormAttempt(given.form, given.attempt, passed))
            if outcome := due_forms.outcome(given.form, result):
                person = endings.conclude(s, person, config, outcome, now)
            return result, person.status

        taken = await write(database, take)
        if taken is None:
            return _over(409)  # as for any form that is not due: the player asks where it stands
        result, status = taken
        return json_response({"result": result, "state": status})

    @limited
    async def admit(request: Request) -> Response:
        digest = _digest(request)

        def look(s: Session) -> repository.StudyVersionInfo:
            return repository.study_version(s, _holder(s, digest).study_version_id)

        # Read beforehand: the design is large, and the write lock is everybody's.
        version = await read(database, look)

        def take(s: Session) -> tuple[ParticipantInfo, repository.Progress]:
            person = _holder(s, digest)
            repository.require_open(person)  # before a form is asked for
            sent = repository.form_attempts(s, person.id)
            if due_forms.due(version.config, person.status, sent, answered=False):
                raise RefusedError(409, "not_ready", "There is a page to fill in before this.")
            words = wording(version.config, person.language)
            admitted = repository.admit(
                s,
                participant_id=person.id,
                slots=participant_plan.slots(version.design),
                draw=partial(participant_plan.draw, version.design, wording=words),
                quota=_quota(version.config),
                now=datetime.now(UTC),
            )
            return admitted, repository.progress(s, person.id)

        person, progress = await write(database, take)
        return json_response(
            {"state": person.status, "position": progress.position, "total": progress.total}
        )

    @limited
    async def trials(request: Request) -> Response:
        digest = _digest(request)

        def look(s: Session) -> tuple[dict[str, Any], bool]:
            # On one snapshot: who answers the last trial just now is complete and has a code.
            person = _holder(s, digest)
            repository.require_open(person)
            standing = repository.state_of(person, now=datetime.now(UTC))
            over = standing in repository.OVER
            start = integer(request, "from", 0, 0, 10**6)
            count = integer(request, "n", 5, 0, MAX_TRIALS)
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

        answer, ended = await read(database, look)
        if ended:  # a read cannot note it
            await write(
                database,
                lambda s: repository.end_if_over(s, _holder(s, digest), now=datetime.now(UTC)),
            )
        return json_response(answer)

    @limited
    async def respond(request: Request) -> Response:
        given = await body_of_holder(request, AnswerBody)
        digest = _digest(request)

        def take(s: Session) -> Taken | None:
            # One visit to the database for everything: answers are what comes all the time.
            person = _holder(s, digest)
            now = datetime.now(UTC)
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

        taken = await write(database, take)
        if taken is None:
            return _over(410)
        outcome = taken.outcome
        if outcome.status == "refused":
            return failure(409, "locked", "This question has been answered already.")
        answer: dict[str, Any] = {
            "status": outcome.status,
            "position": outcome.progress.position,
            "complete": outcome.complete,
        }
        if outcome.phase == "practice" and outcome.correct_option is not None:
            answer["feedback"] = await read(database, lambda s: feedback(s, taken))
        return json_response(answer)

    @limited
    async def withdraw(request: Request) -> Response:
        digest = _digest(request)
        await write(
            database,
            lambda s: repository.withdraw(
                s, participant_id=_holder(s, digest).id, now=datetime.now(UTC)
            ),
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
        Route("/api/form", form, methods=["POST"]),
        Route("/api/admit", admit, methods=["POST"]),
        Route("/api/trials", trials, methods=["GET"]),
        Route("/api/response", respond, methods=["POST"]),
        Route("/api/withdraw", withdraw, methods=["POST"]),
        Route("/api/health", health, methods=["GET"]),
        Route("/s/{opaque_id}.png", stimulus, methods=["GET"]),
    ]


def _over(status: int) -> Response:
    return failure(
        status, "over", "Your participation has ended; no further answers are taken. Thank you."
    )


def _digest(request: Request) -> str:
    return tokens.sha256(bearer(request) or "")


def _holder(s: Session, digest: str) -> ParticipantInfo:
    """Return the participant who holds the token of this hash; refuse with 401 when none does."""
    found = repository.participant_by_token(s, digest)
    if found is None:
        raise RefusedError(401, "unknown_token", "This link is not valid any more.")
    return found


def _require_fits(
    given: ConsentBody, config: Mapping[str, Any], provider: Provider, identity: Identity
) -> None:
    """Refuse a consent by another provider's link, without an id, or to another text."""
    if given.provider.name != provider.name:
        raise RefusedError(
            403,
            "not_invited",
            "This link is not one of this study. Please open it anew.",
            reason="other_link",
        )
    if refusal := provider.refusal(identity):
        raise RefusedError(403, "not_invited", refusal.message, reason=refusal.reason)
    if given.language not in languages(config):
        raise RefusedError(422, "invalid", "This study is not offered in that language.")
    if given.consent_sha256 != consent_sha256(wording(config, given.language)):
        raise RefusedError(
            409, "consent_changed", "The text of this page has changed. Please read it again."
        )


def _quota(config: Mapping[str, Any]) -> Quota:
    return Quota(**(config.get("quota") or {}))


def _due_form(s: Session, person: ParticipantInfo, *, answered: bool) -> dict[str, Any] | None:
    """Return what the browser gets of the form that is due, or None when none is."""
    if person.status not in ("consented", "admitted") or (
        person.status == "admitted" and not answered
    ):
        return None
    config = repository.study_config(s, person.study_version_id)
    sent = repository.form_attempts(s, person.id)
    wanted = due_forms.due(config, person.status, sent, answered=answered)
    return None if wanted is None else due_forms.shown(config, wanted, person.language)


def _code_when_through(s: Session, person: ParticipantInfo) -> str | None:
    """Return the code for somebody with every trial answered, unless a form is still to come."""
    config = repository.study_config(s, person.study_version_id)
    sent = repository.form_attempts(s, person.id)
    if due_forms.due(config, "admitted", sent, answered=True):
        return None
    return endings.provider_of(config).code("complete")


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
