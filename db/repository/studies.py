"""Publishing studies and their stimuli, and finding them again."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.orm import Session

from db.canonical import canonical_json, sha256_hex
from db.errors import StimulusConflictError, StudyNotFoundError
from db.models import (
    Participant,
    Stimulus,
    Study,
    StudyStimulus,
    StudyVersion,
    StudyVersionStimulus,
    Tombstone,
)
from db.models.studies import SIMULATED, STAGES, STUDY_STATUSES


@dataclass(frozen=True)
class StimulusRow:
    """A stimulus as the engine made it. Hashes are lowercase hexadecimal SHA-256.

    `passport_json` is the passport's canonical text and is stored as it is.
    """

    stimulus_id: str
    pixels_sha256: str
    file_sha256: str
    image_id: str
    passport_json: str
    png: bytes
    width: int
    height: int


@dataclass(frozen=True)
class StudyStimulusInfo:
    """A stimulus of a study without its pixels; `opaque_id` is its name in addresses."""

    stimulus_id: str
    opaque_id: str
    pixels_sha256: str
    file_sha256: str
    image_id: str
    passport: Mapping[str, Any]
    width: int
    height: int


@dataclass(frozen=True)
class StudyVersionInfo:
    """One version of a study. `id` is the version's, `status` the whole study's."""

    id: int
    study_id: int
    name: str
    status: str
    version: int
    stage: str
    content_sha256: str
    config: Mapping[str, Any]
    design: Mapping[str, Any]
    frozen: bool
    created_at: datetime


@dataclass(frozen=True)
class StudyVersionName:
    """Which version of which study; `content_sha256` is of all that the version holds."""

    id: int
    name: str
    version: int
    content_sha256: str


@dataclass(frozen=True)
class VersionCounts:
    """People of one study version whose data are held, and those who withdrew.

    Attributes:
        started, admitted, completed: consented, got a plan, did everything; each contains the next.
        screened_out, failed_check: started, and never admitted.
        withdrawn: people who are in none of the others.
    """

    study_version_id: int
    version: int
    stage: str
    started: int
    admitted: int
    completed: int
    withdrawn: int
    screened_out: int = 0
    failed_check: int = 0


def publish_study(
    s: Session,
    *,
    name: str,
    config: Mapping[str, Any],
    design: Mapping[str, Any],
    stage: str,
    stimuli: Sequence[StimulusRow],
    content_sha256: str,
    now: datetime,
    silence: timedelta | None = None,
) -> StudyVersionInfo:
    """Store a study; the first publication makes a draft.

    If the newest version has this content and stage, it is returned and nothing is written; else
    the next version is made. The newest of people's stages and the newest simulated one do not
    count for each other. A stimulus keeps its opaque id through all versions of the study.
    `silence`: how long people may be silent and keep their place; None: LONGEST_SILENCE.

    Raises:
        StimulusConflictError: a stimulus does not match its hashes.
    """
    if stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}; known: {', '.join(STAGES)}")
    newest = newest_version(s, name, simulated=stage == SIMULATED)
    if newest and (newest.content_sha256, newest.stage) == (content_sha256, stage):
        return newest
    known = study(s, name)
    study_id, status = (known.study_id, known.status) if known else _draft(s, name, now)
    last = s.scalar(select(func.max(StudyVersion.version)).where(StudyVersion.study_id == study_id))
    version = StudyVersion(
        study_id=study_id,
        version=(last or 0) + 1,
        content_sha256=content_sha256,
        config_json=canonical_json(config),
        design_json=canonical_json(design),
        stage=stage,
        silence_s=None if silence is None else int(silence.total_seconds()),
        frozen=status == "live" and stage != SIMULATED,
        created_at=now,
    )
    s.add(version)
    s.flush()
    unique = {stimulus.stimulus_id: stimulus for stimulus in stimuli}
    _store_stimuli(s, unique)
    of_study = select(StudyStimulus.stimulus_id).where(StudyStimulus.study_id == study_id)
    named = set(s.scalars(of_study))
    s.add_all(
        StudyStimulus(opaque_id=secrets.token_hex(16), study_id=study_id, stimulus_id=stimulus_id)
        for stimulus_id in unique
        if stimulus_id not in named
    )
    s.add_all(
        StudyVersionStimulus(study_version_id=version.id, stimulus_id=stimulus_id)
        for stimulus_id in unique
    )
    s.flush()
    return study_version(s, version.id)


def _draft(s: Session, name: str, now: datetime) -> tuple[int, str]:
    """Add a study of which nothing is published yet; return its id and status."""
    row = Study(name=name, status="draft", created_at=now)
    s.add(row)
    s.flush()
    return row.id, row.status


def set_study_status(s: Session, *, name: str, status: str) -> StudyVersionInfo:
    """Open (live), close (closed) or put back (draft) a study; opening freezes its version.

    Raises:
        StudyNotFoundError: there is no such study.
    """
    if status not in STUDY_STATUSES:
        raise ValueError(f"unknown status {status!r}; known: {', '.join(STUDY_STATUSES)}")
    newest = study(s, name)
    if newest is None:
        raise StudyNotFoundError(f"There is no study {name!r}.")
    s.execute(update(Study).where(Study.id == newest.study_id).values(status=status))
    if status == "live" and newest.stage != SIMULATED:
        s.execute(update(StudyVersion).where(StudyVersion.id == newest.id).values(frozen=True))
    return study_version(s, newest.id)


def study(s: Session, name: str) -> StudyVersionInfo | None:
    """Return the newest version of the study called `name`, or None.

    A simulated one is returned only where there is no other: it never stands for the study.
    """
    return newest_version(s, name, simulated=False) or newest_version(s, name, simulated=True)


def newest_version(s: Session, name: str, *, simulated: bool) -> StudyVersionInfo | None:
    """Return the newest version for people, or the newest for simulated ones; None: there is none.

    Whoever comes by a public address is to get one for people.
    """
    stage = StudyVersion.stage
    row = s.execute(
        select(Study, StudyVersion)
        .join(StudyVersion, StudyVersion.study_id == Study.id)
        .where(Study.name == name, stage == SIMULATED if simulated else stage != SIMULATED)
        .order_by(StudyVersion.version.desc())
        .limit(1)
    ).first()
    return None if row is None else _info(*row)


def study_version(s: Session, study_version_id: int) -> StudyVersionInfo:
    """Return a version by its id, such as the one consented to.

    Raises:
        StudyNotFoundError: there is none.
    """
    row = s.execute(
        select(Study, StudyVersion)
        .join(StudyVersion, StudyVersion.study_id == Study.id)
        .where(StudyVersion.id == study_version_id)
    ).first()
    if row is None:
        raise StudyNotFoundError(f"There is no study version with the id {study_version_id}.")
    return _info(*row)


def study_version_name(s: Session, study_version_id: int) -> StudyVersionName:
    """A version's name by its id, without its documents. Raises StudyNotFoundError."""
    row = s.execute(
        select(StudyVersion.id, Study.name, StudyVersion.version, StudyVersion.content_sha256)
        .join(Study, Study.id == StudyVersion.study_id)
        .where(StudyVersion.id == study_version_id)
    ).first()
    if row is None:
        raise StudyNotFoundError(f"There is no study version with the id {study_version_id}.")
    return StudyVersionName(*row)


