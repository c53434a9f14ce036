"""Who holds a place in a study, and how many may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.models import Participant, StudyVersion

# Who is silent for longer cannot go on once the study is closed, and holds nothing back.
ACTIVE_WITHIN = timedelta(hours=1)

LONGEST_SILENCE = ACTIVE_WITHIN
"""A place is not kept for longer than its holder may go on, whatever a version says."""

CONSENTED_WITHIN = timedelta(minutes=10)
"""So long after their last request somebody who has consented keeps a place until admission."""
CONSENTED_SHARE = 5
"""All who have consented keep at most one in so many of the places still open, at least one."""

Slot = tuple[str, int]  # arm, list


@dataclass(frozen=True)
class Quota:
    """How many people a study wants: in all, and in each arm. None: any number.

    Those count who completed it and those admitted to it and not silent for longer than their
    version allows, over all versions of the study in one stage. Somebody who was silent for longer
    and comes back while the study is live may finish, which can exceed the quota.
    """

    participants: int | None = None
    per_arm: int | None = None


UNLIMITED = Quota()


@dataclass(frozen=True)
class Place:
    """One arm and list of a version: who has completed it, and who is on the way through it."""

    arm: str
    list_index: int
    complete: int
    under_way: int


def slot_counts(s: Session, study_version_id: int, *, now: datetime) -> dict[Slot, int]:
    """Return how many hold each slot, as `admit` counts; slots that nobody holds are absent."""
    return {
        (each.arm, each.list_index): each.complete + each.under_way
        for each in places(s, study_version_id, now=now)
    }


def places(s: Session, study_version_id: int, *, now: datetime) -> list[Place]:
    """Return the slots of a version that somebody holds, by arm and list."""
    complete, under_way = Counter[Slot](), Counter[Slot]()
    silent = _silences(s, StudyVersion.id == study_version_id)
    rows = s.execute(
        select(Participant.arm, Participant.list_index, Participant.status, func.count())
        .where(Participant.study_version_id == study_version_id, _holds(silent, now))
        .group_by(Participant.arm, Participant.list_index, Participant.status)
    )
    for arm, index, status, count in rows:
        if arm is not None and index is not None:
            (complete if status == "complete" else under_way)[arm, index] += count
    held = sorted({*complete, *under_way})
    return [Place(*slot, complete[slot], under_way[slot]) for slot in held]


def arm_counts(s: Session, study_version_id: int, *, now: datetime) -> dict[str, int]:
    """Return how many hold a place in each arm, over all versions of this version's stage."""
    silent = _silences(s, StudyVersion.id.in_(_same_stage(study_version_id)))
    rows = s.execute(
        select(Participant.arm, func.count())
        .where(Participant.study_version_id.in_(list(silent)), _holds(silent, now))
        .group_by(Participant.arm)
    )
    return {arm: count for arm, count in rows if arm is not None}


def kept_before(
    s: Session, study_version_id: int, *, participant_id: str, open_places: int, now: datetime
) -> int:
    """Return how many open places are kept for others who have consented, before this person.

    They are kept for those who consented first, each until CONSENTED_WITHIN after their last
    request; all together at most a CONSENTED_SHARE of the open places, at least one. So whoever
    only consents, however often, cannot close a study.
    """
    waiting = s.scalars(
        select(Participant.id)
        .where(
            Participant.study_version_id.in_(_same_stage(study_version_id)),
            Participant.status == "consented",
            Participant.last_seen_at >= now - CONSENTED_WITHIN,
        )
        .order_by(Participant.created_at, Participant.id)
        .limit(max(1, open_places // CONSENTED_SHARE))
    ).all()
    return 0 if participant_id in waiting else len(waiting)


def _silences(s: Session, versions: ColumnElement[bool]) -> dict[int, timedelta]:
    """By version how long somebody admitted to it may be silent and keep their place."""
    rows = s.execute(select(StudyVersion.id, StudyVersion.silence_s).where(versions))
    return {version: allowed_silence(seconds) for version, seconds in rows}


def allowed_silence(seconds: int | None) -> timedelta:
    """Return how long people may be silent by what their version stores; None: unsaid."""
    if seconds is None:
        return LONGEST_SILENCE
    return min(timedelta(seconds=seconds), LONGEST_SILENCE)


def _holds(silences: Mapping[int, timedelta], now: datetime) -> ColumnElement[bool]:
    admitted = (
        and_(
            Participant.status == "admitted",
            Participant.study_version_id.in_(_of(silences, silence)),
            Participant.last_seen_at >= now - silence,
        )
        for silence in set(silences.values())
    )
    return or_(false(), Participant.status == "complete", *admitted)


def _of(silences: Mapping[int, timedelta], silence: timedelta) -> Sequence[int]:
    return [version for version, own in silences.items() if own == silence]


def _same_stage(study_version_id: int) -> Select[int]:
    """The versions of the study that are of the same stage as this one."""
    one, other = aliased(StudyVersion), aliased(StudyVersion)
    return (
        select(other.id)
        .join(one, (one.study_id == other.study_id) & (one.stage == other.stage))
        .where(one.id == study_version_id)
    )
