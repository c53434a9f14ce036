"""Admission: a slot and a whole plan, drawn in one transaction."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, insert, or_, select
from sqlalchemy.orm import Session

from db.canonical import canonical_json, sha256_hex
from db.errors import NotAdmissibleError, ParticipantNotFoundError, PlanError
from db.models import Participant, Presentation, StudyVersionStimulus, Trial
from db.repository.participants import ParticipantInfo, participant

# Somebody silent for longer than this has left, and their slot may go to another.
ACTIVE_WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class PlannedTrial:
    """One question. `view` is all that the browser gets: {"prompt", "layout", "options"}."""

    task: str
    view: Mapping[str, Any]
    correct_option: str | None = None
    shown_label: str | None = None
    foil_policy: str | None = None


@dataclass(frozen=True)
class PlannedPresentation:
    """One showing. phase: practice | main; role: practice | main | catch | repeat."""

    stimulus_id: str
    phase: str
    role: str
    condition: str
    block: int
    trials: tuple[PlannedTrial, ...]


Slot = tuple[str, int]  # arm, list
Draw = Callable[[str, int, int], Sequence[PlannedPresentation]]  # arm, list, seed -> plan


def admit(
    s: Session,
    *,
    participant_id: str,
    slots: Sequence[Slot],
    draw: Draw,
    now: datetime,
    active_within: timedelta = ACTIVE_WITHIN,
) -> ParticipantInfo:
    """Give a participant the least-filled slot and the plan drawn for it; again: no change.

    A slot is filled by those who completed it and those admitted to it and seen within
    `active_within`, per study version; ties are broken by the participant's seed, so that the next
    slot cannot be guessed. `draw` runs while the write lock is held: it must be quick and depend on
    nothing but its arguments.
    Raises ParticipantNotFoundError, NotAdmissibleError (timed out, returned), PlanError.
    """
    person = s.get(Participant, participant_id)
    if person is None:
        raise ParticipantNotFoundError("There is no such participant.")
    if person.status in ("admitted", "complete"):
        return participant(s, participant_id)
    if person.status != "consented":
        raise NotAdmissibleError("The participant has left the study.")
    arm, list_index = _least_filled(s, person, slots, now - active_within)
    plan = tuple(draw(arm, list_index, person.seed))
    _check_plan(s, plan, person.study_version_id)
    _insert_plan(s, plan, participant_id)
    person.arm = arm
    person.list_index = list_index
    person.plan_hash = plan_hash(arm, list_index, plan)
    person.status = "admitted"
    person.admitted_at = person.last_seen_at = now
    s.flush()
    return participant(s, participant_id)


def plan_hash(arm: str, list_index: int, plan: Sequence[PlannedPresentation]) -> str:
    """SHA-256 of the canonical JSON of a plan with its slot: equal plans have equal hashes."""
    content = {
        "arm": arm,
        "list_index": list_index,
        "presentations": [asdict(presentation) for presentation in plan],
    }
    return sha256_hex(canonical_json(content).encode())


def slot_counts(
    s: Session, study_version_id: int, *, now: datetime, active_within: timedelta = ACTIVE_WITHIN
) -> dict[Slot, int]:
    """How many hold each slot, as `admit` counts them; slots that nobody holds are absent."""
    return _filled(s, study_version_id, now - active_within)


def _least_filled(
    s: Session, person: Participant, slots: Sequence[Slot], seen_since: datetime
) -> Slot:
    if not slots:
        raise ValueError("a study needs at least one slot (arm, list)")
    filled = _filled(s, person.study_version_id, seen_since)

    def rank(slot: Slot) -> tuple[int, str]:
        return filled.get(slot, 0), sha256_hex(canonical_json([person.seed, *slot]).encode())

    return min(slots, key=rank)


def _filled(s: Session, study_version_id: int, seen_since: datetime) -> dict[Slot, int]:
    rows = s.execute(
        select(Participant.arm, Participant.list_index, func.count())
        .where(
            Participant.study_version_id == study_version_id,
            or_(
                Participant.status == "complete",
                and_(Participant.status == "admitted", Participant.last_seen_at >= seen_since),
            ),
        )
        .group_by(Participant.arm, Participant.list_index)
    )
    return {
        (arm, index): count for arm, index, count in rows if arm is not None and index is not None
    }


def _check_plan(s: Session, plan: Sequence[PlannedPresentation], study_version_id: int) -> None:
    if not plan or any(not presentation.trials for presentation in plan):
        raise PlanError("The drawn plan has no presentation, or one without a question.")
    known = set(
        s.scalars(
            select(StudyVersionStimulus.stimulus_id).where(
                StudyVersionStimulus.study_version_id == study_version_id
            )
        )
    )
    for presentation in plan:
        if presentation.stimulus_id not in known:
            raise PlanError(
                f"The drawn plan shows stimulus {presentation.stimulus_id}, "
                "which the study version does not have."
            )


def _insert_plan(s: Session, plan: Sequence[PlannedPresentation], participant_id: str) -> None:
    presentations: list[dict[str, Any]] = []
    trials: list[dict[str, Any]] = []
    for index, planned in enumerate(plan):
        presentation_id = secrets.token_hex(16)
        presentations.append(
            {
                "id": presentation_id,
                "participant_id": participant_id,
                "presentation_index": index,
                "stimulus_id": planned.stimulus_id,
                "phase": planned.phase,
                "role": planned.role,
                "condition": planned.condition,
                "block": planned.block,
            }
        )
        for trial in planned.trials:
            trials.append(
                {
                    "id": secrets.token_hex(16),
                    "presentation_id": presentation_id,
                    "participant_id": participant_id,
                    "position": len(trials),
                    "task": trial.task,
                    "view_json": canonical_json(trial.view),
                    "correct_option": trial.correct_option,
                    "shown_label": trial.shown_label,
                    "foil_policy": trial.foil_policy,
                }
            )
    s.execute(insert(Presentation), presentations)
    s.execute(insert(Trial), trials)