def study_config(s: Session, study_version_id: int) -> Mapping[str, Any]:
    """Return the study file of a version, resolved.

    Raises:
        StudyNotFoundError: there is no such version.
    """
    text = s.scalar(select(StudyVersion.config_json).where(StudyVersion.id == study_version_id))
    if text is None:
        raise StudyNotFoundError(f"There is no study version with the id {study_version_id}.")
    return _document(text)


def study_names(s: Session) -> list[str]:
    """Return names of all studies, sorted."""
    return list(s.scalars(select(Study.name).order_by(Study.name)))


def stimuli_of(s: Session, study_version_id: int) -> list[StudyStimulusInfo]:
    """Return the stimuli of a study version, by stimulus id, without their pixels."""
    rows = s.execute(
        select(
            Stimulus.stimulus_id,
            StudyStimulus.opaque_id,
            Stimulus.pixels_sha256,
            Stimulus.file_sha256,
            Stimulus.image_id,
            Stimulus.passport_json,
            Stimulus.width,
            Stimulus.height,
        )
        .join(StudyVersionStimulus, StudyVersionStimulus.stimulus_id == Stimulus.stimulus_id)
        .join(StudyVersion, StudyVersion.id == StudyVersionStimulus.study_version_id)
        .join(
            StudyStimulus,
            (StudyStimulus.stimulus_id == Stimulus.stimulus_id)
            & (StudyStimulus.study_id == StudyVersion.study_id),
        )
        .where(StudyVersion.id == study_version_id)
        .order_by(Stimulus.stimulus_id)
    )
    return [
        StudyStimulusInfo(
            stimulus_id=row.stimulus_id,
            opaque_id=row.opaque_id,
            pixels_sha256=row.pixels_sha256,
            file_sha256=row.file_sha256,
            image_id=row.image_id,
            passport=json.loads(row.passport_json),
            width=row.width,
            height=row.height,
        )
        for row in rows
    ]


