"""Which label fits best: one of N, in fixed order, or "can't tell"."""

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


CANT_TELL = "cant_tell"
"""The answer of who took the way out."""


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

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "chose_target",
            "binary",
            "whether the label chosen is the one that the presentation asks about: the model's "
            "answer, or what the attack aims at; false for can't tell; empty where there is none, "
            "or it was not offered",
            "chose the target",
            "label_nafc",
        ),
        Outcome(
            "chose_true",
            "binary",
            "whether the label chosen is the class of the source image; false for can't tell; "
            "empty where it was not offered",
            "chose the true label",
            "label_nafc",
        ),
        Outcome(
            "cant_tell",
            "binary",
            "whether the participant could not tell; empty where that was not offered",
            "could not tell",
            "label_nafc",
        ),
        Outcome(
            "chosen_label",
            "choice",
            "class index of the label chosen; empty for can't tell",
            "label chosen",
            "label_nafc",
        ),
    )

    prompt: Phrase = "Which label fits this picture best?"
    cant_tell: Phrase | None = "Can't tell"

    def view(self, showing: Showing) -> View:
        """Return one option a label; see `Question.view`."""
        options = _labels.options(showing)
        if self.cant_tell is not None:
            taken = [option["key"] for option in options]
            key = next((key for key in "x0" if key not in taken), "")
            label = showing.say(self.cant_tell)
            options.append({"value": CANT_TELL, "label": label, "key": key})
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
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return which class was chosen, and beside which others; see `outcomes`."""
        chosen, offered = answered.answer, _labels.offered(answered.view)
        true = answered.pictures[0]["true_label"]
        return {
            "chose_target": _labels.chose(chosen, answered.asked_label, offered),
            "chose_true": _labels.chose(chosen, true, offered),
            "cant_tell": chosen == CANT_TELL if CANT_TELL in offered else None,
            "chosen_label": None if chosen == CANT_TELL else chosen,
        }

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Draw a label by belief, among those offered."""
        return _labels.drawn(view, percept, rng)
