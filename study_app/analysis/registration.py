"""What was registered before the first answer, and what has changed since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from db import repository
from db.errors import StudyNotFoundError
from db.export import Beside, iso_utc
from db.repository import StudyVersionInfo
from study_app.analysis.stages import StageView
from study_app.study import Difference, briefly, differences, study_of
from study_app.study.analysis_plan import AnalysisPlan

FILE = "registered.json"
"""What an export calls it."""


@dataclass(frozen=True)
class Registration:
    """The declared analysis of the versions that are counted.

    Attributes:
        plan: of the version that was answered first; None: nothing was declared.
        version: its number; its content hash is `content_sha256`.
        published: when it was published.
        first_answer: when the first answer came to any counted version; None: none yet.
        changes: what later versions declare otherwise, the exclusion rules, questions and texts
            among it.
        earlier: versions of the stage that are not counted, and that somebody had answered before
            this one was published.
    """

    plan: AnalysisPlan | None
    version: int
    content_sha256: str
    published: datetime
    first_answer: datetime | None
    changes: Sequence[Difference]
    earlier: Sequence[int] = ()

    @property
    def said(self) -> str:
        """The same as a sentence: "Registered before the first answer, on …: …"."""
        which = f"version {self.version}, content {self.content_sha256[:12]}"
        changed = f" {_changed(self.changes)}" if self.changes else ""
        if self.earlier:
            changed += f" {_after(self.earlier)}"
        if self.plan is None:
            return (
                f"Nothing was registered: {which}, published on {_moment(self.published)}, "
                f"declares no analysis, so that all of it is exploratory.{changed}"
            )
        before = (
            "nobody has answered yet"
            if self.first_answer is None
            else f"the first answer came on {_moment(self.first_answer)}"
        )
        return (
            f"Registered before the first answer, on {_moment(self.published)} ({which}; "
            f"{before}): {_in_words(self.plan)}.{changed}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON; times in UTC."""
        first = self.first_answer
        return {
            "registered": self.plan is not None,
            "plan": None if self.plan is None else self.plan.model_dump(mode="json"),
            "version": self.version,
            "content_sha256": self.content_sha256,
            "published_utc": iso_utc(self.published),
            "first_answer_utc": None if first is None else iso_utc(first),
            "changes": [
                {
                    "path": each.path,
                    "said": str(each),
                    "changes_meaning": each.changes_meaning,
                }
                for each in self.changes
            ],
            "earlier_answered_versions": list(self.earlier),
            "said": self.said,
        }


def registration(s: Session, view: StageView) -> Registration:
    """Return what was registered for the versions of a stage that are counted."""
    ids = {row.version: row.study_version_id for row in view.counts}
    counted = [repository.study_version(s, ids[n]) for n in view.versions if n in ids]
    return _registered(s, counted or [view.version])


def exported(study: str) -> Beside:
    """Return what makes the file `FILE` of an export of `study`: of all versions of its stage."""

    def files(s: Session, stage: str) -> dict[str, bytes]:
        made = _registered(s, _of_stage(s, study, stage)).to_json()
        text = json.dumps({"study": study, "stage": stage, **made}, ensure_ascii=False, indent=2)
        return {FILE: f"{text}\n".encode()}

    return files


def _of_stage(s: Session, study: str, stage: str) -> list[StudyVersionInfo]:
    held = [row for row in repository.counts(s, study) if row.stage == stage]
    if held:
        return [repository.study_version(s, row.study_version_id) for row in held]
    newest = repository.study(s, study)
    if newest is None:
        raise StudyNotFoundError(f"There is no study {study!r}.")
    return [newest]


def _registered(s: Session, versions: Sequence[StudyVersionInfo]) -> Registration:
    """Return what was registered for `versions`, of which there is at least one."""
    answered = repository.first_answers(s, versions[0].name)
    numbers = [each.version for each in versions if each.version in answered]
    first = min(numbers, key=answered.__getitem__, default=max(v.version for v in versions))
    base = next(each for each in versions if each.version == first)
    study = study_of(base)
    later = sorted((v for v in versions if v.version > first), key=lambda each: each.version)
    return Registration(
        plan=study.analysis,
        version=first,
        content_sha256=base.content_sha256,
        published=base.created_at,
        first_answer=answered.get(first),
        changes=_once(
            each for other in later for each in briefly(differences(study, study_of(other)))
        ),
        earlier=_earlier(s, versions, base, answered),
    )


def _earlier(
    s: Session,
    versions: Sequence[StudyVersionInfo],
    base: StudyVersionInfo,
    answered: Mapping[int, datetime],
) -> list[int]:
    """Return which other versions of the stage of `base` had answers when it was published."""
    counted = {each.version for each in versions}
    return [
        row.version
        for row in repository.counts(s, base.name)
        if row.stage == base.stage
        and row.version not in counted
        and row.version in answered
        and answered[row.version] < base.created_at
    ]


def _once(found: Iterable[Difference]) -> list[Difference]:
    """Return each difference once: versions after the one that made it have it, too."""
    return list({(each.path, str(each)): each for each in found}.values())


def _moment(time: datetime) -> str:
    return f"{iso_utc(time)[:16].replace('T', ' at ')} UTC"


def _in_words(plan: AnalysisPlan) -> str:
    said = [f"primary {', '.join(plan.primary)}"]
    if plan.secondary:
        said.append(f"secondary {', '.join(plan.secondary)}")
    count = len(plan.contrasts)
    said.append(f"{count or 'no'} comparison{'s' * (count != 1)}")
    if plan.participants is not None:
        said.append(f"N = {plan.participants}")
    return "; ".join(said)


def _after(versions: Sequence[int]) -> str:
    which = ", ".join(map(str, versions))
    several = len(versions) > 1
    return (
        f"People had answered version{'s' * several} {which} by then, whose answers mean something "
        f"else or are not asked for, and are not counted."
    )


def _changed(changes: Sequence[Difference]) -> str:
    paths = list(dict.fromkeys(each.path.partition(".")[0] for each in changes))
    count = len(changes)
    return f"Later versions differ in {count} place{'s' * (count != 1)} ({', '.join(paths)})."
