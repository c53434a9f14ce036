"""Rules about the people: who they are, how long it takes, and what their panel demands."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from study_app.lint.rules import Finding, Subject, error, rule, warn
from study_app.lint.vocabulary import minutes_told, readings, speaks_of
from study_app.study import minutes

LONG_MINUTES = 30


PROLIFIC_SHORT_MINUTES = 5
"""From here on Prolific wants two failed attention checks before a rejection, below it one."""


@rule
def age(subject: Subject) -> Iterator[Finding]:
    """Where the consent claims an age, screening asks for it."""
    study = subject.study
    if not re.search(r"(?<!\d)1[68](?!\d)", unicodedata.normalize("NFKC", study.texts.consent)):
        return
    items = study.screening.items if study.screening else ()
    if not any((item.kind == "number" and item.low) or item.accept for item in items):
        yield warn(
            "screening",
            "the consent claims an age that nobody is asked for; add an item "
            "of kind number with low, or a choice with accept",
        )


@rule
def forms_do_something(subject: Subject) -> Iterator[Finding]:
    """Screening can turn somebody away, and exclusion rules find what they judge by."""
    study = subject.study
    screening = study.screening
    asks = screening.items if screening and not screening.device else ()
    if asks and not any(i.accept or i.low is not None or i.high is not None for i in asks):
        yield warn(
            "screening",
            "turns nobody away; give items accept or bounds, or ask them as demographics",
        )
    for each in study.exclusions:
        if each.needs_catch and study.catch == 0:
            yield error("exclusions", f"{each.name} needs catch presentations; set catch")


@rule
def duration(subject: Subject) -> Iterator[Finding]:
    """The consent tells how long it takes, and that is about right."""
    study, needed = subject.study, minutes(subject.study)
    if needed > LONG_MINUTES:
        yield warn(
            "conditions",
            f"takes about {needed:.0f} minutes: attention fades; show less "
            "to each person and ask more people",
        )
    if needed > LONG_MINUTES / 2 and study.breaks is None:
        yield warn("breaks", f"none in about {needed:.0f} minutes; set breaks.every")
    for place, texts in readings(study):
        if consent := texts.get("consent"):
            yield from _time_told(f"{place}.consent", minutes_told(consent), needed)


def _time_told(place: str, told: int | None, needed: float) -> Iterator[Finding]:
    if told is None:
        yield warn(place, f"does not say how many minutes it takes; about {needed:.0f}")
    elif needed > 1.5 * told + 1 or told > 2 * needed + 2:
        yield warn(place, f"says {told} minutes; the plan takes about {needed:.0f}")


@rule
def prolific(subject: Subject) -> Iterator[Finding]:
    """Prolific's rules: two attempts, a code for every outcome, enough attention checks, told."""
    study = subject.study
    if study.provider.name != "prolific":
        return
    checks = study.comprehension
    if checks is not None and checks.attempts < 2:
        yield error("comprehension.attempts", "Prolific wants at least two attempts")
    outcomes = ["complete", "screened_out", "failed_check"]
    needed = [True, study.screening is not None, checks is not None]
    given = {path for path, value in _leaves(study.provider.config()) if value}
    for outcome, used in zip(outcomes, needed, strict=True):
        if used and not any(outcome in path for path in given):
            yield error(
                "provider",
                f"no code for the outcome {outcome}: people could not return to Prolific",
            )
    wanted = 2 if minutes(study) >= PROLIFIC_SHORT_MINUTES else 1
    if study.catch < wanted:
        yield error(
            "catch",
            f"Prolific lets a study of {minutes(study):.0f} minutes reject after "
            f"{wanted} failed attention checks; there are {study.catch}",
        )
    if study.shared_device:
        yield warn(
            "shared_device",
            "people of Prolific sit at devices of their own: whoever reloads the last page loses "
            "the code; leave it out",
        )
    for place, texts in readings(study):
        consent = texts.get("consent")
        if consent and not speaks_of("attention checks", consent):
            yield warn(f"{place}.consent", "does not say that there are attention checks")
    if checks is not None and "return" not in study.texts.failed_check.lower():
        yield warn(
            "texts.failed_check",
            "Prolific lets nobody be rejected for a comprehension "
            "check: ask people to return their submission",
        )


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}")
    else:
        yield path, value
