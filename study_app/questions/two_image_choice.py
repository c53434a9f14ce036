"""Which of two pictures looks more like a label?"""

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
class TwoImageChoice(Question):
    """Two-alternative forced choice between pictures, about a label that both may lack.

    Veerabadran et al. (2023): one image disturbed towards two classes, "which looks more like a
    cat?", without a time limit. Chance is 1/2 by construction, whatever people think of the label,
    because the sides change from participant to participant.

    Attributes:
        prompt: the question; `{label}` stands for the label.
        tie: text of a third answer for "neither"; None, as in the paper, forces a choice.
    """

    about_label: ClassVar[bool] = True
    pictures: ClassVar[tuple[int, int]] = (2, 2)
    shuffled: ClassVar[bool] = True

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "chose_aimed",
            "binary",
            "whether the picture chosen is the one that an attack changed towards the label asked "
            "about; false for a tie; empty where not exactly one was",
            "chose the picture aimed at the label",
            "two_image_choice",
        ),
        Outcome(
            "looks_more_like",
            "preference",
            f"key of the picture chosen, or {TIE}; empty where both have the same key",
            "picture that looks more like the label",
            "two_image_choice",
        ),
    )

    prompt: Phrase = "Which picture looks more like {label}?"
    tie: Phrase | None = None

    @property
    def of_two(self) -> bool:
        """Whether no tie is offered."""
        return self.tie is None

    def view(self, showing: Showing) -> View:
        """Return the places of the pictures, and the tie; see `Question.view`."""
        return {
            "prompt": showing.say(self.prompt).replace("{label}", showing.label()),
            "layout": "pictures",
            "options": _pictures.options(showing, self.tie),
        }

    def correct(self, showing: Showing) -> str | None:
        """Return the picture of that label, where exactly one is."""
        fits = [p["true_label"] == showing.shown_label for p in showing.pictures]
        return str(fits.index(True)) if fits.count(True) == 1 else None

    def phrases(self) -> list[str]:
        """Return prompt and tie."""
        return [self.prompt, *([] if self.tie is None else [self.tie])]

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return what was chosen, and whether an attack aimed at the label with it.

        A control has the target of the attack that it is as large as, and aims at nothing.
        """
        aimed = [
            str(place)
            for place, picture in enumerate(answered.pictures)
            if picture["kind"] == "adversarial" and picture["target"] == answered.shown_label
        ]
        return {
            "chose_aimed": answered.answer == aimed[0] if len(aimed) == 1 else None,
            "looks_more_like": _pictures.preferred(answered),
        }

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Draw a picture by how much it looks like the label."""
        return _pictures.drawn(view, percept.likeness().tolist(), rng)
