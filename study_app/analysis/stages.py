"""One stage of a study, as the researchers' page and the command line show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy.orm import Session

from db import export, repository
from db.repository import StudyVersionInfo, VersionCounts
from engine.analysis import basis
from engine.analysis.basis import Basis
from study_app import exclusions
from study_app.design import sizes
from study_app.design.sizes import Shown


@dataclass(frozen=True)
class StageView:
    """A stage of a study.

    Attributes:
        stage: its name.
        version: the newest version of it; of a stage without one, the study's newest.
        counts: people of each of its versions.
        people: who have consented, by stage, of all that the study has versions of.
        ratings_by_stage: of the same stages.
        ratings: the export's per-trial table of the stage.
        shown: what the conditions of `version` show.
    """

    stage: str
    version: StudyVersionInfo
    counts: Sequence[VersionCounts]
    people: Mapping[str, int]
    ratings_by_stage: Mapping[str, int]
    ratings: pd.DataFrame
    shown: Sequence[Shown] = ()

    def basis(self, *, with_excluded: bool = False) -> Basis:
        """Return what an estimate over the stage rests on."""
        people = self.people.get(self.stage, 0)
        return basis.basis(
            self.ratings, stage=self.stage, people=people, with_excluded=with_excluded
        )


def stage_view(s: Session, newest: StudyVersionInfo, stage: str | None = None) -> StageView:
    """Return a stage of a study, by default that of its `newest` version.

    Raises:
        ExportError: a version has an exclusion rule that this program does not know.
    """
    stage = stage or newest.stage
    counts = repository.counts(s, newest.name)
    of_stage = [row for row in counts if row.stage == stage]
    version = newest
    if of_stage and newest.stage != stage:
        version = repository.study_version(s, of_stage[-1].study_version_id)
    by_stage = export.stage_counts(s, newest.name)
    people = {name: sum(r.started for r in counts if r.stage == name) for name in by_stage}
    ratings = export.ratings(s, newest.name, judge=exclusions.judge, stage=stage)
    shown = shown_by(s, version)
    return StageView(stage, version, of_stage, people, by_stage, ratings, shown)


def shown_by(s: Session, version: StudyVersionInfo) -> list[Shown]:
    """Return what the conditions of a version show: how large disturbances are, how sure models."""
    stimuli = repository.stimuli_of(s, version.id)
    return sizes.shown(version.design, {each.stimulus_id: each.passport for each in stimuli})
