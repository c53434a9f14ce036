"""The linter: what is wrong with a study's design, though its file is valid.

One rule is one function over a study; what it finds has a severity, a place in the file and the
fix. An `error` keeps a study from being launched. A faithful replication may lack the controls that
the original lacked: it is warned. A `hint` is what a program cannot judge. A `note` says what could
not be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from study_app.lint import (
    analysis,
    balance,
    comparisons,
    controls,
    judging,
    people,
    phrasing,
    power,
    promises,
    provenance,
    stimuli,
    words,
)
from study_app.lint.rules import RULES, SEVERITIES, Problem, Subject
from study_app.study import Study, minutes

if TYPE_CHECKING:
    from engine.results import Results
    from study_app.design.study_design import Design
    from study_app.power.quick import Quick

__all__ = [
    "RULES",
    "Problem",
    "analysis",
    "balance",
    "comparisons",
    "controls",
    "judging",
    "minutes",
    "people",
    "phrasing",
    "power",
    "problems",
    "promises",
    "provenance",
    "stimuli",
    "words",
]


def problems(
    study: Study,
    class_names: Sequence[str] = (),
    drawn: Design | None = None,
    results: Results | None = None,
    seen: Quick | None = None,
) -> list[Problem]:
    """Return all that the rules find, errors first.

    Args:
        study: the study.
        class_names: of its experiment, where that is known; some rules need them.
        drawn: its design, where it can be drawn; some rules look at its stimuli.
        results: its experiment, where it has been run here.
        seen: a quick look at its power, where one was taken.
    """
    found = [
        Problem(name, *finding)
        for name, check in RULES.items()
        for finding in check(Subject(study, class_names, drawn, results, seen))
    ]
    return sorted(found, key=lambda problem: SEVERITIES.index(problem.severity))
