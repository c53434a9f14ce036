"""Several questions on one page, among the trials."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from study_app import forms
from study_app.forms import Item
from study_app.questions import (
    AnswerError,
    Given,
    Percept,
    Phrase,
    Question,
    Showing,
    Value,
    View,
    register,
)


def _fit_for_a_survey(items: tuple[Item, ...]) -> tuple[Item, ...]:
    names = [item.name for item in items]
    for item in items:
        if names.count(item.name) > 1:
            raise ValueError(f"two items are called {item.name!r}")
        if item.accept is not None or item.correct is not None:
            raise ValueError(f"{item.name}: a survey judges no answer; remove accept and correct")
    return items


@register
class Survey(Question):
    """A block of form items about what is shown, such as trust and effort after each picture.

    Its data columns are its items, by name: they differ from survey to survey, so the class
    declares none.

    Attributes:
        prompt: heading of the page.
        items: the questions; see `study_app.forms.Item`.
    """

    pictures: ClassVar[tuple[int, int]] = (1, 6)
    composed: ClassVar[bool] = True

    prompt: Phrase = "A few questions about what you have just seen"
    items: Annotated[tuple[Item, ...], Field(min_length=1), AfterValidator(_fit_for_a_survey)]

    def view(self, showing: Showing) -> View:
        """Return the items; see `Question.view`."""
        return {
            "prompt": showing.say(self.prompt),
            "layout": "survey",
            "options": [],
            "items": [item.view(showing.say) for item in self.items],
        }

    def correct(self, showing: Showing) -> None:
        """Return None: no answers are expected."""

    def phrases(self) -> list[str]:
        """Return prompt, questions and options."""
        return [self.prompt, *(phrase for item in self.items for phrase in item.phrases())]

    @classmethod
    def read(cls, view: Mapping[str, Any], answer: str) -> Given:
        """Return the answers as canonical JSON, and one value an item."""
        try:
            given = json.loads(answer)
        except (ValueError, RecursionError):
            raise AnswerError("The answers are not JSON.") from None
        if not isinstance(given, dict):
            raise AnswerError("The answers are not a JSON object.")
        try:
            answers = forms.read(view["items"], given)
        except forms.FormError as error:
            raise AnswerError(str(error)) from None
        values = {name: _value(answers[name]) for name in answers}
        label = "; ".join(_in_words(item, answers[item["name"]]) for item in view["items"])
        return Given(forms.canonical(answers), label, values)

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Answer at random: the items are not about what is seen."""
        return forms.canonical({item["name"]: _some(item, rng) for item in view["items"]})


def _value(answer: Any) -> Value:
    """Return an answer as one cell of a table: several choices with commas between."""
    return ",".join(answer) if isinstance(answer, list) else answer


def _in_words(item: Mapping[str, Any], answer: Any) -> str:
    labels = {option["value"]: option["label"] for option in item["options"]}
    match answer:
        case None:
            words = "–"
        case list():
            words = ", ".join(labels[one] for one in answer)
        case float():
            words = f"{answer:.15g}"
        case _:
            words = labels.get(answer, answer)
    return f"{item['prompt']} {words}"


def _some(item: Mapping[str, Any], rng: random.Random) -> Any:
    values = [option["value"] for option in item["options"]]
    match item["kind"]:
        case "number":
            bounds = [bound for bound in (item["low"], item["high"]) if bound is not None]
            return rng.choice(bounds or [0.0])
        case "choices":
            ticked = rng.sample(values, rng.randint(1, len(values)))
            return [value for value in values if value in ticked]
        case "text":
            return "-" if item["required"] else None
    return rng.choice(values)
