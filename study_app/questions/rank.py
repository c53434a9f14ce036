"""In which order do several pictures come?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from engine.analysis.outcomes import ORDER, Outcome
from study_app.questions import (
    AnswerError,
    Given,
    Percept,
    Phrase,
    Question,
    Showing,
    Value,
    View,
    item_keys,
    register,
)

if TYPE_CHECKING:
    from db.export import Answered


@register
class Rank(Question):
    """A full ranking of two to six pictures, best first.

    A ranking of n pictures is read as n - 1 choices of the best of what is left (Luce 1959,
    Plackett 1975), so it joins paired comparisons in one analysis. Without ties: the pictures come
    in another order to each participant, and what is equal to all of them ends up level.

    Attributes:
        prompt: the question; says what "first" means.
    """

    pictures: ClassVar[tuple[int, int]] = (2, 6)
    shuffled: ClassVar[bool] = True

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "ranking",
            "ranking",
            f"keys of the pictures, best first, joined by '{ORDER}'; empty where two have the same "
            "key",
            "order of the pictures",
            "rank",
        ),
    )

    prompt: Phrase = "Put the pictures in order, the one that is easiest to recognise first."

    def view(self, showing: Showing) -> View:
        """Return a letter for each picture, by which it can be spoken of; see `Question.view`."""
        return {
            "prompt": showing.say(self.prompt),
            "layout": "rank",
            "options": [],
            "captions": list("ABCDEF"[: len(showing.pictures)]),
        }

    def correct(self, showing: Showing) -> None:
        """Return None: no order is expected."""

    def phrases(self) -> list[str]:
        """Return the prompt."""
        return [self.prompt]

    @classmethod
    def read(cls, view: Mapping[str, Any], answer: str) -> Given:
        """Return the order of the places; its label is that of the captions."""
        captions = view["captions"]
        places = answer.split(",")
        if sorted(places) != [str(place) for place in range(len(captions))]:
            raise AnswerError("Every picture must be in the order, exactly once.")
        return Given(answer, " > ".join(captions[int(place)] for place in places))

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return the order of what the pictures are examples of."""
        items = item_keys(answered.pictures, answered.asked_label)
        if len(set(items)) < len(items):
            return {}
        return {"ranking": ORDER.join(items[int(place)] for place in answered.answer.split(","))}

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Draw an order by how clearly each picture can be read (Plackett–Luce)."""
        # The order of exponential waiting times with these rates is a Plackett–Luce draw.
        waits = [rng.expovariate(float(rate)) for rate in percept.beliefs.max(axis=1)]
        return ",".join(str(place) for place in sorted(range(len(waits)), key=waits.__getitem__))