def counts(s: Session, study_name: str) -> list[VersionCounts]:
    """Return how far people came in each version, the oldest first; empty if unknown."""
    people = (
        select(
            Participant.study_version_id,
            func.count().label("started"),
            func.count(Participant.admitted_at).label("admitted"),
            func.count(Participant.completed_at).label("completed"),
            *(
                func.sum(case((Participant.status == status, 1), else_=0)).label(status)
                for status in ("screened_out", "failed_check")
            ),
        )
        .group_by(Participant.study_version_id)
        .subquery()
    )
    gone = (
        select(Tombstone.study_version_id, func.count().label("withdrawn"))
        .group_by(Tombstone.study_version_id)
        .subquery()
    )
    rows = s.execute(
        select(
            StudyVersion.id,
            StudyVersion.version,
            StudyVersion.stage,
            func.coalesce(people.c.started, 0),
            func.coalesce(people.c.admitted, 0),
            func.coalesce(people.c.completed, 0),
            func.coalesce(gone.c.withdrawn, 0),
            func.coalesce(people.c.screened_out, 0),
            func.coalesce(people.c.failed_check, 0),
        )
        .join(Study, Study.id == StudyVersion.study_id)
        .outerjoin(people, people.c.study_version_id == StudyVersion.id)
        .outerjoin(gone, gone.c.study_version_id == StudyVersion.id)
        .where(Study.name == study_name)
        .order_by(StudyVersion.version)
    )
    return [VersionCounts(*row) for row in rows]


def _store_stimuli(s: Session, stimuli: Mapping[str, StimulusRow]) -> None:
    """Insert the stimuli that are not there yet; refuse what contradicts itself or the database."""
    held = {
        row.stimulus_id: (row.pixels_sha256, row.file_sha256)
        for row in s.execute(
            select(Stimulus.stimulus_id, Stimulus.pixels_sha256, Stimulus.file_sha256).where(
                Stimulus.stimulus_id.in_(list(stimuli))
            )
        )
    }
    fresh = []
    for stimulus_id, row in stimuli.items():
        if sha256_hex(row.png) != row.file_sha256:
            raise StimulusConflictError(f"The PNG of stimulus {stimulus_id} has another SHA-256.")
        if json.loads(row.passport_json)["source"]["image_id"] != row.image_id:
            raise StimulusConflictError(
                f"The passport of stimulus {stimulus_id} names another source image."
            )
        before = held.get(stimulus_id)
        if before is None:
            fresh.append(vars(row))
        elif before != (row.pixels_sha256, row.file_sha256):
            raise StimulusConflictError(f"Stimulus {stimulus_id} is stored with other pixels.")
    if fresh:
        s.execute(insert(Stimulus), fresh)


def _info(study: Study, version: StudyVersion) -> StudyVersionInfo:
    return StudyVersionInfo(
        id=version.id,
        study_id=study.id,
        name=study.name,
        status=study.status,
        version=version.version,
        stage=version.stage,
        content_sha256=version.content_sha256,
        config=_document(version.config_json),
        design=_document(version.design_json),
        frozen=version.frozen,
        created_at=version.created_at,
    )


@lru_cache(maxsize=16)
def _document(text: str) -> Mapping[str, Any]:
    """Parse a version's document once: it is large, never changes, and every admission wants it."""
    parsed: Mapping[str, Any] = json.loads(text)
    return parsed
