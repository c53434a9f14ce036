"""Are two pictures the same?"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from engine.analysis.outcomes import Outcome
from study_app.questions import (
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
class SameDifferent(Question):
    """Same or different, side by side: can a person see the disturbance at all?

    The same–different design of detection theory (Macmillan & Creelman 2005). Pairs of
    equal pictures are needed among the trials: without their false alarms there is no d'.

    Attributes:
        prompt: the question.
        same, different: texts of the two answers.
    """

    pictures: ClassVar[tuple[int, int]] = (2, 2)
    shuffled: ClassVar[bool] = True

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "said_different",
            "detection",
            "whether the participant says that the pictures differ",
            "said that they differ",
            "same_different",
            signal="was_different",
        ),
        Outcome(
            "was_different",
            "binary",
            "whether the pixels of the pictures differ",
            "differed",
            "same_different",
        ),
    )

    prompt: Phrase = "Are these two pictures exactly the same?"
    same: Phrase = "Same"
    different: Phrase = "Different"

    def view(self, showing: Showing) -> View:
        """Return the two options; see `Question.view`."""
        return {
            "prompt": showing.say(self.prompt),
            "layout": "row",
            "options": [
                {"value": "same", "label": showing.say(self.same), "key": "s"},
                {"value": "different", "label": showing.say(self.different), "key": "d"},
            ],
        }

    def correct(self, showing: Showing) -> str:
        """Compare the pixels' hashes, or whole passports that do not hold them."""
        return "different" if _differ(showing.pictures) else "same"

    def phrases(self) -> list[str]:
        """Return prompt and answers."""
        return [self.prompt, self.same, self.different]

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return which side was chosen, and which was right."""
        return {
            "said_different": answered.answer == "different",
            "was_different": _differ(answered.pictures),
        }

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Answer as expected where that is known, else by how far the beliefs are apart.

        The probability of "different" is the total variation distance of the two beliefs.
        """
        if percept.correct is not None:
            return percept.correct
        apart = abs(percept.beliefs[0] - percept.beliefs[1]).sum() / 2
        return "different" if rng.random() < apart else "same"


def _differ(pictures: Sequence[Mapping[str, Any]]) -> bool:
    first, second = (picture.get("pixels", picture) for picture in pictures)
    return bool(first != second)
