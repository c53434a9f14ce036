"""Are two pictures the same?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from study_app.questions import Percept, Phrase, Question, Showing, View, register


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
        first, second = (picture.get("pixels", picture) for picture in showing.pictures)
        return "same" if first == second else "different"

    def phrases(self) -> list[str]:
        """Return prompt and answers."""
        return [self.prompt, self.same, self.different]

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Answer as expected where that is known, else by how far the beliefs are apart.

        The probability of "different" is the total variation distance of the two beliefs.
        """
        if percept.correct is not None:
            return percept.correct
        apart = abs(percept.beliefs[0] - percept.beliefs[1]).sum() / 2
        return "different" if rng.random() < apart else "same"
