"""Is the computer's answer right?"""

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
class AcceptReject(Question):
    """Accept or reject the model's label, seeing what helps to judge it.

    Nguyen et al. (2021): the picture with the model's label and, by arm, its confidence, a map or
    nothing. How often people are right with the help and without it is what the help is worth; the
    pictures after the first are the help. The agreement task of HIVE (Kim et al. 2022) is this
    question too, with degrees of confidence: ask `rating_scale` after it.

    Attributes:
        prompt: the question.
        note: the line above it; `{label}` stands for the label that the computer gave.
        confidence: a sentence after it, `{confidence}` being the model's confidence in percent;
            left out where the label shown is not what the model said of the first picture.
        accept, reject: texts of the two answers.
    """

    about_label: ClassVar[bool] = True
    pictures: ClassVar[tuple[int, int]] = (1, 3)

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "judged_right",
            "binary",
            "whether the participant accepts a label that is the class of the source image, or "
            "rejects one that is not",
            "judged the computer rightly",
            "accept_reject",
        ),
        Outcome(
            "accepted",
            "binary",
            "whether the participant accepts the label shown",
            "accepted the label",
            "accept_reject",
        ),
    )

    prompt: Phrase = "Is that right?"
    note: Phrase = "The computer says: {label}."
    confidence: Phrase | None = None
    accept: Phrase = "Yes"
    reject: Phrase = "No"

    def view(self, showing: Showing) -> View:
        """Return the two options, and what the computer says; see `Question.view`."""
        label = showing.label()
        said = [showing.say(self.note).replace("{label}", label)]
        answer = showing.pictures[0]["prediction"]
        if self.confidence and answer and answer["label"] == showing.shown_label:
            percent = f"{100 * answer['confidence']:.0f}"
            said.append(showing.say(self.confidence).replace("{confidence}", percent))
        return {
            "prompt": showing.say(self.prompt).replace("{label}", label),
            "layout": "row",
            "options": [
                {"value": "accept", "label": showing.say(self.accept), "key": "y"},
                {"value": "reject", "label": showing.say(self.reject), "key": "n"},
            ],
            "note": " ".join(said),
        }

    def correct(self, showing: Showing) -> str:
        """Return accept for the true label, reject for any other."""
        return "accept" if showing.shown_label == showing.pictures[0]["true_label"] else "reject"

    def phrases(self) -> list[str]:
        """Return prompt, what the computer says, and answers."""
        sure = [] if self.confidence is None else [self.confidence]
        return [self.prompt, self.note, *sure, self.accept, self.reject]

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return whether the label was accepted, and whether that was right."""
        accepted = answered.answer == "accept"
        true = answered.shown_label == answered.pictures[0]["true_label"]
        return {"accepted": accepted, "judged_right": accepted == true}

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Accept with the label's belief relative to the strongest one."""
        return "accept" if rng.random() < percept.likeness()[0] else "reject"
