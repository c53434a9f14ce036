"""Participants from consent to withdrawal."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from db.errors import (
    NotInvitedError,
    ParticipantNotFoundError,
    StudyFullError,
    StudyNotFoundError,
    StudyNotOpenError,
)
from db.models import (
    Consent,
    ExportRecord,
    Participant,
    ProviderIdentity,
    Study,
    StudyVersion,
    Tombstone,
)
from db.models.studies import SIMULATED
from db.repository.erasures import owe_erasure
from db.repository.invitations import require_invitation, use_invitation
from db.repository.places import UNLIMITED, Quota, arm_counts

# Long enough to pay people and to answer their complaints, then the raw id goes.
PROVIDER_ID_KEPT = timedelta(days=90)

_ANOTHERS_BROWSER = (
    "Somebody else has begun this study in this browser. Please use a private window."
)


@dataclass(frozen=True)
class ParticipantInfo:
    """One participant. `arm`, `list_index` and `plan_hash` are None before admission."""

    id: str
    study_name: str
    study_status: str
    study_version_id: int
    stage: str
    status: str
    provider: str
    language: str
    seed: int
    arm: str | None
    list_index: int | None
    plan_hash: str | None
    completion_code: str | None
    created_at: datetime
    admitted_at: datetime | None
    completed_at: datetime | None
    last_seen_at: datetime


@dataclass(frozen=True)
class GivenConsent:
    """A consent, and whose it is.

    Attributes:
        token_sha256: hash of the token that the browser gets.
        nonce_sha256: hash of the nonce that the browser made.
        provider: its name.
        provider_id: the raw id, deleted at `provider_id_expires`.
        provider_id_hmac: its keyed hash, which stays.
        language: of the texts.
        consent_sha256: hash of the text that was read.
        consent_version: of that text.
        seed: in [0, 2**63).
        provider_id_expires: by default after PROVIDER_ID_KEPT.
        provider_session: the provider's id of this participation, deleted with the raw id.
        invited: `provider_id_hmac` is of an invitation's code, which lets in one new person.
    """

    token_sha256: str
    nonce_sha256: str
    provider: str
    provider_id: str | None
    provider_id_hmac: str | None
    language: str
    consent_sha256: str
    consent_version: str
    seed: int
    provider_id_expires: datetime | None = None
    provider_session: str | None = None
    invited: bool = False


# Every request runs one of these. Built once: putting it together costs more than running it.
_INFO = (
    select(
        Participant.id,
        Study.name.label("study_name"),
        Study.status.label("study_status"),
        Participant.study_version_id,
        StudyVersion.stage,
        Participant.status,
        Participant.provider,
        Participant.language,
        Participant.seed,
        Participant.arm,
        Participant.list_index,
        Participant.plan_hash,
        Participant.completion_code,
        Participant.created_at,
        Participant.admitted_at,
        Participant.completed_at,
        Participant.last_seen_at,
    )
    .join(Study, Study.id == Participant.study_id)
    .join(StudyVersion, StudyVersion.id == Participant.study_version_id)
)
_BY_TOKEN = _INFO.where(Participant.token_sha256 == bindparam("token"))
_BY_ID = _INFO.where(Participant.id == bindparam("participant"))


def create_participant(
    s: Session,
    *,
    study_version_id: int,
    given: GivenConsent,
    now: datetime,
    quota: Quota = UNLIMITED,
) -> tuple[ParticipantInfo, bool]:
    """Record a consent; return the participant and whether they are new.

    In one study the same provider id, else the same nonce, is the same person, who is returned as
    they are. Their token then becomes that of `given`: the browser that consented last holds it.
    Where the token is derived from the nonce, a consent sent twice changes nothing.

    Args:
        s: the session.
        study_version_id: what they consented to.
        given: the consent.
        now: the time.
        quota: only a study with a place left takes somebody new. Who has consented without one
            being kept for them may get one at admission (`places.kept_before`).

    Raises:
        StudyNotFoundError: there is no such version.
        StudyNotOpenError: the study is not live; simulated versions are always open.
        NotInvitedError: an unknown or used invitation, or the nonce of somebody with a different
            provider id.
        StudyFullError: no place is left.
    """
    version = _version(s, study_version_id)
    study_id = version.study_id
    code = given.provider_id_hmac
    known = _same_person(s, study_id, given.nonce_sha256, code)
    if known is not None:
        _pass_on(s, known, given.token_sha256)
        return participant(s, known.id), False
    _require_open(version)
    if given.invited:
        require_invitation(s, study_id=study_id, code_hmac=code)
    _require_place(s, version, quota, now)
    person = _add_consented(s, version, given, now)
    if given.invited:
        use_invitation(s, study_id=study_id, code_hmac=code, participant_id=person.id, now=now)
    s.flush()
    return participant(s, person.id), True


def require_welcome(
    s: Session,
    *,
    study_version_id: int,
    provider_id_hmac: str | None,
    invited: bool,
    quota: Quota,
    now: datetime,
) -> None:
    """Raise what `create_participant` would, for somebody of whom no nonce is known.

    Nothing is stored. Whoever is a participant already, by their provider's id, is welcome.

    Raises:
        StudyNotFoundError, StudyNotOpenError, NotInvitedError, StudyFullError: as there.
    """
    version = _version(s, study_version_id)
    if provider_id_hmac is not None and s.scalar(
        select(Participant.id).where(
            Participant.study_id == version.study_id,
            Participant.provider_id_hmac == provider_id_hmac,
        )
    ):
        return
    _require_open(version)
    if invited:
        require_invitation(s, study_id=version.study_id, code_hmac=provider_id_hmac)
    _require_place(s, version, quota, now)


def participant_by_token(s: Session, token_sha256: str) -> ParticipantInfo | None:
    """Return the participant who holds a token, or None."""
    row = s.connection().execute(_BY_TOKEN, {"token": token_sha256}).first()
    return None if row is None else ParticipantInfo(**row._mapping)


def participant(s: Session, participant_id: str) -> ParticipantInfo:
    """Return a participant by id.

    Raises:
        ParticipantNotFoundError: there is none.
    """
    row = s.execute(_BY_ID, {"participant": participant_id}).first()
    if row is None:
        raise ParticipantNotFoundError("There is no such participant.")
    return ParticipantInfo(**row._mapping)


def provider_id(s: Session, participant_id: str) -> str | None:
    """Return the raw provider id of a participant; None if there is none, or its time is over."""
    return s.scalar(
        select(ProviderIdentity.provider_id).where(
            ProviderIdentity.participant_id == participant_id
        )
    )


def conclude(
    s: Session, *, participant_id: str, status: str, completion_code: str | None, now: datetime
) -> ParticipantInfo:
    """End a participation: complete, screened_out or failed_check, with the code for it.

    Raises:
        ParticipantNotFoundError: there is none.
    """
    person = s.get(Participant, participant_id)
    if person is None:
        raise ParticipantNotFoundError("There is no such participant.")
    person.status = status
    person.completion_code = completion_code
    person.completed_at = now if status == "complete" else None
    person.last_seen_at = now
    s.flush()
    return participant(s, participant_id)


def withdraw(s: Session, *, participant_id: str, now: datetime) -> None:
    """Delete everything of a participant; leave a tombstone and mark the study's exports stale.

    The slot is free at once. That the log and the copies are still to be wiped is noted
    (`erasures`); copies made elsewhere cannot be reached. Of a simulated person only the data go:
    no export of people's answers is stale for that, and nobody's trace is to be wiped.

    Raises:
        ParticipantNotFoundError: there is none, or they have withdrawn already.
    """
    person = s.get(Participant, participant_id)
    if person is None:
        raise ParticipantNotFoundError("There is no such participant.")
    s.add(
        Tombstone(
            study_version_id=person.study_version_id,
            arm=person.arm,
            list_index=person.list_index,
            withdrawn_at=now,
        )
    )
    simulated = _version(s, person.study_version_id).stage == SIMULATED
    if not simulated:
        s.execute(
            update(ExportRecord).where(ExportRecord.study_id == person.study_id).values(stale=True)
        )
    s.execute(delete(Participant).where(Participant.id == participant_id))
    if not simulated:
        owe_erasure(s, participant_id=participant_id, now=now)


def delete_expired_identities(s: Session, *, now: datetime) -> int:
    """Delete raw provider ids whose time is over; return how many."""
    expired = list(
        s.scalars(
            delete(ProviderIdentity)
            .where(ProviderIdentity.expires_at <= now)
            .returning(ProviderIdentity.participant_id)
        )
    )
    if expired:
        owe_erasure(s, participant_id=None, now=now)
    return len(expired)


def _version(s: Session, study_version_id: int) -> Any:
    """The version's id and stage, with its study's id, name and status."""
    row = s.execute(
        select(StudyVersion.id, StudyVersion.stage, StudyVersion.study_id, Study.name, Study.status)
        .join(Study, Study.id == StudyVersion.study_id)
        .where(StudyVersion.id == study_version_id)
    ).first()
    if row is None:
        raise StudyNotFoundError(f"There is no study version with the id {study_version_id}.")
    return row


def _same_person(
    s: Session, study_id: int, nonce_sha256: str, provider_id_hmac: str | None
) -> Participant | None:
    """Return whom a consent belongs to already; the provider's id beats the browser's nonce."""
    in_study = select(Participant).where(Participant.study_id == study_id)
    if provider_id_hmac is not None:
        person = s.scalar(in_study.where(Participant.provider_id_hmac == provider_id_hmac))
        if person is not None:
            return person
    person = s.scalar(in_study.where(Participant.nonce_sha256 == nonce_sha256))
    if person is not None and person.provider_id_hmac != provider_id_hmac:
        raise NotInvitedError("other_person", _ANOTHERS_BROWSER)
    return person


def _pass_on(s: Session, person: Participant, token_sha256: str) -> None:
    """Let the browser with this token be the one that holds a known person's."""
    if person.token_sha256 == token_sha256:
        return
    if participant_by_token(s, token_sha256) is not None:
        raise NotInvitedError("other_person", _ANOTHERS_BROWSER)
    person.token_sha256 = token_sha256
    s.flush()


