"""Admission: a slot and a whole plan, drawn in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.canonical import canonical_json, sha256_hex
from db.errors import NotAdmissibleError, ParticipantNotFoundError, PlanError, StudyFullError
from db.models import Base, Participant, StudyVersionStimulus
from db.repository.embargo import require_open
from db.repository.participants import ParticipantInfo, participant
from db.repository.places import (
    UNLIMITED,
    Quota,
    Slot,
    arm_counts,
    kept_before,
    slot_counts,
)

_PRESENTATION, _FURTHER, _TRIAL = (
    Base.metadata.tables[name] for name in ("presentation", "further_picture", "trial")
)


@dataclass(frozen=True)
class PlannedTrial:
    """One question. `view` is all that the browser gets: {"prompt", "layout", "options"}.

    `shown_label` is the class that the question names in the data set's own words,
    `shown_label_index` the same class by its index.
    """

    task: str
    view: Mapping[str, Any]
    correct_option: str | None = None
    shown_label: str | None = None
    shown_label_index: int | None = None
    foil_policy: str | None = None


@dataclass(frozen=True)
class PlannedPresentation:
    """One showing. phase: practice | main; role: practice | main | catch.

    `stimulus_id` is the picture at place 0, `further` are those at places 1, 2, …
    """

    stimulus_id: str
    phase: str
    role: str
    condition: str
    block: int
    trials: tuple[PlannedTrial, ...]
    further: tuple[str, ...] = ()


Draw = Callable[[str, int, int], Sequence[PlannedPresentation]]  # arm, list, seed -> plan


def admit(
    s: Session,
    *,
    participant_id: str,
    slots: Sequence[Slot],
    draw: Draw,
    now: datetime,
    quota: Quota = UNLIMITED,
    plan_rules: int | None = None,
) -> ParticipantInfo:
    """Give a participant the least-filled slot and the plan drawn for it; again: no change.

    A slot is filled by those who completed it and those admitted to it and not silent for longer
    than the version allows (`places`); ties are broken by the participant's seed, so that the next
    slot cannot be guessed. Slots of an arm that has its quota are left out. `draw` runs while the
    write lock is held: it must be quick and depend on nothing but its arguments. `plan_rules`: the
    rules by which it draws, stored with the plan.
    Raises ParticipantNotFoundError, NotAdmissibleError (screened out, failed the check, timed out,
    returned), StudyClosedError unless the study is live (simulated versions are always open),
    StudyFullError, PlanError.
    """
    person = s.get(Participant, participant_id)
    if person is None:
        raise ParticipantNotFoundError("There is no such participant.")
    if person.status in ("admitted", "complete"):
        return participant(s, participant_id)
    if person.status != "consented":
        raise NotAdmissibleError("The participant has left the study.")
    require_open(participant(s, participant_id))
    open_slots = _open_slots(s, person, slots, quota, now)
    filled = slot_counts(s, person.study_version_id, now=now)
    arm, list_index = least_filled(filled, open_slots, person.seed)
    plan = tuple(draw(arm, list_index, person.seed))
    _check_plan(s, plan, person.study_version_id)
    _insert_plan(s, plan, participant_id)
    person.arm = arm
    person.list_index = list_index
    person.plan_hash = plan_hash(arm, list_index, plan)
    person.plan_rules = plan_rules
    person.status = "admitted"
    person.admitted_at = person.last_seen_at = now
    s.flush()
    return participant(s, participant_id)


def plan_hash(arm: str, list_index: int, plan: Sequence[PlannedPresentation]) -> str:
    """Return the SHA-256 of the canonical JSON of a plan with its slot: equal for equal plans."""
    content = {
        "arm": arm,
        "list_index": list_index,
        "presentations": [
            {**vars(planned), "trials": [vars(trial) for trial in planned.trials]}
            for planned in plan
        ],
    }
    return sha256_hex(canonical_json(content).encode())


def _open_slots(
    s: Session, person: Participant, slots: Sequence[Slot], quota: Quota, now: datetime
) -> Sequence[Slot]:
    """Return the slots that the quota and those who consented before leave to this person.

    Raises:
        StudyFullError: there is none.
    """
    if not slots:
        raise ValueError("a study needs at least one slot (arm, list)")
    if quota == UNLIMITED:
        return slots
    version = person.study_version_id
    arms = arm_counts(s, version, now=now)
    left = [slot for slot in slots if quota.per_arm is None or arms.get(slot[0], 0) < quota.per_arm]
    full = not left
    if quota.participants is not None and not full:
        open_places = quota.participants - sum(arms.values())
        full = open_places <= kept_before(
            s, version, participant_id=person.id, open_places=open_places, now=now
        )
    if full:
        raise StudyFullError("The study has enough participants now. Thank you for coming.")
    return left


def least_filled(filled: Mapping[Slot, int], slots: Sequence[Slot], seed: int) -> Slot:
    """Return the slot with the fewest people; of several, the one that the person's seed says."""

    def rank(slot: Slot) -> tuple[int, str]:
        return filled.get(slot, 0), sha256_hex(canonical_json([seed, *slot]).encode())

    return min(slots, key=rank)


def _check_plan(s: Session, plan: Sequence[PlannedPresentation], study_version_id: int) -> None:
    if not plan or any(not presentation.trials for presentation in plan):
        raise PlanError("The drawn plan has no presentation, or one without a question.")
    shown = {
        stimulus_id
        for presentation in plan
        for stimulus_id in (presentation.stimulus_id, *presentation.further)
    }
    known = s.scalars(
        select(StudyVersionStimulus.stimulus_id).where(
            StudyVersionStimulus.study_version_id == study_version_id,
            StudyVersionStimulus.stimulus_id.in_(shown),
        )
    )
    if unknown := shown.difference(known):
        raise PlanError(
            f"The drawn plan shows stimulus {min(unknown)}, which the study version does not have."
        )


def _insert_plan(s: Session, plan: Sequence[PlannedPresentation], participant_id: str) -> None:
    presentations: list[dict[str, Any]] = []
    further: list[dict[str, Any]] = []
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
        further += [
            {"presentation_id": presentation_id, "place": place, "stimulus_id": stimulus_id}
            for place, stimulus_id in enumerate(planned.further, start=1)
        ]
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
                    "shown_label_index": trial.shown_label_index,
                    "foil_policy": trial.foil_policy,
                }
            )
    # Past the ORM, which would take as long again: in a full lecture hall everybody begins at once.
    connection = s.connection()
    connection.execute(insert(_PRESENTATION), presentations)
    if further:
        connection.execute(insert(_FURTHER), further)
    connection.execute(insert(_TRIAL), trials)
