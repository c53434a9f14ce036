"""Consent, with which a participation begins, and its withdrawal, with which all of it goes."""

from __future__ import annotations

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from db import repository
from db.repository import ParticipantInfo, StudyVersionInfo
from study_app.api.bodies import ConsentBody
from study_app.api.context import Context, context
from study_app.api.http import RefusedError, body, json_response, read, route, wait_first, write
from study_app.api.limits import network_of
from study_app.api.participant import holder, limited, token_sha256
from study_app.installation import tokens
from study_app.participation.refusals import quota_of
from study_app.participation.texts import consent_sha256
from study_app.providers import Identity
from study_app.study import Study, languages, study_of, wording


@route
async def consent(request: Request) -> Response:
    """Take a consent; the token that it gives is the same when it is sent again.

    Anybody may send one, and each is stored: so an address has a bound.
    """
    here = context(request)
    host = request.client.host if request.client else ""
    if wait := here.consents.wait_s(network_of(host)):
        raise wait_first(wait)
    given = await body(request, ConsentBody)
    token = tokens.participant_token(here.state.key, given.study, given.nonce)
    digest = tokens.sha256(token)

    def look(s: Session) -> tuple[StudyVersionInfo | None, ParticipantInfo | None]:
        version = repository.newest_version(s, given.study, simulated=here.simulated)
        return version, repository.participant_by_token(s, digest)

    version, known = await read(here.database, look)
    if version is None:
        raise RefusedError(404, "not_found", "There is no such study.")
    if known is None:  # else their answer was lost, and the text may have changed since
        _require_fits(given, study_of(version))
    person, created = await write(
        here.database, lambda s: _record(s, here, version, given, token_sha256=digest)
    )
    return json_response({"token": token, "state": person.status}, 201 if created else 200)


@limited
async def withdraw(request: Request) -> Response:
    """Delete everything of the participant who asks."""
    here = context(request)
    digest = token_sha256(request)
    await write(
        here.database,
        lambda s: repository.withdraw(s, participant_id=holder(s, digest).id, now=here.now()),
    )
    return json_response({"state": "withdrawn"})


def _require_fits(given: ConsentBody, study: Study) -> None:
    """Refuse a consent by another provider's link, without an id, or to another text."""
    provider = study.provider
    if given.provider.name != provider.name:
        raise RefusedError(
            403,
            "not_invited",
            "This link is not one of this study. Please open it anew.",
            reason="other_link",
        )
    if refusal := provider.refusal(_identity(given)):
        raise RefusedError(403, "not_invited", refusal.message, reason=refusal.reason)
    if given.language not in languages(study):
        raise RefusedError(422, "invalid", "This study is not offered in that language.")
    if given.consent_sha256 != consent_sha256(wording(study, given.language)):
        raise RefusedError(
            409, "consent_changed", "The text of this page has changed. Please read it again."
        )


def _record(
    s: Session, here: Context, version: StudyVersionInfo, given: ConsentBody, *, token_sha256: str
) -> tuple[ParticipantInfo, bool]:
    """Record a consent to a version; return the participant and whether they are new."""
    identity = _identity(given)
    study = study_of(version)
    provider = study.provider
    return repository.create_participant(
        s,
        study_version_id=version.id,
        given=repository.GivenConsent(
            token_sha256=token_sha256,
            nonce_sha256=tokens.sha256(given.nonce),
            provider=given.provider.name,
            provider_id=identity.id if provider.keeps_id else None,
            provider_session=identity.session,
            provider_id_hmac=identity.id
            and tokens.provider_id_hmac(
                here.state.key, given.study, given.provider.name, identity.id
            ),
            invited=provider.invites and not here.simulated,
            language=given.language,
            consent_sha256=given.consent_sha256,
            consent_version=str(version.version),
            seed=here.seed_of(given.nonce),
        ),
        quota=quota_of(study, version.stage),
        now=here.now(),
    )


def _identity(given: ConsentBody) -> Identity:
    return Identity(given.provider.id, given.provider.session)