def _require_open(version: Any) -> None:
    if version.status != "live" and version.stage != SIMULATED:
        raise StudyNotOpenError(
            f"The study {version.name!r} is {version.status} and takes no participants."
        )


def _require_place(s: Session, version: Any, quota: Quota, now: datetime) -> None:
    """Raise StudyFullError unless a place is open, whoever else has consented."""
    if quota.participants is None:
        return
    if sum(arm_counts(s, version.id, now=now).values()) >= quota.participants:
        raise StudyFullError("The study has enough participants now. Thank you for coming.")


def _add_consented(s: Session, version: Any, given: GivenConsent, now: datetime) -> Participant:
    """Store somebody new in a version of a study, with what they agreed to."""
    person = Participant(
        id=secrets.token_hex(16),
        study_id=version.study_id,
        study_version_id=version.id,
        status="consented",
        token_sha256=given.token_sha256,
        nonce_sha256=given.nonce_sha256,
        provider=given.provider,
        provider_id_hmac=given.provider_id_hmac,
        language=given.language,
        seed=given.seed,
        created_at=now,
        last_seen_at=now,
    )
    s.add(person)
    s.flush()
    s.add(
        Consent(
            participant_id=person.id,
            text_sha256=given.consent_sha256,
            language=given.language,
            version=given.consent_version,
            given_at=now,
        )
    )
    if given.provider_id is not None:
        s.add(
            ProviderIdentity(
                participant_id=person.id,
                provider_id=given.provider_id,
                session=given.provider_session,
                expires_at=given.provider_id_expires or now + PROVIDER_ID_KEPT,
            )
        )
    return person
