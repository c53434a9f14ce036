"""Which label fits best: one of N, in fixed order, or "can't tell"."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from study_app.questions import Percept, Phrase, Question, Showing, View, _labels, register


@register
class LabelNAFC(Question):
    """N-alternative forced choice of the label, with an optional way out.

    The first question of Ross & Doshi-Velez (2018). With two choices, the label that the machine
    gave and a foil or its second choice, the question of Zhou & Firestone (2019); what people
    answer depends on the foils (Dujmović et al. 2020), so the policy that chose them is recorded.
    All labels keep the dataset's order, so that a participant finds them without searching. Labels
    of one character answer to their own key.

    Attributes:
        prompt: the question.
        cant_tell: text of the way out ("unrecognisable" in Ross & Doshi-Velez); None offers none.
    """

    prompt: Phrase = "Which label fits this picture best?"
    cant_tell: Phrase | None = "Can't tell"

    def view(self, showing: Showing) -> View:
        """Return one option a label; see `Question.view`."""
        options = _labels.options(showing)
        if self.cant_tell is not None:
            taken = [option["key"] for option in options]
            key = next((key for key in "x0" if key not in taken), "")
            label = showing.say(self.cant_tell)
            options.append({"value": "cant_tell", "label": label, "key": key})
        return {
            "prompt": showing.say(self.prompt),
            "layout": _labels.layout(options),
            "options": options,
        }

    def correct(self, showing: Showing) -> str | None:
        """Return the true label; None when it is not among the choices."""
        return _labels.expected(showing, showing.pictures[0]["true_label"])

    def phrases(self) -> list[str]:
        """Return prompt and way out."""
        return [self.prompt, *([] if self.cant_tell is None else [self.cant_tell])]

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Draw a label by belief, among those offered."""
        return _labels.drawn(view, percept, rng)
