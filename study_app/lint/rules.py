"""What a rule of the linter is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from study_app.study import Study

if TYPE_CHECKING:
    from engine.results import Results
    from study_app.design.study_design import Design
    from study_app.power.quick import Quick

Severity: TypeAlias = Literal["error", "warn", "hint", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warn", "hint", "note")
"""The gravest first."""


class Finding(NamedTuple):
    """What a rule yields."""

    severity: Severity
    place: str
    message: str


@dataclass(frozen=True)
class Problem:
    """A finding with the name of its rule; `message` says what is wrong and the fix."""

    rule: str
    severity: Severity
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.place}: {self.message} [{self.rule}]"


class Subject(NamedTuple):
    """What is looked at: a study and, where its experiment has been run, what is known of it.

    Attributes:
        study: the study.
        class_names: of its experiment.
        drawn: its design, with every stimulus.
        results: its experiment.
        power: what its declared numbers of people and images can show, where that was looked at.
    """

    study: Study
    class_names: Sequence[str] = ()
    drawn: Design | None = None
    results: Results | None = None
    power: Quick | None = None


Rule: TypeAlias = Callable[[Subject], Iterator[Finding]]


RULES: dict[str, Rule] = {}


def rule(check: Rule) -> Rule:
    """Add a rule under the name of its function; its docstring is its documentation."""
    RULES[check.__name__] = check
    return check


def error(place: str, message: str) -> Finding:
    """Return what keeps a study from being launched."""
    return Finding("error", place, message)


def warn(place: str, message: str) -> Finding:
    """Return what its author should know."""
    return Finding("warn", place, message)


def hint(place: str, message: str) -> Finding:
    """Return what a program cannot judge and its author should look at once more."""
    return Finding("hint", place, message)


def note(place: str, message: str) -> Finding:
    """Return what could not be looked at, and what it would take."""
    return Finding("note", place, message)


def lacking(study: Study, place: str, message: str) -> Finding:
    """Return that a control is missing: an error, unless the study is a faithful replication."""
    if study.faithful:
        return Finding("warn", place, f"{message}; a faithful replication may lack it")
    return Finding("error", place, message)
