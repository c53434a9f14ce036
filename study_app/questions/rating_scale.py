"""How much, on a scale of n points?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from engine.analysis.outcomes import Outcome
from study_app.questions import (
    Given,
    Option,
    Percept,
    Phrase,
    Question,
    Showing,
    Value,
    View,
    chosen,
    register,
)

if TYPE_CHECKING:
    from db.export import Answered


@register
class RatingScale(Question):
    """A rating from 1 to n, with words at both ends (Likert 1932).

    HIVE (Kim et al. 2022) has people rate on four points how similar two parts of pictures are that
    a model takes for the same. People use a scale differently: compare within participants, or ask
    `pair_preference`.

    Attributes:
        prompt: the question.
        ends: what 1 and the highest rating mean.
        points: number of answers; an even number has no middle.
    """

    pictures: ClassVar[tuple[int, int]] = (1, 3)
    columns: ClassVar[Mapping[str, str]] = {
        "rating": "the rating, from 1 to the question's number of points"
    }

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "rating",
            "ordinal",
            "the rating, from 1 to the question's number of points",
            "rating",
            "rating_scale",
            low=1,
        ),
    )

    prompt: Phrase = "How easy is it to recognise what this shows?"
    ends: tuple[Phrase, Phrase] = ("Very hard", "Very easy")
    points: int = Field(7, ge=2, le=10)

    def view(self, showing: Showing) -> View:
        """Return the points in ascending order; see `Question.view`."""
        options: list[Option] = [
            {"value": str(point), "label": str(point), "key": str(point % 10)}
            for point in range(1, self.points + 1)
        ]
        return {
            "prompt": showing.say(self.prompt),
            "layout": "scale",
            "options": options,
            "ends": [showing.say(end) for end in self.ends],
        }

    def correct(self, showing: Showing) -> None:
        """Return None: a rating is neither right nor wrong."""

    def phrases(self) -> list[str]:
        """Return prompt and ends."""
        return [self.prompt, *self.ends]

    @classmethod
    def read(cls, view: Mapping[str, Any], answer: str) -> Given:
        """Return the rating, also as a number."""
        return Given(answer, chosen(view, answer).label, {"rating": int(answer)})

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return the rating as a number."""
        return {"rating": int(answered.answer)}

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Rate by how clearly the first picture can be read, with binomial noise."""
        clear = float(percept.beliefs[0].max())
        return str(1 + sum(rng.random() < clear for _ in view["options"][1:]))
