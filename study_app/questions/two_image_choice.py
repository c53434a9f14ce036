"""Which of two pictures looks more like a label?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from study_app.questions import Percept, Phrase, Question, Showing, View, _pictures, register


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

    prompt: Phrase = "Which picture looks more like {label}?"
    tie: Phrase | None = None

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
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Draw a picture by how much it looks like the label."""
        return _pictures.drawn(view, percept.likeness().tolist(), rng)
