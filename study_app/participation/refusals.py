"""Whom a link excludes: told before the consent, which would be in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from starlette.datastructures import QueryParams

from db import repository
from db.errors import NotInvitedError, StorageError, StudyFullError
from db.models.studies import SIMULATED
from db.repository import Quota, StudyVersionInfo
from db.session import Database
from study_app.installation import tokens
from study_app.player import Refusal
from study_app.providers import Identity, Provider
from study_app.study import Study, study_of


def refusal(
    database: Database, key: bytes, version: StudyVersionInfo, identity: Identity, *, now: datetime
) -> Refusal | None:
    """Return why a study would not take somebody in, as a consent would be refused; or None.

    Nothing is stored. Whoever is a participant already, by their provider's id, is not refused.

    Args:
        database: where the study is.
        key: the installation's.
        version: of the study.
        identity: whom the link names.
        now: the time.
    """
    study = study_of(version)
    provider = study.provider
    if unfit := provider.refusal(identity):
        return {"error": "not_invited", "reason": unfit.reason}
    quota = quota_of(study, version.stage)
    if not provider.invites and quota.participants is None:
        return None
    code = identity.id and tokens.provider_id_hmac(key, version.name, provider.name, identity.id)
    try:
        with database.read() as s:
            repository.require_welcome(
                s,
                study_version_id=version.id,
                provider_id_hmac=code,
                invited=provider.invites,
                quota=quota,
                now=now,
            )
    except StorageError as error:
        if error.status >= 500:
            raise
        return _told(error)
    return None


def doubled(provider: Provider, query: Mapping[str, str]) -> Refusal | None:
    """Return the refusal of a link that names somebody more than once; None where it does not.

    Only a query that keeps what is repeated in it can tell: Starlette's.
    """
    if not isinstance(query, QueryParams):
        return None
    counts = Counter(name for name, _ in query.multi_items())
    if all(counts[name] < 2 for name in provider.parameters):
        return None
    return {"error": "not_invited", "reason": "doubled_id"}


def quota_of(study: Study, stage: str) -> Quota:
    """Return how many people a study takes; in all at most what its arms take together.

    Of simulated people any number: how many come is said where they are made.
    """
    if study.quota is None or stage == SIMULATED:
        return Quota()
    in_all, per_arm = study.quota.participants, study.quota.per_arm
    arms = per_arm and per_arm * len(study.all_arms)
    return Quota(min((n for n in (in_all, arms) if n is not None), default=None), per_arm)


def _told(error: StorageError) -> Refusal:
    if isinstance(error, NotInvitedError):
        return {"error": error.code, "reason": error.reason}
    # A study that takes nobody is not there for a consent; for the page it is closed.
    return {"error": error.code if isinstance(error, StudyFullError) else "closed"}
