"""Serving a plan's trials and taking the answers: each stored once, never changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import Row, Select, bindparam, case, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from db.canonical import canonical_json
from db.errors import InvalidAttemptError, TrialNotFoundError
from db.models import (
    Base,
    FurtherPicture,
    Participant,
    Presentation,
    RefusedResponse,
    Response,
    Stimulus,
    Study,
    StudyStimulus,
    StudyVersion,
    Trial,
)
from db.repository.participants import conclude


@dataclass(frozen=True)
class Picture:
    """A picture as the browser gets it: its name in the address, its file's hash, its size."""

    opaque_id: str
    file_sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class TrialView:
    """A trial as its participant may see it: no condition, right answer or stimulus identity.

    `pictures` are those of its presentation, in the order shown.
    """

    trial_id: str
    position: int
    presentation_id: str
    presentation_index: int
    phase: str
    block: int
    task: str
    view: Mapping[str, Any]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Progress:
    """How far a participant is with the trials; there may be a form to come.

    Attributes:
        position: the first unanswered trial, `total` when there is none.
        answered, total: how many trials.
        presentations: how many showings they are about.
        complete: every trial is answered.
    """

    position: int
    answered: int
    total: int
    presentations: int
    complete: bool


@dataclass(frozen=True)
class Outcome:
    """What became of an answer, with what practice feedback needs. Not for the browser as it is.

    Attributes:
        status: `stored`: committed with this call. `duplicate`: the same answer was there already.
            `refused`: the trial holds a different answer; this one is only in the log.
        progress: with this answer.
        complete: the participant has done everything.
        phase, role, task, correct_option: of the trial.
    """

    status: Literal["stored", "duplicate", "refused"]
    progress: Progress
    complete: bool
    phase: str
    role: str
    task: str
    correct_option: str | None


# Every answer runs these. Built once: putting a statement together costs more than running it.
_PARTICIPANT, _TRIAL, _PRESENTATION, _RESPONSE = (
    Base.metadata.tables[name] for name in ("participant", "trial", "presentation", "response")
)
_ANSWERED = exists().where(_RESPONSE.c.trial_id == _TRIAL.c.id)
_PROGRESS = select(
    func.count(),
    func.coalesce(func.sum(case((_ANSWERED, 1), else_=0)), 0),
    func.min(case((_ANSWERED, None), else_=_TRIAL.c.position)),
    func.count(_TRIAL.c.presentation_id.distinct()),
).where(_TRIAL.c.participant_id == bindparam("participant"))
_OWN_TRIAL = (
    select(_TRIAL.c.task, _TRIAL.c.correct_option, _PRESENTATION.c.phase, _PRESENTATION.c.role)
    .join(_PRESENTATION, _PRESENTATION.c.id == _TRIAL.c.presentation_id)
    .where(_TRIAL.c.id == bindparam("trial"), _TRIAL.c.participant_id == bindparam("participant"))
)
_OWN_QUESTION = select(_TRIAL.c.task, _TRIAL.c.view_json).where(
    _TRIAL.c.id == bindparam("trial"), _TRIAL.c.participant_id == bindparam("participant")
)
_STATUS = select(_PARTICIPANT.c.status).where(_PARTICIPANT.c.id == bindparam("participant"))
_RELATED = select(
    _RESPONSE.c.event_id, _RESPONSE.c.trial_id, _RESPONSE.c.attempt, _RESPONSE.c.answer
).where(or_(_RESPONSE.c.event_id == bindparam("event"), _RESPONSE.c.trial_id == bindparam("trial")))
_STORE = insert(_RESPONSE)
_SEEN = (
    update(_PARTICIPANT)
    .where(_PARTICIPANT.c.id == bindparam("participant"))
    .values(last_seen_at=bindparam("now"))
)
_PICTURE = (StudyStimulus.opaque_id, Stimulus.file_sha256, Stimulus.width, Stimulus.height)
_ITS_NAME = (StudyStimulus.stimulus_id == Stimulus.stimulus_id) & (
    StudyStimulus.study_id == Participant.study_id
)


