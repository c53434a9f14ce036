"""What would you say, in your own words?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from engine.analysis.outcomes import Outcome
from study_app.forms import plain
from study_app.questions import (
    AnswerError,
    Given,
    Percept,
    Phrase,
    Question,
    Showing,
    Value,
    View,
    register,
)

if TYPE_CHECKING:
    from db.export import Answered


@register
class FreeText(Question):
    """An answer in the participant's own words.

    Free naming finds the labels that a list left out; after another question it asks why. Texts
    can identify people: read them before they are published.

    Attributes:
        prompt: the question.
        max_length: characters.
        required: whether it must be answered.
    """

    pictures: ClassVar[tuple[int, int]] = (1, 6)
    composed: ClassVar[bool] = True

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome("text", "text", "the words; empty for none", "answer in words", "free_text"),
    )

    prompt: Phrase = "What do you see?"
    max_length: int = Field(500, ge=1, le=5000)
    required: bool = False

    def view(self, showing: Showing) -> View:
        """Return the bounds of the text; see `Question.view`."""
        return {
            "prompt": showing.say(self.prompt),
            "layout": "text",
            "options": [],
            "max_length": self.max_length,
            "required": self.required,
        }

    def correct(self, showing: Showing) -> None:
        """Return None: no text is expected."""

    def phrases(self) -> list[str]:
        """Return the prompt."""
        return [self.prompt]

    @classmethod
    def read(cls, view: Mapping[str, Any], answer: str) -> Given:
        """Return the text without space around it, its line ends as line feeds."""
        try:
            text = plain(answer)
        except ValueError as error:
            raise AnswerError(f"The text has {error}. Please remove them.") from None
        if len(text) > view["max_length"]:
            raise AnswerError(f"Please write at most {view['max_length']} characters.")
        if view["required"] and not text:
            raise AnswerError("Please write a few words.")
        return Given(text, text)

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return the words."""
        return {"text": answered.answer or None}

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Name the class that is seen, by its number."""
        return str(int(percept.beliefs[0].argmax()))[: view["max_length"]]
