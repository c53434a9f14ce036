"""Who holds a place in a study, and how many may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.models import Participant, StudyVersion

# Somebody silent for longer than this has left, and their place may go to another.
ACTIVE_WITHIN = timedelta(hours=1)

Slot = tuple[str, int]  # arm, list


@dataclass(frozen=True)
class Quota:
    """How many people a study wants: in all, and in each arm. None: any number.

    Those count who completed it and those admitted to it and seen within ACTIVE_WITHIN, over all
    versions of the study in one stage. Somebody who was silent for longer and comes back while the
    study is live may finish, which can exceed the quota.
    """

    participants: int | None = None
    per_arm: int | None = None


UNLIMITED = Quota()


def slot_counts(
    s: Session, study_version_id: int, *, now: datetime, active_within: timedelta = ACTIVE_WITHIN
) -> dict[Slot, int]:
    """Return how many hold each slot, as `admit` counts; slots that nobody holds are absent."""
    rows = s.execute(
        select(Participant.arm, Participant.list_index, func.count())
        .where(Participant.study_version_id == study_version_id, _holds(now - active_within))
        .group_by(Participant.arm, Participant.list_index)
    )
    return {
        (arm, index): count for arm, index, count in rows if arm is not None and index is not None
    }


def arm_counts(
    s: Session, study_version_id: int, *, now: datetime, active_within: timedelta = ACTIVE_WITHIN
) -> dict[str, int]:
    """Return how many hold a place in each arm, over all versions of this version's stage."""
    rows = s.execute(
        select(Participant.arm, func.count())
        .where(_same_stage(study_version_id), _holds(now - active_within))
        .group_by(Participant.arm)
    )
    return {arm: count for arm, count in rows if arm is not None}


def on_the_way(
    s: Session, study_version_id: int, *, now: datetime, active_within: timedelta = ACTIVE_WITHIN
) -> int:
    """Return how many have consented, are not admitted yet and were seen lately.

    Over the same versions as `arm_counts`.
    """
    return (
        s.scalar(
            select(func.count()).where(
                _same_stage(study_version_id),
                Participant.status == "consented",
                Participant.last_seen_at >= now - active_within,
            )
        )
        or 0
    )


def _holds(seen_since: datetime) -> ColumnElement[bool]:
    return or_(
        Participant.status == "complete",
        and_(Participant.status == "admitted", Participant.last_seen_at >= seen_since),
    )


def _same_stage(study_version_id: int) -> ColumnElement[bool]:
    one, other = aliased(StudyVersion), aliased(StudyVersion)
    return Participant.study_version_id.in_(
        select(other.id)
        .join(one, (one.study_id == other.study_id) & (one.stage == other.stage))
        .where(one.id == study_version_id)
    )