def trials_from(s: Session, *, participant_id: str, start: int, count: int) -> list[TrialView]:
    """Return at most `count` trials of a plan from position `start`; empty before admission."""
    rows = s.execute(
        _trial_views()
        .where(
            Trial.participant_id == participant_id,
            Trial.position >= start,
            Trial.position < start + count,
        )
        .order_by(Trial.position)
    ).all()
    further = _further_pictures(s, {row.presentation_id for row in rows})
    return [_view(row, further.get(row.presentation_id, ())) for row in rows]


def asked(s: Session, *, participant_id: str, trial_id: str) -> tuple[str, Mapping[str, Any]]:
    """Return the task of one of the participant's own trials, and the browser's view of it.

    Raises:
        TrialNotFoundError: the participant has no such trial.
    """
    row = _own(s, _OWN_QUESTION, participant_id, trial_id)
    return row.task, json.loads(row.view_json)


def progress(s: Session, participant_id: str) -> Progress:
    """Return how far a participant is; all zeros before admission or for an unknown participant."""
    row = s.connection().execute(_PROGRESS, {"participant": participant_id}).one()
    total, done, first_open, presentations = row
    return Progress(
        position=total if first_open is None else first_open,
        answered=done,
        total=total,
        presentations=presentations,
        complete=total > 0 and done == total,
    )


def record_response(
    s: Session,
    *,
    participant_id: str,
    event_id: str,
    trial_id: str,
    attempt: int,
    answer: str,
    answer_label: str,
    rt_ms: float | None,
    timing: Mapping[str, Any],
    display: Mapping[str, Any],
    now: datetime,
    completion_code: Callable[[], str | None],
    values: Mapping[str, Any] = MappingProxyType({}),
) -> Outcome:
    """Take one answer. The caller has checked that `answer` is one to the trial's question.

    The same answer again, under the same event id or the same attempt, is a duplicate. Another
    answer for an answered trial, or an event id used before for something else, is refused; that is
    an Outcome and not an exception, because an exception would undo the row in the log of refused
    answers. Trials may be answered in any order. With the last one the participant becomes
    complete and gets `completion_code()`, once; if that is None, something else is still to come,
    and whoever takes that calls `conclude`. `values` are what its question type makes of it.

    Raises:
        TrialNotFoundError: the participant has no such trial.
        InvalidAttemptError: the attempt is not 1, and there is no answer that it could repeat.
        ValueError: NaN or an infinity is in `values`, `timing` or `display`.
    """
    connection = s.connection()  # what is below is not the ORM's: half the work
    trial = _own(s, _OWN_TRIAL, participant_id, trial_id)
    status = _judge(s, event_id, trial_id, attempt, answer)
    if status == "stored":
        connection.execute(
            _STORE,
            {
                "event_id": event_id,
                "trial_id": trial_id,
                "attempt": attempt,
                "answer": answer,
                "answer_label": answer_label,
                "values_json": canonical_json(dict(values)),
                "rt_ms": rt_ms,
                "timing_json": canonical_json(timing),
                "display_json": canonical_json(display),
                "received_at": now,
            },
        )
    elif status == "refused":
        _log_refused(s, event_id, trial_id, attempt, answer, now)
    connection.execute(_SEEN, {"participant": participant_id, "now": now})
    state = progress(s, participant_id)
    return Outcome(
        status=status,
        progress=state,
        complete=state.complete and _complete(s, participant_id, completion_code, now),
        **trial._mapping,
    )


def _own(
    s: Session, wanted: Select[*tuple[Any, ...]], participant_id: str, trial_id: str
) -> Row[*tuple[Any, ...]]:
    """What is wanted of one of the participant's own trials. Raises TrialNotFoundError."""
    own = {"trial": trial_id, "participant": participant_id}
    row = s.connection().execute(wanted, own).first()
    if row is None:
        raise TrialNotFoundError("This participant has no such trial.")
    return row


