"""Rules about what people are told before they agree: it is true, and nothing is left out."""

from __future__ import annotations

from collections.abc import Iterator

from study_app.lint.rules import Finding, Subject, hint, rule, warn
from study_app.lint.vocabulary import pictures_told, readings, speaks_of
from study_app.study import Study

FEW = 3
"""Up to here a number of pictures is of those beside each other, not of all."""
OWED = (
    "whom to contact",
    "an ethics approval",
    "what becomes of the data",
    "that one may stop or withdraw",
)
"""What a consent says."""


@rule
def pictures_are_counted(subject: Subject) -> Iterator[Finding]:
    """The number of pictures that the consent speaks of is the number that people see."""
    study = subject.study
    shown = {arm: _presentations(study, arm) for arm in study.all_arms}
    right = set().union(*shown.values())
    for place, texts in readings(study):
        told = [number for number in pictures_told(texts.get("consent", "")) if number > FEW]
        if told and not right & set(told):
            plan = sorted({max(numbers) for numbers in shown.values()})
            yield warn(
                f"{place}.consent",
                f"says {max(told)} pictures; the plan has {' or '.join(map(str, plan))}, "
                "practice and catch presentations included",
            )


def _presentations(study: Study, arm: str) -> set[int]:
    """Return how many presentations there are in an arm, with and without practice and catch."""
    main = study.presentations(arm)
    practice = study.practice + study.presentations(arm, "practice")
    pictures = max(len(c.shown_pictures) for c in study.of_arm(arm).values())
    counts = {main, main + study.catch, main + practice, main + practice + study.catch}
    return counts | {pictures * count for count in counts}


@rule
def consent_is_whole(subject: Subject) -> Iterator[Finding]:
    """The consent names a contact, an ethics approval, the use of the data, and the way out."""
    for place, texts in readings(subject.study):
        text = texts.get("consent", "")
        missing = [topic for topic in OWED if text and speaks_of(topic, text) is None]
        if missing:
            yield hint(
                f"{place}.consent",
                f"says nothing about {', '.join(missing)}: ethics committees and data protection "
                "want it",
            )


@rule
def something_to_learn_from(subject: Subject) -> Iterator[Finding]:
    """People try the task, or are asked whether they have understood it, before it counts."""
    study = subject.study
    for arm in study.all_arms:
        tried = study.practice or study.presentations(arm, "practice")
        if not tried and study.comprehension is None:
            yield warn(
                "practice",
                "neither practice nor a comprehension check: the first answers are of people who "
                "find out what to do; set practice: 2, or add comprehension",
            )
            return
