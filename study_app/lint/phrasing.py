"""Rules about how texts are written: placeholders, length, pictures, what they suggest."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.components import meant
from study_app.lint.rules import Finding, Subject, error, hint, note, rule, warn
from study_app.lint.vocabulary import LANGUAGES, readable, readings, speaks_of
from study_app.study import Study

LONGEST = {
    "title": 120,
    "consent": 6000,
    "instructions": 4000,
    "debrief": 4000,
    "screened_out": 2000,
    "failed_check": 2000,
    "feedback_right": 400,
    "feedback_wrong": 400,
    "feedback_late": 400,
    "words": 300,
}
"""Characters that a text may have before a warning; `words` are prompts, options and captions."""
_FEEDBACK = ("feedback_right", "feedback_wrong", "feedback_late")
_PLACEHOLDER = re.compile(r"\{[^{}\n]{0,40}\}")
_REMOTE = re.compile(r"!\[[^\]]*\]\(")


@rule
def placeholders(subject: Subject) -> Iterator[Finding]:
    """Every placeholder in a text is one that is filled in there."""
    study = subject.study
    for place, key, text in _texts(study):
        yield from _unknown(place, text, ["{right}", "{given}"] if key in _FEEDBACK else [])
    filled = _filled_in(study)
    for phrase in study.phrases():
        yield from _unknown("questions", phrase, filled.get(phrase, []))
    for tag, there in study.translations.items():
        for phrase, said in there.words.items():
            allowed = _PLACEHOLDER.findall(phrase)
            place = f"translations.{tag}.words"
            yield from _unknown(place, said, allowed)
            missing = sorted(set(allowed) - set(_PLACEHOLDER.findall(said)))
            if missing:
                yield error(place, f"{said!r} lacks {missing[0]}, which {phrase!r} has")


def _filled_in(study: Study) -> dict[str, list[str]]:
    """Return the placeholders that are filled in, by phrase; in forms and captions none is."""
    filled = {}
    for question in (q for c in study.conditions.values() for q in study.asked(c)):
        # A prompt speaks of the label; so does the line above it that says what the model said.
        for phrase in (question.prompt, getattr(question, "note", None)):
            filled[phrase or ""] = ["{label}"]
        if sure := getattr(question, "confidence", None):
            filled[sure] = ["{confidence}"]
    return filled


def _unknown(place: str, text: str, allowed: list[str]) -> Iterator[Finding]:
    for found in dict.fromkeys(_PLACEHOLDER.findall(text)):
        if found not in allowed:
            known = f"known here: {', '.join(allowed)}" if allowed else "nothing is filled in here"
            yield error(
                place,
                f"{found} is no placeholder{meant(found, allowed)}, so that people would read it "
                f"as it is; {known}",
            )


@rule
def long_texts(subject: Subject) -> Iterator[Finding]:
    """Texts are as long as somebody reads, and their pictures are ones that a page can show."""
    for place, key, text in _texts(subject.study):
        yield from _too_long(place, key, text)
        if _REMOTE.search(text):
            yield warn(place, "has a picture from elsewhere (![…](…)): participants' pages load "
                       "nothing from other addresses, so that they would see none")  # fmt: skip
    for phrase in subject.study.phrases():
        yield from _too_long("questions", "words", phrase)


def _too_long(place: str, key: str, text: str) -> Iterator[Finding]:
    if len(text) > LONGEST[key]:
        yield warn(
            place,
            f"has {len(text)} characters ({text[:40].strip()!r} …): more than {LONGEST[key]} "
            "nobody reads; shorten it",
        )


def _texts(study: Study) -> Iterator[tuple[str, str, str]]:
    """Yield place, key and text of all that is read, in every language, phrases aside."""
    yield "title", "title", study.title
    for key, text in study.texts:
        yield f"texts.{key}", key, text
    for tag, there in study.translations.items():
        yield f"translations.{tag}.title", "title", there.title
        for key, text in there.texts.items():
            yield f"translations.{tag}.texts.{key}", key, text


@rule
def suggestive(subject: Subject) -> Iterator[Finding]:
    """Neither prompts nor texts before the debrief suggest an answer or say what is expected."""
    study = subject.study
    prompts = dict.fromkeys(q.prompt for c in study.conditions.values() for q in study.asked(c))
    for prompt in prompts if readable(study.language) else ():
        words = speaks_of("the answer", prompt)
        if words:
            yield hint("questions", f"{prompt!r} says {words!r}: does it suggest an answer?")
    for place, texts in readings(study):
        for key in ("consent", "instructions"):
            words = speaks_of("what you expect", texts.get(key, ""))
            if words:
                yield hint(
                    f"{place}.{key}",
                    f"says {words!r}: does it tell people what you expect? Say that in the debrief",
                )


@rule
def readable_languages(subject: Subject) -> Iterator[Finding]:
    """The rules about what texts say can read them."""
    study = subject.study
    for tag in (study.language, *study.translations):
        if not readable(tag):
            place = "texts" if tag == study.language else f"translations.{tag}"
            yield note(
                place,
                "not checked what the texts say (time, number of pictures, contact, attention "
                f"checks): the linter reads {', '.join(LANGUAGES)}",
            )