def _judge(
    s: Session, event_id: str, trial_id: str, attempt: int, answer: str
) -> Literal["stored", "duplicate", "refused"]:
    given: dict[int, str] = {}
    for row in s.connection().execute(_RELATED, {"event": event_id, "trial": trial_id}):
        if row.event_id == event_id:
            same = (row.trial_id, row.answer) == (trial_id, answer)
            return "duplicate" if same else "refused"
        given[row.attempt] = row.answer
    if attempt in given:
        return "duplicate" if given[attempt] == answer else "refused"
    if attempt == 1:
        return "stored"
    if attempt < 1 or not given:
        raise InvalidAttemptError(
            f"Attempt {attempt} is not possible: a trial takes one answer, which is attempt 1."
        )
    return "duplicate" if given[max(given)] == answer else "refused"


def _log_refused(
    s: Session, event_id: str, trial_id: str, attempt: int, answer: str, now: datetime
) -> None:
    """Log a refused answer once, however often it is sent again."""
    logged = s.scalar(
        select(RefusedResponse.id).where(
            RefusedResponse.trial_id == trial_id,
            RefusedResponse.event_id == event_id,
            RefusedResponse.attempt == attempt,
            RefusedResponse.answer == answer,
        )
    )
    if logged is None:
        s.add(
            RefusedResponse(
                trial_id=trial_id,
                event_id=event_id,
                attempt=attempt,
                answer=answer,
                received_at=now,
            )
        )


def _complete(
    s: Session, participant_id: str, completion_code: Callable[[], str | None], now: datetime
) -> bool:
    """Return whether somebody who has answered everything is complete, now or since before."""
    status = s.connection().scalar(_STATUS, {"participant": participant_id})
    if status == "complete":
        return True
    code = completion_code()
    if code is None:
        return False
    conclude(s, participant_id=participant_id, status="complete", completion_code=code, now=now)
    return True


def _trial_views() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Trial.id,
            Trial.position,
            Trial.presentation_id,
            Presentation.presentation_index,
            Presentation.phase,
            Presentation.block,
            Trial.task,
            Trial.view_json,
            *_PICTURE,
        )
        .join(Presentation, Presentation.id == Trial.presentation_id)
        .join(Participant, Participant.id == Trial.participant_id)
        .join(Stimulus, Stimulus.stimulus_id == Presentation.stimulus_id)
        .join(StudyStimulus, _ITS_NAME)
    )


def first_answers(s: Session, study_name: str) -> dict[int, datetime]:
    """Return when the first answer to each version of a study came, by the version's number.

    Answers to any trial, practice included; versions without one are not there.
    """
    rows = s.execute(
        select(StudyVersion.version, func.min(Response.received_at))
        .join(Participant, Participant.study_version_id == StudyVersion.id)
        .join(Study, Study.id == StudyVersion.study_id)
        .join(Trial, Trial.participant_id == Participant.id)
        .join(Response, Response.trial_id == Trial.id)
        .where(Study.name == study_name)
        .group_by(StudyVersion.version)
    )
    return {row.version: row[1] for row in rows}


def _further_pictures(
    s: Session, presentation_ids: Iterable[str]
) -> dict[str, tuple[Picture, ...]]:
    rows = s.execute(
        select(FurtherPicture.presentation_id, *_PICTURE)
        .join(Presentation, Presentation.id == FurtherPicture.presentation_id)
        .join(Participant, Participant.id == Presentation.participant_id)
        .join(Stimulus, Stimulus.stimulus_id == FurtherPicture.stimulus_id)
        .join(StudyStimulus, _ITS_NAME)
        .where(FurtherPicture.presentation_id.in_(presentation_ids))
        .order_by(FurtherPicture.presentation_id, FurtherPicture.place)
    )
    found: dict[str, tuple[Picture, ...]] = {}
    for row in rows:
        picture = Picture(row.opaque_id, row.file_sha256, row.width, row.height)
        found[row.presentation_id] = (*found.get(row.presentation_id, ()), picture)
    return found


def _view(row: Any, further: tuple[Picture, ...]) -> TrialView:
    return TrialView(
        trial_id=row.id,
        position=row.position,
        presentation_id=row.presentation_id,
        presentation_index=row.presentation_index,
        phase=row.phase,
        block=row.block,
        task=row.task,
        view=json.loads(row.view_json),
        pictures=(Picture(row.opaque_id, row.file_sha256, row.width, row.height), *further),
    )
