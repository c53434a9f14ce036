"""Which of two pictures or maps is better?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from engine.analysis.outcomes import TIE, Outcome
from study_app.questions import (
    Percept,
    Phrase,
    Question,
    Showing,
    Value,
    View,
    _pictures,
    register,
)

if TYPE_CHECKING:
    from db.export import Answered


@register
class PairPreference(Question):
    """A preference between two pictures, such as the maps of one image under two defenses.

    Paired comparison, whose answers make a scale (Bradley & Terry 1952; with ties, Davidson 1970);
    asked about explanations by Jeyakumar et al. (2020). A preference tells what people like, not
    what helps them: `simulate_model` and `accept_reject` measure that.

    Attributes:
        prompt: the question.
        tie: text of the answer for "no preference"; None forces a choice.
    """

    pictures: ClassVar[tuple[int, int]] = (2, 2)
    shuffled: ClassVar[bool] = True

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "preferred",
            "preference",
            f"key of the picture preferred, or {TIE}; empty where both have the same key",
            "preferred",
            "pair_preference",
        ),
    )

    prompt: Phrase = "Which of the two shows better what matters in the picture?"
    tie: Phrase | None = "No difference"

    def view(self, showing: Showing) -> View:
        """Return the places of the pictures, and the tie; see `Question.view`."""
        return {
            "prompt": showing.say(self.prompt),
            "layout": "pictures",
            "options": _pictures.options(showing, self.tie),
        }

    def correct(self, showing: Showing) -> None:
        """Return None: a preference is neither right nor wrong."""

    def phrases(self) -> list[str]:
        """Return prompt and tie."""
        return [self.prompt, *([] if self.tie is None else [self.tie])]

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return what was preferred."""
        return {"preferred": _pictures.preferred(answered)}

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Draw a picture by how clearly it can be read."""
        return _pictures.drawn(view, percept.beliefs.max(axis=1).tolist(), rng)
