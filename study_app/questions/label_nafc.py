"""Which label fits best: one of N, in fixed order, or "can't tell"."""

from __future__ import annotations

from collections.abc import Sequence

from study_app.questions import Option, Question, View, register


@register
class LabelNAFC(Question):
    """N-alternative forced choice of the label, with an optional way out.

    The first question of Ross & Doshi-Velez (2018). Labels keep the dataset's order, so that a
    participant finds them without searching. Labels of one character answer to their own key.

    Attributes:
        prompt: the question.
        cant_tell: text of the way out ("unrecognisable" in the paper); None offers none.
    """

    prompt: str = "Which label fits this picture best?"
    cant_tell: str | None = "Can't tell"

    def view(self, class_names: Sequence[str], shown_label: int | None) -> View:
        """Return one option a label; see `Question.view`."""
        options: list[Option] = [
            {"value": str(i), "label": name, "key": name.lower() if len(name) == 1 else ""}
            for i, name in enumerate(class_names)
        ]
        if self.cant_tell is not None:
            options.append({"value": "cant_tell", "label": self.cant_tell, "key": "x"})
        return {"prompt": self.prompt, "layout": "grid", "options": options}

    def correct(self, true_label: int, shown_label: int | None) -> str:
        """Return the true label."""
        return str(true_label)
