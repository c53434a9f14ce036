"""One stage of a study, as the researchers' page and the command line show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy.orm import Session

from db import export, repository
from db.repository import StudyVersionInfo, VersionCounts
from engine.analysis import basis
from engine.analysis.basis import Basis
from engine.errors import UsageError
from study_app import exclusions
from study_app.design import sizes
from study_app.design.sizes import Shown
from study_app.outcomes.scoring import score
from study_app.study import Difference, briefly, differences, study_of

MOST_TOLD = 3
"""Differences of a version that are named; the others are counted."""


@dataclass(frozen=True)
class LeftOut:
    """A version of the stage whose ratings are not counted.

    Attributes:
        version: its number.
        ratings: how many it has.
        differences: what means something else in it than in the versions that are counted; empty
            where only others were asked for.
    """

    version: int
    ratings: int
    differences: Sequence[Difference]


@dataclass(frozen=True)
class StageView:
    """A stage of a study: those of its versions whose answers mean the same.

    Attributes:
        stage: its name.
        version: the newest of the versions that are counted; of a stage without one, the study's.
        versions: numbers of those that are counted, of all that anybody came to.
        counts: people of each of them.
        people: who have consented, by stage, of all that the study has versions of.
        ratings_by_stage: of the same stages.
        ratings: the export's per-trial table of the versions that are counted.
        shown: what the conditions of `version` show.
        left_out: other versions of the stage that have ratings.
        answered: numbers of all versions of the stage that have ratings.
    """

    stage: str
    version: StudyVersionInfo
    versions: Sequence[int]
    counts: Sequence[VersionCounts]
    people: Mapping[str, int]
    ratings_by_stage: Mapping[str, int]
    ratings: pd.DataFrame
    shown: Sequence[Shown] = ()
    left_out: Sequence[LeftOut] = ()
    answered: Sequence[int] = ()

    def basis(self, *, with_excluded: bool = False) -> Basis:
        """Return what an estimate over the counted versions rests on."""
        people = sum(row.started for row in self.counts)
        return basis.basis(
            self.ratings, stage=self.stage, people=people, with_excluded=with_excluded
        )

    def named(self) -> str:
        """Return which stage it is, and which versions where there are several."""
        if len(self.answered) < 2:
            return f"stage {self.stage}"
        return f"stage {self.stage}, {self.numbers()}"

    def numbers(self) -> str:
        """Return in words which versions are counted that anybody has answered."""
        pooled = [number for number in self.versions if number in self.answered]
        if len(pooled) > 1:
            return f"versions {_listed(pooled)}"
        return f"version {(pooled or [self.version.version])[0]}"

    def sentences(self) -> list[str]:
        """Return which versions are counted together, and which are not, and why."""
        said = []
        pooled = [number for number in self.versions if number in self.answered]
        if len(pooled) > 1:
            said.append(f"Counted together: {self.numbers()}, which mean the same.")
        for other in self.left_out:
            told = [str(each) for each in other.differences[:MOST_TOLD]]
            more = len(other.differences) - len(told)
            told += [f"{more} more differences" if more > 1 else "1 more difference"] * (more > 0)
            why = f", which means something else ({'; '.join(told)})" if told else ""
            count = f"{other.ratings} rating{'s' * (other.ratings != 1)}"
            said.append(f"Not counted: {count} of version {other.version}{why}.")
        return said


def stage_view(
    s: Session,
    newest: StudyVersionInfo,
    stage: str | None = None,
    versions: Collection[int] = (),
) -> StageView:
    """Return a stage of a study: versions whose answers mean the same.

    Args:
        s: the session.
        newest: the study's newest version.
        stage: which; None: `db.export.default_stage`.
        versions: numbers of versions to count, which must mean the same. None given: the newest one
            that anybody has answered, and all that mean the same as it does.

    Raises:
        UsageError: there is no such version in the stage, or they mean different things.
        ExportError: a version has an exclusion rule that this program does not know.
    """
    by_stage = export.stage_counts(s, newest.name)
    stage = stage or export.default_stage(by_stage, newest.stage)
    counts = repository.counts(s, newest.name)
    of_stage = {row.version: row for row in counts if row.stage == stage}
    ratings = export.ratings(s, newest.name, judge=exclusions.judge, score=score, stage=stage)
    held = Counter(ratings["study_version"].tolist())
    _require_known(newest.name, stage, versions, of_stage)
    answered = sorted(held)
    last = max(versions, default=max(answered, default=max(of_stage, default=0)))
    known = {
        number: repository.study_version(s, of_stage[number].study_version_id)
        for number in {*answered, *versions, last} - {0}
        | {number for number, row in of_stage.items() if row.started or row.withdrawn}
    }
    base = known.get(last, newest)
    apart = {number: _apart(other, base) for number, other in known.items()}
    if versions:
        _require_alike(newest.name, base, {number: apart[number] for number in versions})
    alike = versions or [number for number in known if not apart[number]]
    people = {name: sum(r.started for r in counts if r.stage == name) for name in by_stage}
    return StageView(
        stage=stage,
        version=base,
        versions=sorted(alike),
        counts=[row for number, row in of_stage.items() if number in alike],
        people=people,
        ratings_by_stage=by_stage,
        ratings=ratings[ratings["study_version"].isin(alike)].reset_index(drop=True),
        shown=shown_by(s, base),
        left_out=[LeftOut(n, held[n], apart[n]) for n in answered if n not in alike],
        answered=answered,
    )


def shown_by(s: Session, version: StudyVersionInfo) -> list[Shown]:
    """Return what the conditions of a version show: how large disturbances are, how sure models."""
    stimuli = repository.stimuli_of(s, version.id)
    return sizes.shown(version.design, {each.stimulus_id: each.passport for each in stimuli})


def _apart(version: StudyVersionInfo, base: StudyVersionInfo) -> list[Difference]:
    """What means something else in `version` than in `base`."""
    runs = (version.design.get("experiment"), base.design.get("experiment"))
    found = differences(study_of(version), study_of(base), runs=runs)
    return [each for each in briefly(found) if each.changes_meaning]


def _require_known(
    name: str, stage: str, versions: Collection[int], known: Mapping[int, VersionCounts]
) -> None:
    for number in versions:
        if number not in known:
            there = ", ".join(map(str, known)) or "none"
            raise UsageError(
                f"study {name!r} has no version {number} in the stage {stage}; there: {there}"
            )


def _require_alike(
    name: str, base: StudyVersionInfo, apart: Mapping[int, Sequence[Difference]]
) -> None:
    different = {number: found for number, found in apart.items() if found}
    if different:
        number, found = next(iter(different.items()))
        lines = "\n".join(f"  {each}" for each in found)
        raise UsageError(
            f"versions {number} and {base.version} of study {name!r} mean different things and are "
            f"not counted together; analyze each by itself:\n{lines}"
        )


def _listed(numbers: Sequence[int]) -> str:
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
