"""Which stages of a study hold ratings, and which one is meant where none is named."""

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import Participant, Study, StudyVersion, Trial, rating
from db.models.studies import STAGES


def stage_counts(session: Session, study_name: str) -> dict[str, int]:
    """Ratings of each stage that a study has a version of, in the order of STAGES."""
    rows = session.execute(
        select(StudyVersion.stage, func.count(rating.c.trial_id))
        .join(Study, Study.id == StudyVersion.study_id)
        .outerjoin(Participant, Participant.study_version_id == StudyVersion.id)
        .outerjoin(Trial, Trial.participant_id == Participant.id)
        .outerjoin(rating, rating.c.trial_id == Trial.id)
        .where(Study.name == study_name)
        .group_by(StudyVersion.stage)
    )
    held = {row.stage: int(row[1]) for row in rows}
    return {stage: held[stage] for stage in STAGES if stage in held}


def default_stage(ratings_by_stage: Mapping[str, int], newest: str) -> str:
    """Return which stage is meant where none is named: main, where anybody has answered in it.

    Else that of the newest version. So a pilot that is launched later hides nothing.

    Args:
        ratings_by_stage: `stage_counts` of the study.
        newest: the stage of its newest version.
    """
    return "main" if ratings_by_stage.get("main") else newest
