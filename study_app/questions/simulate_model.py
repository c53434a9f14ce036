"""What will the computer say?"""

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
    _labels,
    register,
)

if TYPE_CHECKING:
    from db.export import Answered


@register
class SimulateModel(Question):
    """Predict the model: which label will it give, right or wrong?

    Forward simulation (Doshi-Velez & Kim 2017) in the form of Colin et al. (2022): practice with
    feedback teaches what the model says, with or without maps by arm; then the pictures come alone.
    An explanation is useful as far as the arm that had it predicts the model better. The expected
    answer is the model's, not the truth.

    Attributes:
        prompt: the question.
    """

    pictures: ClassVar[tuple[int, int]] = (1, 2)

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "correct",
            "binary",
            "whether the label predicted is the one that the model gave the first picture; empty "
            "where no model was asked, or its answer was not offered",
            "predicted the computer's answer",
            "simulate_model",
        ),
        Outcome(
            "predicted_label",
            "choice",
            "class index of the label predicted",
            "label predicted",
            "simulate_model",
        ),
    )

    prompt: Phrase = "What will the computer say that this is?"

    def view(self, showing: Showing) -> View:
        """Return one option a label; see `Question.view`."""
        options = _labels.options(showing)
        return {
            "prompt": showing.say(self.prompt),
            "layout": _labels.layout(options),
            "options": options,
        }

    def correct(self, showing: Showing) -> str | None:
        """Return what the model said of the first picture; None where no model was asked."""
        answer = showing.pictures[0]["prediction"]
        return _labels.expected(showing, answer["label"]) if answer else None

    def phrases(self) -> list[str]:
        """Return the prompt."""
        return [self.prompt]

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return which class was predicted, and whether the model gave it."""
        said = answered.pictures[0]["prediction"]
        # In practice and catch trials the label that is asked about stands for the model's answer.
        right = answered.correct or (str(said["label"]) if said else None)
        there = right in _labels.offered(answered.view)
        return {
            "correct": answered.answer == right if there else None,
            "predicted_label": answered.answer,
        }

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Answer as expected where that is known, else as if the model saw what people see."""
        if percept.correct is not None:
            return percept.correct
        return _labels.drawn(view, percept, rng)
