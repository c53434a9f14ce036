"""How far the people of a study's versions have come: what a flow diagram counts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import Participant, Response, StudyVersion, Trial
from db.repository.places import allowed_silence


@dataclass(frozen=True)
class Whereabouts:
    """One person.

    Attributes:
        participant_id, status, arm, list_index: as stored; arm and list are None before admission.
        answered, trials: how many trials of the plan have an answer, and how many it has.
        silent: admitted, not finished, and not heard of for as long as the version allows.
    """

    participant_id: str
    status: str
    arm: str | None
    list_index: int | None
    answered: int
    trials: int
    silent: bool


def whereabouts(s: Session, versions: Collection[int], *, now: datetime) -> list[Whereabouts]:
    """Return everybody who has consented to one of the versions, by id.

    Args:
        s: the session.
        versions: ids of study versions.
        now: the time.
    """
    planned = (
        select(
            Trial.participant_id,
            func.count(Trial.id.distinct()).label("trials"),
            func.count(Response.trial_id.distinct()).label("answered"),
        )
        .join(Participant, Participant.id == Trial.participant_id)
        .outerjoin(Response, Response.trial_id == Trial.id)
        .where(Participant.study_version_id.in_(versions))
        .group_by(Trial.participant_id)
        .subquery()
    )
    rows = s.execute(
        select(
            Participant.id,
            Participant.status,
            Participant.arm,
            Participant.list_index,
            Participant.last_seen_at,
            StudyVersion.silence_s,
            func.coalesce(planned.c.answered, 0),
            func.coalesce(planned.c.trials, 0),
        )
        .join(StudyVersion, StudyVersion.id == Participant.study_version_id)
        .outerjoin(planned, planned.c.participant_id == Participant.id)
        .where(Participant.study_version_id.in_(versions))
        .order_by(Participant.id)
    )
    found = []
    for person, status, arm, index, seen, seconds, answered, trials in rows:
        silent = status == "admitted" and seen < now - allowed_silence(seconds)
        found.append(Whereabouts(person, status, arm, index, answered, trials, silent))
    return found
