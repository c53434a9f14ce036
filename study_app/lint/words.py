"""Rules about what people read: nothing leaks, and every language is whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine import attacks, defenses, saliency
from study_app.lint.rules import Finding, Subject, error, rule, warn
from study_app.lint.vocabulary import readings, speaks_of
from study_app.study import Study, Texts

_HARMLESS = frozenset(("none", "all", "clean", "noise", "control", "map"))
"""Words that texts use without giving anything away."""

_TERMS = frozenset(name for each in (defenses, attacks, saliency) for name in each.registry.names())
"""The field's own terms: no text needs them by chance."""

_TELLING = re.compile(r"\b(adversarial|perturb\w*|FGSM|TGSM|PGD|JSMA|saliency)\b", re.IGNORECASE)


@rule
def leaking_labels(subject: Subject) -> Iterator[Finding]:
    """Nothing read before the debrief names a condition, a defense, an attack or a true class."""
    study = subject.study
    chosen = {c.title for c in study.conditions.values()}
    chosen |= {arm.title for arm in study.arms.values()}
    shown = [p for c in study.conditions.values() for p in c.shown_pictures]
    chosen |= {x for p in shown for x in (p.defense, p.attack, p.method) if x}
    # Titles and labels are the researcher's own words. They may be ordinary ones, which a text uses
    # without giving anything away: only the field's terms are an error.
    names = _spoken(chosen & _TERMS)
    for place, text in _read_before_the_debrief(study):
        for name in sorted(names):
            if _mentions(text, name):
                yield error(
                    place,
                    f"names {name!r}, which is a defense, attack or method: people would know "
                    "what is studied; say it in the debrief",
                )
        for words in sorted(_spoken(chosen) - names):
            if _mentions(text, words):
                yield warn(
                    place,
                    f"says {words!r}, as a condition, an arm or a part of the experiment is "
                    "called: if that tells people what is compared, say it in the debrief",
                )
        for word in _TELLING.findall(text):
            yield warn(
                place,
                f"speaks of {word!r}: people may look for it; leave it to the "
                "debrief unless it is the question",
            )
    for phrase in study.phrases():
        for name in subject.class_names:
            if len(name) > 2 and phrase != name and _mentions(phrase, name.lower()):
                yield warn(
                    "questions",
                    f"{phrase!r} names the class {name!r}; write {{label}} "
                    "where the label of the trial is meant",
                )


def _spoken(names: Iterable[str]) -> set[str]:
    """Return names as a text would have them, without those that give nothing away."""
    return {name.replace("_", " ").lower() for name in names} - _HARMLESS


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _read_before_the_debrief(study: Study) -> Iterator[tuple[str, str]]:
    yield "title", study.title
    for key, text in study.texts:
        if key != "debrief":
            yield f"texts.{key}", text
    for phrase in study.phrases():
        yield "questions", phrase
    for tag, there in study.translations.items():
        yield f"translations.{tag}.title", there.title
        for key, text in there.texts.items():
            if key != "debrief":
                yield f"translations.{tag}.texts.{key}", text
        for word in there.words.values():
            yield f"translations.{tag}.words", word


@rule
def time_is_told(subject: Subject) -> Iterator[Finding]:
    """Who has to answer within a time is told so before the first trial."""
    if not _is_timed(subject.study):
        return
    for place, texts in readings(subject.study):
        instructions = texts.get("instructions")
        if instructions and not speaks_of("a time limit", instructions):
            yield warn(
                f"{place}.instructions",
                "do not say that answers are due within a time (response_window_ms): who reads "
                "slowly or uses a screen reader would be shut out without a word",
            )


def _is_timed(study: Study) -> bool:
    asked = (q for c in study.conditions.values() for q in study.asked(c))
    return any(question.response_window_ms for question in asked)


@rule
def translations(subject: Subject) -> Iterator[Finding]:
    """Every language has all texts and phrases, and the player speaks it."""
    study = subject.study
    for tag in (study.language, *study.translations):
        if tag not in player_languages():
            place = "language" if tag == study.language else f"translations.{tag}"
            yield warn(
                place,
                f"the player does not speak {tag!r}; its own words need a file in "
                f"study_app/player/locales, which has: {', '.join(player_languages())}",
            )
    needed = [key for key, text in study.texts if text != Texts.model_fields[key].default]
    used = {"debrief", *needed}
    used |= {"screened_out"} if study.screening else set()
    used |= {"failed_check"} if study.comprehension else set()
    used |= {"feedback_late"} if study.practice and _is_timed(study) else set()
    phrases = study.phrases()
    for tag, there in study.translations.items():
        missing = sorted(used - {key for key, text in there.texts.items() if text})
        if missing:
            yield error(f"translations.{tag}.texts", f"lacks {', '.join(missing)}")
        untold = [phrase for phrase in phrases if phrase not in there.words]
        if untold:
            block = "".join(f"\n      {json.dumps(each, ensure_ascii=False)}:" for each in untold)
            yield error(
                f"translations.{tag}.words",
                f"lacks {len(untold)} phrase{'s' * (len(untold) > 1)}, which would stay as they "
                f"are; fill in:{block}",
            )
        wordy = [name for name in subject.class_names if len(name) > 2 and name not in there.words]
        if wordy:
            yield warn(f"translations.{tag}.words", f"lacks the labels {', '.join(wordy)}")
        stray = sorted(set(there.words) - set(phrases) - set(subject.class_names))
        if stray and subject.class_names:
            yield warn(
                f"translations.{tag}.words",
                f"{stray[0]!r} is no phrase of the study; a "
                "phrase that was changed needs its translation changed",
            )


def player_languages() -> list[str]:
    """Return the languages that the player speaks; importing it would bring Streamlit."""
    return sorted(
        path.stem for path in (Path(__file__).parents[1] / "player/locales").glob("*.yaml")
    )
