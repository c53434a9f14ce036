"""Is this wrong label a reasonable mistake?"""

from __future__ import annotations

import random
from collections.abc import Mapping
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
class TargetPlausible(Question):
    """Yes or no: could a person reasonably give the picture this label?

    The second question of Ross & Doshi-Velez (2018), asked about the label the model gave.

    Attributes:
        prompt: the question; `{label}` stands for the label.
        yes, no: texts of the two answers.
    """

    about_label: ClassVar[bool] = True

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "said_plausible",
            "binary",
            "whether the participant says that a person could reasonably give the label shown",
            "called the label plausible",
            "target_plausible",
        ),
    )

    prompt: Phrase = "A computer labelled this {label}. Could a person reasonably say so?"
    yes: Phrase = "Yes"
    no: Phrase = "No"

    def view(self, showing: Showing) -> View:
        """Return the two options; see `Question.view`."""
        return {
            "prompt": showing.say(self.prompt).replace("{label}", showing.label()),
            "layout": "row",
            "options": [
                {"value": "yes", "label": showing.say(self.yes), "key": "y"},
                {"value": "no", "label": showing.say(self.no), "key": "n"},
            ],
        }

    def correct(self, showing: Showing) -> str:
        """Return yes for the true label, no for any other."""
        return "yes" if showing.shown_label == showing.pictures[0]["true_label"] else "no"

    def phrases(self) -> list[str]:
        """Return prompt and answers."""
        return [self.prompt, self.yes, self.no]

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return whether the answer is yes."""
        return {"said_plausible": answered.answer == "yes"}

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Say yes with the label's belief relative to the strongest one."""
        return "yes" if rng.random() < percept.likeness()[0] else "no"
