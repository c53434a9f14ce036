"""Questions: what is asked about a picture. One file per question type.

A question declares its parameters, what the browser gets, which answers it accepts, and the answer
that is expected where one is known. The browser draws every question from its view alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypedDict

from engine.registry import Component, Registry


class Option(TypedDict):
    """One answer: its stored value, what the button says, and the key that gives it."""

    value: str
    label: str
    key: str


class View(TypedDict):
    """What the browser gets of a question: everything it needs, and nothing it must not know."""

    prompt: str
    layout: Literal["grid", "row"]
    options: list[Option]


class Question(Component):
    """Asks one thing about one picture; an answer is the value of one of its options."""

    about_label: ClassVar[bool] = False
    """It speaks of a label that is shown with it."""

    prompt: str

    def view(self, class_names: Sequence[str], shown_label: int | None) -> View:
        """Return what the browser gets.

        Args:
            class_names: the dataset's labels in words.
            shown_label: the label the question speaks of, if it speaks of one.
        """
        raise NotImplementedError

    def correct(self, true_label: int, shown_label: int | None) -> str:
        """Return the value of the option expected when the picture is undisturbed."""
        raise NotImplementedError


def answer_label(view: Mapping[str, Any], answer: str) -> str | None:
    """Return what the button of `answer` says, or None when the view has no such option."""
    return next((o["label"] for o in view["options"] if o["value"] == answer), None)


registry: Registry[Question] = Registry("question", __name__)
register = registry.register
