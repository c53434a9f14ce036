"""Simulated people of a study: how many are stored, and how they go."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.models import Participant, Study, StudyVersion, Tombstone
from db.models.studies import SIMULATED
from db.repository.studies import counts


def simulated_people(s: Session, name: str) -> int:
    """Return how many simulated people of a study are stored, or were and withdrew."""
    rows = [row for row in counts(s, name) if row.stage == SIMULATED]
    return sum(row.started + row.withdrawn for row in rows)


def delete_simulated(s: Session, name: str) -> None:
    """Delete all simulated people of a study with what they answered; its versions stay."""
    versions = (
        select(StudyVersion.id)
        .join(Study, Study.id == StudyVersion.study_id)
        .where(Study.name == name, StudyVersion.stage == SIMULATED)
    )
    s.execute(delete(Participant).where(Participant.study_version_id.in_(versions)))
    s.execute(delete(Tombstone).where(Tombstone.study_version_id.in_(versions)))
