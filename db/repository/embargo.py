"""Who may still be taking part in a study, and what is held back from the public while they may.

Both are one rule, `may_go_on`: what is shown to the public and who may still answer cannot drift
apart. A study's status says whether it takes people; it does not say that nobody is under way.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, overload

from sqlalchemy import ColumnElement, case, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.errors import StudyClosedError
from db.models import Participant, Stimulus, Study, StudyVersion, StudyVersionStimulus
from db.models.studies import SIMULATED
from db.repository.participants import ParticipantInfo
from db.repository.places import ACTIVE_WITHIN

# The gallery looks from outside the transaction that takes an answer: one given in the last moment
# is committed a little later, and the clocks of two servers differ.
LEEWAY = timedelta(minutes=1)

# Where a placebo's passport names the image whose map it shows.
_FOREIGN = "shown_image_id"

# People who have left for good. Their answers stay, no further ones are taken.
OVER = ("timed_out", "returned")


@dataclass(frozen=True)
class Embargo:
    """What is held back of a study's source images, and by whom.

    images: how many of them are held back. under_way: people admitted to any version, not finished
    and seen within ACTIVE_WITHIN; simulated ones are none. until: when these hold nothing back any
    longer, unless they answer something more or the study is live; None if there is nobody to wait
    for. others: further studies that show some of the same images and hold them back, by name.
    """

    images: int
    under_way: int
    until: datetime | None
    others: tuple[str, ...]


@overload
def may_go_on(live: bool, status: str, last_seen_at: datetime, seen_since: datetime) -> bool: ...


@overload
def may_go_on(
    live: ColumnElement[bool],
    status: InstrumentedAttribute[str],
    last_seen_at: InstrumentedAttribute[datetime],
    seen_since: datetime,
) -> ColumnElement[bool]: ...


def may_go_on(live: Any, status: Any, last_seen_at: Any, seen_since: datetime) -> Any:
    """Whether somebody may go on with their trials; of values, or of columns as a condition.

    While the study is live, whoever is admitted and has not finished; afterwards only those who
    were seen since `seen_since`.
    """
    return (status == "admitted") & (live | (last_seen_at >= seen_since))


def state_of(person: ParticipantInfo, *, now: datetime) -> str:
    """A participant's status; `timed_out` also for an admitted one who may not go on any more."""
    if person.status == "admitted" and not may_go_on(
        person.study_status == "live", person.status, person.last_seen_at, now - ACTIVE_WITHIN
    ):
        return "timed_out"
    return person.status


def end_if_over(s: Session, person: ParticipantInfo, *, now: datetime) -> bool:
    """Whether a participation is over; then it stays so, also if the study is opened again.

    person: as read in this transaction. When they were seen last is left as it is.
    """
    state = state_of(person, now=now)
    if state != person.status:
        s.execute(update(Participant).where(Participant.id == person.id).values(status=state))
    return state in OVER


def require_open(person: ParticipantInfo) -> None:
    """Raise StudyClosedError for somebody who has consented to a study that admits nobody now.

    Simulated versions are always open.
    """
    if person.status == "consented" and not (
        person.study_status == "live" or person.stage == SIMULATED
    ):
        raise StudyClosedError("The study is not open any more. Thank you for your interest.")


def embargoed_image_ids(s: Session, *, now: datetime) -> set[str]:
    """Return the source images that nobody may see.

    They are those of all versions of every study that is live, or that somebody may still be
    taking part in.
    """
    return _image_ids(s, _holding(s, now))


def embargo(s: Session, study_id: int, *, now: datetime) -> Embargo:
    """What is held back of one study's source images at `now`."""
    own = _image_ids(s, [study_id])
    holding = {each: _image_ids(s, [each]) for each in _holding(s, now)}
    others = [each for each, held in holding.items() if each != study_id and own & held]
    within_hour = case((Participant.last_seen_at >= now - ACTIVE_WITHIN, 1), else_=0)
    under_way, last_seen = s.execute(
        select(func.coalesce(func.sum(within_hour), 0), func.max(Participant.last_seen_at)).where(
            Participant.study_id == study_id,
            Participant.status == "admitted",
            Participant.last_seen_at >= now - ACTIVE_WITHIN - LEEWAY,
            _real(),
        )
    ).one()
    return Embargo(
        images=len(own & set().union(*holding.values())),
        under_way=under_way,
        until=None if last_seen is None else last_seen + ACTIVE_WITHIN + LEEWAY,
        others=tuple(
            s.scalars(select(Study.name).where(Study.id.in_(others)).order_by(Study.name))
        ),
    )


def _holding(s: Session, now: datetime) -> list[int]:
    """The studies that hold their images back at `now`."""
    live = Study.status == "live"
    going_on = may_go_on(
        live, Participant.status, Participant.last_seen_at, now - ACTIVE_WITHIN - LEEWAY
    )
    somebody = exists().where(Participant.study_id == Study.id, going_on, _real())
    return list(s.scalars(select(Study.id).where(or_(live, somebody))))


def _real() -> ColumnElement[bool]:
    """The condition that a participant is no simulated one: those cannot be told too much."""
    simulated = select(StudyVersion.id).where(StudyVersion.stage == SIMULATED)
    return Participant.study_version_id.not_in(simulated)


def _image_ids(s: Session, study_ids: Sequence[int]) -> set[str]:
    """The source images of all stimuli of these studies, and those whose map one of them shows.

    A placebo may be another image's map: the gallery has the same map at that image. What only
    simulated people are shown is not among them.
    """
    if not study_ids:
        return set()
    used = Stimulus.stimulus_id.in_(
        select(StudyVersionStimulus.stimulus_id)
        .join(StudyVersion, StudyVersion.id == StudyVersionStimulus.study_version_id)
        .where(StudyVersion.study_id.in_(study_ids), StudyVersion.stage != SIMULATED)
    )
    own = select(Stimulus.image_id).where(used).distinct()
    foreign = select(Stimulus.passport_json).where(
        used, Stimulus.passport_json.contains(f'"{_FOREIGN}":', autoescape=True)
    )
    shown = (json.loads(passport)["saliency"][_FOREIGN] for passport in s.scalars(foreign))
    return {*s.scalars(own), *shown}
