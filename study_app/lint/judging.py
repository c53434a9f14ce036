"""Rules about the exclusion rules: whom they lose, and whom they keep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from study_app import exclusions
from study_app.design import attention as characteristics
from study_app.design.attention import MOST_KEPT, MOST_LOST, SLIPS, Figures, percent
from study_app.lint.rules import Finding, Subject, error, note, rule, warn
from study_app.study import Study

CAREFUL_MS = 3000
"""What a careful answer takes, roughly: a rule against haste that is above it keeps few."""
HASTY_MS = 1000
"""Somebody who knows the task can answer within this: a rule against haste is below it."""
_EVERYBODY = 0.99


@rule
def attention(subject: Subject) -> Iterator[Finding]:
    """Rules that judge by catch trials keep honest people, and nobody who does not look."""
    study = subject.study
    classes = len(subject.class_names) or None
    found = characteristics.figures(study, classes)
    if found is None:
        yield note("exclusions", "not checked what the attention rules do: the number of classes "
                   "is not known; run the experiment, then lint again")  # fmt: skip
        return
    if not found:
        return
    if not characteristics.attention_rules(study):
        yield warn(
            "exclusions",
            f"there are {study.catch} catch presentations and no rule that judges by them: who "
            "does not look counts like everybody else; add a rule such as "
            "{rule: catch_below, share: 0.75, per: question}",
        )
        return
    cure = None if all(each.good for each in found) else _cure(study, classes)
    said: dict[tuple[str, str], list[str]] = {}
    for each in found:
        for severity, words in _wrong(each):
            said.setdefault((severity, words), []).append(each.arm)
    for (severity, words), arms in said.items():
        where = f" (arm {', '.join(arms)})" if study.arms else ""
        tell = error if severity == "error" else warn
        yield tell("exclusions", f"the attention rules {words}{where}; {cure}")


def _wrong(each: Figures) -> Iterator[tuple[str, str]]:
    """Yield severity and words of all that is wrong with the rules in one arm."""
    if each.honest_lost >= _EVERYBODY:
        yield "error", "keep nobody"
        return
    if each.clickers_kept >= _EVERYBODY:
        yield "error", "keep everybody, also who clicks at random"
        return
    if each.honest_lost > MOST_LOST:
        lost, most = percent(each.honest_lost), percent(MOST_LOST)
        yield (
            "warn",
            f"lose {lost} of honest people, who answer {percent(SLIPS)} of the catch trials "
            f"otherwise by mistake; more than {most} is too many",
        )
    if each.clickers_kept > MOST_KEPT:
        kept, most = percent(each.clickers_kept), percent(MOST_KEPT)
        yield "warn", f"keep {kept} of people who click at random; more than {most} is too many"
    for question, constant in each.unseen.items():
        # The same place every time is as good as any; it is no flaw of its own.
        if not math.isclose(constant.kept, each.clickers_kept):
            yield (
                "warn",
                f"do not see who answers {question} {constant.answer}: "
                f"{percent(constant.kept)} of them are kept",
            )


def _cure(study: Study, classes: int | None) -> str:
    """Return with how many catch presentations, and by which rule, it would do."""
    enough = characteristics.enough_catch(study, classes)
    if enough is not None:
        return f"catch: {enough} would do (there are {study.catch})"
    others = tuple(each for each in study.exclusions if not each.needs_catch)
    tried: list[Any] = [each.share for each in study.exclusions if hasattr(each, "share")]
    for share in dict.fromkeys((*tried, 0.75, 0.7)):
        by_question = exclusions.create("catch_below", share=share, per="question")
        better = study.model_copy(update={"exclusions": (*others, by_question)})
        enough = characteristics.enough_catch(better, classes)
        if enough is not None:
            return (
                f"{{rule: catch_below, share: {share:g}, per: question}} with catch: {enough} "
                f"would do (there are {study.catch})"
            )
    return "no number of catch presentations up to 30 would do; ask a question with more answers"


@rule
def hasty_answers(subject: Subject) -> Iterator[Finding]:
    """A rule against hasty answers leaves those of careful people alone."""
    study = subject.study
    asked = [q for c in study.conditions.values() for q in study.asked(c)]
    windows = [q.response_window_ms for q in asked if q.response_window_ms]
    for each in study.exclusions:
        if each.name != "too_fast":
            continue
        ms = each.model_dump()["ms"]
        shut = [window for window in windows if ms >= window]
        if shut:
            yield error(
                "exclusions",
                f"too_fast below {ms:g} ms leaves no answer to a question that must be answered "
                f"within {shut[0]} ms; take 200",
            )
        elif ms >= CAREFUL_MS:
            yield error(
                "exclusions",
                f"too_fast below {ms:g} ms keeps about nobody's answers: a careful one takes some "
                f"{CAREFUL_MS / 1000:g} seconds; take 200",
            )
        elif ms > HASTY_MS:
            yield warn(
                "exclusions",
                f"too_fast below {ms:g} ms also excludes who is quick: one who knows the task can "
                f"answer within {HASTY_MS} ms; take 200",
            )


@rule
def incomplete_people(subject: Subject) -> Iterator[Finding]:
    """People who stopped are not left out of what they did answer."""
    study = subject.study
    if not any(each.name == "incomplete" for each in study.exclusions):
        return
    lengths = {study.presentations(arm) + study.presentations(arm, "practice")
               for arm in study.all_arms}  # fmt: skip
    unequal = " The arms differ in length, so that they lose different people." * (len(lengths) > 1)
    yield warn(
        "exclusions",
        "incomplete leaves out who stopped, and people may stop at any time: who stops is not "
        "anybody, so that the estimate is of those who like the task, and further off than with "
        f"their answers.{unequal} Leave the rule out, and report who stopped by condition",
    )
