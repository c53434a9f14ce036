"""The linter: what is wrong with a study's design, though its file is valid.

One rule is one function over a study; what it finds has a severity, a place in the file and the
fix. An `error` keeps a study from being launched. A faithful replication may lack the controls that
the original lacked: it is warned.
"""

from __future__ import annotations

from collections.abc import Sequence

from study_app.lint import balance, controls, people, words
from study_app.lint.people import minutes
from study_app.lint.rules import RULES, Problem, Subject
from study_app.study import Study

__all__ = ["RULES", "Problem", "balance", "controls", "minutes", "people", "problems", "words"]


def problems(study: Study, class_names: Sequence[str] = ()) -> list[Problem]:
    """Return all that the rules find, errors first.

    Args:
        study: the study.
        class_names: of its experiment, where that is known; some rules need them.
    """
    found = [
        Problem(name, *finding)
        for name, check in RULES.items()
        for finding in check(Subject(study, class_names))
    ]
    return sorted(found, key=lambda problem: problem.severity != "error")
