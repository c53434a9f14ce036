"""Is this wrong label a reasonable mistake?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from study_app.questions import Question, View, register


@register
class TargetPlausible(Question):
    """Yes or no: could a person reasonably give the picture this label?

    The second question of Ross & Doshi-Velez (2018), asked about the label the model gave.

    Attributes:
        prompt: the question; `{label}` stands for the label.
        yes, no: texts of the two answers.
    """

    about_label: ClassVar[bool] = True

    prompt: str = "A computer labelled this {label}. Could a person reasonably say so?"
    yes: str = "Yes"
    no: str = "No"

    def view(self, class_names: Sequence[str], shown_label: int | None) -> View:
        """Return the two options; see `Question.view`."""
        if shown_label is None:
            raise ValueError("target_plausible asks about a label; none was given")
        return {
            "prompt": self.prompt.replace("{label}", class_names[shown_label]),
            "layout": "row",
            "options": [
                {"value": "yes", "label": self.yes, "key": "y"},
                {"value": "no", "label": self.no, "key": "n"},
            ],
        }

    def correct(self, true_label: int, shown_label: int | None) -> str:
        """Return yes for the true label, no for any other."""
        return "yes" if shown_label == true_label else "no"
