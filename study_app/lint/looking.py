"""Looking at a study with all that is known here: its experiment, and the design drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine import results
from engine.artifacts import ArtifactStore
from engine.components import meant
from engine.errors import UsageError
from study_app import lint
from study_app.design import attention
from study_app.design.absences import absences
from study_app.design.attention import Figures
from study_app.design.study_design import design
from study_app.lint.rules import Problem
from study_app.power.quick import quick
from study_app.study import Study

if TYPE_CHECKING:
    from study_app.design.study_design import Design


@dataclass(frozen=True)
class Look:
    """What the linter saw.

    Attributes:
        problems: the gravest first.
        drawn: the design; None where an error or the lack of the experiment keeps it from being
            drawn.
        attention: what the attention rules do, by arm; None where that is not known.
        unseen: why a part was not looked at, in a sentence; "" where all was.
    """

    problems: Sequence[Problem]
    drawn: Design | None
    attention: Sequence[Figures] | None
    unseen: str

    def count(self, severity: str) -> int:
        """Return how many problems are of a severity."""
        return sum(problem.severity == severity for problem in self.problems)


def look(study: Study, store: ArtifactStore, home: Path | None = None) -> Look:
    """Lint a study, with its experiment if that has been run here, as `launch` does.

    Args:
        study: the study.
        store: where experiments are.
        home: of all state: its power is looked at too, which may take some seconds.
    """
    finished = results.everything(store)
    found = finished.get(study.experiment)
    power = None if home is None else quick(study, home, found)
    if found is None:
        unseen = (
            f"experiment {study.experiment!r} has not been run here"
            f"{meant(study.experiment, sorted(finished))}; finished: "
            f"{', '.join(sorted(finished)) or 'none yet'}"
        )
        note = Problem(
            "experiment",
            "note",
            "experiment",
            f"not checked: {unseen}. Whether there is what is shown, enough of it, of one size and "
            "by models that are not in doubt is seen only then",
        )
        return Look(
            _sorted([note, *lint.problems(study, seen=power)]),
            None,
            attention.figures(study),
            unseen,
        )
    names = found.class_names
    judged = attention.figures(study, len(names))
    said = [*_failed(study, found), *lint.problems(study, names, results=found, seen=power)]
    if any(problem.severity == "error" for problem in said):
        unseen = "the design is drawn once there is no error"
        return Look(_sorted(said), None, judged, unseen)
    try:
        drawn = design(study, found)
    except UsageError as error:
        problem = Problem("design", "error", "experiment", str(error))
        return Look(_sorted([problem, *said]), None, judged, "the design cannot be drawn")
    return Look(lint.problems(study, names, drawn, found, power), drawn, judged, "")


def _failed(study: Study, found: results.Results) -> list[Problem]:
    """Return what is shown and failed when the experiment was run."""
    return [
        Problem("failed", "error", f"conditions.{label}", sentence)
        for label, sentence in absences(study, found).items()
    ]


def _sorted(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda each: lint.rules.SEVERITIES.index(each.severity))
