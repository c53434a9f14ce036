"""What was registered before the first answer, and what has changed since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from study_app.analysis.stages import StageView
from study_app.study import Difference
from study_app.study.analysis_plan import AnalysisPlan


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
    """

    plan: AnalysisPlan | None
    version: int
    content_sha256: str
    published: datetime
    first_answer: datetime | None
    changes: Sequence[Difference]

    @property
    def said(self) -> str:
        """The same as a sentence: "Registered before the first answer, on …: …"."""
        raise NotImplementedError


def registration(s: Session, view: StageView) -> Registration:
    """Return what was registered for the versions of a stage that are counted."""
    raise NotImplementedError
