"""What participants read: a study's texts, its translations, and the study in one language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from pydantic import Field, field_validator

from engine.components import Document, meant

if TYPE_CHECKING:
    from study_app.study.study_file import Study


class Texts(Document):
    """What the participant reads, as Markdown; feedback is plain text.

    In it `{right}` stands for the label of the right answer, `{given}` for that of the answer
    given.
    """

    consent: str = Field(min_length=1)
    instructions: str = Field(min_length=1)
    debrief: str = Field(min_length=1)
    feedback_right: str = Field("That is right.", min_length=1)
    feedback_wrong: str = Field("The answer was {right}.", min_length=1)
    feedback_late: str = Field("Time was up. Please answer a little sooner.", min_length=1)
    screened_out: str = Field(
        "Thank you for your interest. This study looks for other people or another device, so that "
        "you cannot take part. Your answers so far are not used.",
        min_length=1,
    )
    failed_check: str = Field(
        "Thank you for your time. Some answers about the instructions were not right, so that the "
        "study ends here for you.",
        min_length=1,
    )


class Translation(Document):
    """A study in another language.

    Attributes:
        title: what the participant reads first.
        texts: by key, as in `Texts`; what is left out stays in the study's own language.
        words: phrases of the study file (prompts, options, captions, labels) -> in this language.
    """

    title: str = Field(min_length=1)
    texts: dict[str, str] = Field(default_factory=dict)
    words: dict[str, str] = Field(default_factory=dict)

    @field_validator("texts")
    @classmethod
    def _keys_are_known(cls, texts: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(texts) - set(Texts.model_fields)):
            near = meant(unknown[0], Texts.model_fields)
            raise ValueError(
                f"unknown text {unknown[0]!r}{near}; known: {', '.join(sorted(Texts.model_fields))}"
            )
        return texts


@dataclass(frozen=True)
class Wording:
    """The words of a study in one language.

    Attributes:
        language: BCP 47 tag.
        title: heading of the consent page.
        texts: Markdown by key: consent, instructions, debrief, feedback_right, feedback_wrong,
            feedback_late, screened_out, failed_check.
        words: phrases of the study file (prompts, options) -> in this language.
    """

    language: str
    title: str
    texts: Mapping[str, str]
    words: Mapping[str, str]

    def say(self, phrase: str) -> str:
        """Return a phrase of the study file in this language; itself where none is given."""
        return self.words.get(phrase, phrase)


def markdown_html(markdown: str) -> str:
    """Return CommonMark as HTML. Raw HTML in the source is shown as text, never passed on."""
    return str(MarkdownIt("commonmark", {"html": False}).render(markdown))


def languages(study: Study) -> list[str]:
    """Return the languages of a study, its own first."""
    return [study.language, *sorted(study.translations)]


def wording(study: Study, language: str) -> Wording:
    """Return a study's words in `language`, or in its own where it has no such translation.

    A text that the translation leaves out is the study's own.
    """
    own = Wording(study.language, study.title, study.texts.model_dump(), {})
    there = study.translations.get(language)
    if there is None:
        return own
    given = {key: text for key, text in there.texts.items() if text}
    return Wording(language, there.title, {**own.texts, **given}, there.words)
