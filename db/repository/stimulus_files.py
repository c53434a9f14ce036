"""The PNG files of stimuli: of one by its name in a study, of several by their ids."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Stimulus, StudyStimulus


def stimulus_png(s: Session, opaque_id: str) -> bytes | None:
    """Return the PNG file behind a study's opaque id, or None."""
    return s.scalar(
        select(Stimulus.png)
        .join(StudyStimulus, StudyStimulus.stimulus_id == Stimulus.stimulus_id)
        .where(StudyStimulus.opaque_id == opaque_id)
    )


def stimulus_pngs(s: Session, stimulus_ids: Collection[str]) -> dict[str, bytes]:
    """Return the PNG files of these stimuli, by id; those that are not there are left out."""
    rows = s.execute(
        select(Stimulus.stimulus_id, Stimulus.png).where(Stimulus.stimulus_id.in_(stimulus_ids))
    )
    return {row.stimulus_id: row.png for row in rows}
