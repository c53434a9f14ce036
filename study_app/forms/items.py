"""Forms: a few questions on one page that are not about pictures.

Screening, comprehension check and demographics are forms, and so is a survey among the trials. The
browser draws a form from its items alone; what an answer must be is checked here, on the server.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from engine.components import Document
from study_app.forms.plain_text import plain

MAX_TEXT = 2000
"""Characters of a text answer, unless the item says less."""

_LARGEST = 1e15
"""The largest number that is taken for an answer; up to it whole numbers stay exact."""


class FormError(ValueError):
    """The answers do not fit the form; says which item, and why, in a sentence."""


class Choice(Document):
    """One option of an item."""

    value: str = Field(pattern=r"^[a-z0-9_-]{1,40}$")
    label: str = Field(min_length=1)


class Item(Document):
    """One question of a form.

    Attributes:
        name: the column of its answers in the export.
        kind: `choice` (one of the options), `choices` (any of them), `number`, `text`, or `scale`
            (1 to the number of options, whose labels are shown).
        prompt: what is asked.
        options: for choice, choices and scale.
        low, high: for number, inclusive; unset means unbounded.
        max_length: for text.
        required: whether it must be answered; "prefer not to say" is an option of its own.
        accept: in screening, the answers of those who may take part (choice), all others are
            thanked and sent home; for number the bounds say it.
        correct: in a comprehension check, the right answer.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)
    kind: Literal["choice", "choices", "number", "text", "scale"]
    prompt: str = Field(min_length=1)
    options: tuple[Choice, ...] = ()
    low: float | None = None
    high: float | None = None
    max_length: int = Field(MAX_TEXT, ge=1, le=MAX_TEXT)
    required: bool = True
    accept: tuple[str, ...] | None = None
    correct: str | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Item:
        values = [option.value for option in self.options]
        if self.kind in ("choice", "choices", "scale") and len(values) < 2:
            raise ValueError(f"{self.name}: a {self.kind} needs at least two options")
        if self.kind in ("number", "text") and values:
            raise ValueError(f"{self.name}: a {self.kind} has no options")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.name}: low {self.low:g} is above high {self.high:g}")
        if len(set(values)) < len(values):
            raise ValueError(f"{self.name}: two options have the same value")
        for key, wanted in (("accept", self.accept or ()), ("correct", (self.correct,))):
            unknown = [v for v in wanted if v is not None and v not in values]
            if unknown:
                raise ValueError(f"{self.name}: {key} names {unknown[0]!r}, which is no option")
        return self

    def view(self, say: Callable[[str], str]) -> dict[str, Any]:
        """Return what the browser gets: neither `accept` nor `correct`."""
        shown = self.model_dump(mode="json", exclude={"accept", "correct"})
        shown["prompt"] = say(self.prompt)
        shown["options"] = [{"value": o.value, "label": say(o.label)} for o in self.options]
        return shown

    def phrases(self) -> list[str]:
        """Return every phrase that a translation must have."""
        return [self.prompt, *(option.label for option in self.options)]


class Device(Document):
    """What a participant's device must have.

    Attributes:
        min_width, min_height: of the window, in CSS pixels.
        pointer: mouse or touch; any takes both.
    """

    min_width: int = Field(0, ge=0, le=10_000)
    min_height: int = Field(0, ge=0, le=10_000)
    pointer: Literal["any", "mouse", "touch"] = "any"


class _Form(Document):
    items: tuple[Item, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [item.name for item in self.items]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two items are called {', '.join(twice)}")
        return self

    @property
    def tries(self) -> int:
        """How often it may be filled in."""
        return 1

    def phrases(self) -> list[str]:
        """Return every phrase that a translation must have."""
        return [phrase for item in self.items for phrase in item.phrases()]


class Screening(_Form):
    """Who may take part, asked and looked at before the instructions.

    Attributes:
        items: questions; `accept` and the bounds of numbers say whose answers are taken.
        device: what the device must have; None takes any.
        calibration: let people hold a bank card to the screen, so that sizes are known in mm.
    """

    device: Device | None = None
    calibration: bool = False


class Comprehension(_Form):
    """Whether the instructions were understood, asked after them and before admission.

    Attributes:
        attempts: how often one may try; the instructions are shown again in between.
        items: choices, each with its `correct` answer.
    """

    attempts: int = Field(2, ge=1, le=5)
    items: tuple[Item, ...] = Field(min_length=1)

    @property
    def tries(self) -> int:
        """How often one may try."""
        return self.attempts

    @model_validator(mode="after")
    def _answers_are_known(self) -> Comprehension:
        unknown = [item.name for item in self.items if item.correct is None]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: a comprehension check needs `correct`")
        return self


class Demographics(_Form):
    """What is asked of people after the last trial."""

    items: tuple[Item, ...] = Field(min_length=1)


def read(items: Sequence[Mapping[str, Any]], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers to `items` (as `Item.view` has them), checked.

    A choice or scale is its option's value, choices a list of them in the form's order, a number a
    float, a text a str; what was left out is None.

    Raises:
        FormError: an unknown item, one that is required and missing, or an answer of another kind.
    """
    unknown = set(answers) - {item["name"] for item in items}
    if unknown:
        raise FormError(f"The form has no question {min(unknown)!r}.")
    return {item["name"]: _read(item, answers.get(item["name"])) for item in items}


def canonical(answers: Mapping[str, Any]) -> str:
    """Return the one spelling of a form's answers: JSON with sorted keys."""
    return json.dumps(answers, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _read(item: Mapping[str, Any], given: Any) -> Any:
    name = item["name"]
    if given in (None, []) or (isinstance(given, str) and not given.strip()):
        if item["required"]:
            raise FormError(f"The question {name!r} has not been answered.")
        return None
    values = [option["value"] for option in item["options"]]
    match item["kind"]:
        case "choice" | "scale" if given in values:
            return given
        case "choices" if isinstance(given, list) and all(v in values for v in given):
            return [value for value in values if value in given]
        case "number" if isinstance(given, int | float) and not isinstance(given, bool):
            low, high = item["low"], item["high"]
            if abs(given) > _LARGEST or math.isnan(given):
                raise FormError(f"The answer to {name!r} must be a number that makes sense.")
            if (low is not None and given < low) or (high is not None and given > high):
                raise FormError(f"The answer to {name!r} is out of range.")
            return float(given)
        case "text" if isinstance(given, str):
            if len(given) > item["max_length"]:
                raise FormError(f"The answer to {name!r} is too long.")
            try:
                return plain(given)
            except ValueError as error:
                raise FormError(f"The answer to {name!r} has {error}.") from None
    raise FormError(f"That is not an answer to the question {name!r}.")
