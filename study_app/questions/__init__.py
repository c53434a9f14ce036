"""Questions: what is asked about the pictures of a presentation. One file per question type.

A question declares its parameters, the pictures it needs, what the browser gets, which answers it
accepts and what is stored of them, the answer that is expected where one is known, and how a
simulated rater answers. The browser draws every question from its view alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NotRequired, Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from engine.analysis.outcomes import Outcome
from engine.components import Component, Registry
from study_app.questions._items import item_key, item_keys

if TYPE_CHECKING:
    from db.export import Answered

__all__ = [
    "MIN_EXPOSURE_MS",
    "MIN_WINDOW_MS",
    "TIMED_OUT",
    "AnswerError",
    "Given",
    "Layout",
    "Option",
    "Percept",
    "Phrase",
    "Question",
    "Showing",
    "Value",
    "View",
    "chosen",
    "create",
    "item_key",
    "item_keys",
    "read",
    "register",
    "registry",
]

Layout = Literal["grid", "row", "scale", "pictures", "rank", "point", "brush", "text", "survey"]
Value = str | float | int | bool | None
Phrase = Annotated[str, Field(min_length=1)]
"""Words that the participant reads, in the study's own language."""

TIMED_OUT = "timed_out"
"""What is stored where no answer came within the response window."""
MIN_EXPOSURE_MS = 100
"""Six frames at 60 Hz: one that is dropped is then a sixth of the exposure at most."""
MIN_WINDOW_MS = 500
"""A press counts from 200 ms on; nobody reads, looks and answers sooner than this."""


class Option(TypedDict):
    """One answer: its stored value, what the button says, and the key that gives it ("": none)."""

    value: str
    label: str
    key: str


class View(TypedDict):
    """What the browser gets of a question: everything it needs, and nothing it must not know.

    Layouts and the answers they give:
        grid, row, scale: buttons; the value of one of `options`. `ends`: words for both ends of a
            scale. `columns`: a grid has so many buttons in a row.
        pictures: the pictures are the buttons, then further buttons; the value of one of `options`,
            the first of which are the places "0", "1", … of the pictures.
        rank: every picture's place, best first: "2,0,1". No `options`; `captions` is always there.
        point: a pixel of the first picture, "x,y" from its top left corner. No `options`. `size`:
            width and height of that picture in pixels, where its passport tells.
        brush: cells of the first picture cut into `cells` x `cells`, row by row from 0, ascending:
            "17,18,25"; "" for none. No `options`.
        text: the text, of at most `max_length` characters; may be "" unless `required`.
        survey: a JSON object, item name -> answer; `items` as in `study_app.forms`.

    `captions`: a few words under each picture, in order. `note`: a line above the prompt, such as
    what the computer says. `exposure_ms`, `response_window_ms`: see `Question`. `picture_sizes`: by
    which of the player's rules the pictures are sized (`study_app.design`); left out: 1.
    """

    prompt: str
    layout: Layout
    options: list[Option]
    note: NotRequired[str]
    captions: NotRequired[list[str]]
    exposure_ms: NotRequired[int]
    response_window_ms: NotRequired[int]
    picture_sizes: NotRequired[int]
    columns: NotRequired[int]
    ends: NotRequired[list[str]]
    cells: NotRequired[int]
    size: NotRequired[list[int]]
    max_length: NotRequired[int]
    required: NotRequired[bool]
    items: NotRequired[list[dict[str, Any]]]


@dataclass(frozen=True)
class Showing:
    """What a question is asked about, when a participant's plan is drawn.

    Attributes:
        class_names: the dataset's labels in words.
        pictures: the passports of the pictures, in the order shown.
        shown_label: the label that the question speaks of, if it speaks of one.
        choices: the labels to choose among, in the order shown; None for all of them.
        say: translates a phrase of the study file into the participant's language.
        as_before: the study version was published before `picture_sizes` were noted, and goes on
            looking as it began.
    """

    class_names: Sequence[str]
    pictures: Sequence[Mapping[str, Any]]
    shown_label: int | None = None
    choices: tuple[int, ...] | None = None
    say: Callable[[str], str] = str
    as_before: bool = False

    def label(self) -> str:
        """Return the label that the question speaks of, in words.

        Raises:
            ValueError: no label was given.
        """
        if self.shown_label is None:
            raise ValueError("this question asks about a label; none was given")
        return self.say(self.class_names[self.shown_label])


@dataclass(frozen=True)
class Given:
    """An answer as it is stored.

    Attributes:
        answer: the answer in its one spelling: equal answers are equal texts.
        label: the answer in the words that the participant saw.
        values: the data columns that the question type declares, by name.
    """

    answer: str
    label: str
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Percept:
    """What a simulated rater makes of a presentation.

    Attributes:
        beliefs: float (P, K), for each picture in the order shown a probability for every class.
        shown_label: the label that the question speaks of.
        correct: the expected answer, where one is known (practice and catch).
    """

    beliefs: NDArray[np.float64]
    shown_label: int | None = None
    correct: str | None = None

    def likeness(self) -> NDArray[np.float64]:
        """Return for each picture the belief in the shown label beside the strongest: 0 to 1.

        Raises:
            ValueError: no label was given.
        """
        if self.shown_label is None:
            raise ValueError("this question asks about a label; none was given")
        likeness: NDArray[np.float64] = self.beliefs[:, self.shown_label] / self.beliefs.max(axis=1)
        return likeness


class AnswerError(ValueError):
    """The answer is none to this question; says why in a sentence."""


class Question(Component):
    """Asks one thing about the pictures of one presentation.

    Attributes:
        prompt: the question.
        exposure_ms: how long the pictures are shown, in milliseconds from their first frame; then
            their places are empty and the question stays. None: until the answer. 0: the pictures
            of the question before are not shown again. A browser keeps to whole frames.
        response_window_ms: within what time the answer must be given, in milliseconds from the
            first frame; then the trial ends without one. None: there is no hurry.
    """

    about_label: ClassVar[bool] = False
    """It speaks of a label that is shown with it."""

    pictures: ClassVar[tuple[int, int]] = (1, 1)
    """How few and how many pictures a presentation may have."""

    shuffled: ClassVar[bool] = False
    """The pictures change places from participant to participant: neither side is favoured."""

    columns: ClassVar[Mapping[str, str]] = {}
    """The data columns it yields beside the answer: name -> what it holds."""

    outcomes: ClassVar[tuple[Outcome, ...]] = ()
    """What its answers mean, as variables; the first is what the question is asked for."""

    composed: ClassVar[bool] = False
    """The answer is written rather than chosen, so that it cannot be due at a moment."""

    prompt: Phrase
    exposure_ms: int | None = Field(None, ge=0, le=60_000)
    response_window_ms: int | None = Field(None, ge=MIN_WINDOW_MS, le=600_000)

    @field_validator("exposure_ms")
    @classmethod
    def _browsers_can_keep_to_it(cls, exposure_ms: int | None) -> int | None:
        if exposure_ms and exposure_ms < MIN_EXPOSURE_MS:
            raise ValueError(
                f"less than {MIN_EXPOSURE_MS}: a browser cannot "
                "promise that on an unknown display; see docs/questions.md"
            )
        return exposure_ms

    @model_validator(mode="after")
    def _times_are_possible(self) -> Self:
        if self.composed and self.response_window_ms is not None:
            raise ValueError("response_window_ms: words are not written against the clock")
        return self

    @model_validator(mode="after")
    def _says_the_label(self) -> Self:
        said = [phrase for phrase in self.phrases() if "{label}" in phrase]
        if self.about_label and not said:
            raise ValueError("asks about a label and never says it; write {label} where it belongs")
        if not self.about_label and any(phrase != self.prompt for phrase in said):
            raise ValueError("{label} can stand in the prompt only; elsewhere it is not filled in")
        return self

    @property
    def of_two(self) -> bool:
        """Whether one of two must be chosen, so that chance is 1/2 by construction."""
        return False

    def view(self, showing: Showing) -> View:
        """Return what the browser gets. Every phrase goes through `showing.say`."""
        raise NotImplementedError

    def correct(self, showing: Showing) -> str | None:
        """Return the answer expected of undisturbed pictures; None where there is none."""
        raise NotImplementedError

    def phrases(self) -> list[str]:
        """Return every phrase that a translation must have, as the study file spells it."""
        raise NotImplementedError

    @classmethod
    def read(cls, view: Mapping[str, Any], answer: str) -> Given:
        """Return what is stored of `answer`, judged by the view that the participant had.

        Raises:
            AnswerError: it is no answer to this question.
        """
        return chosen(view, answer)

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return the value of each of `outcomes` by name, for an answer that came in time.

        None, or no entry, where the outcome does not apply. Decided by indices and keys, never by
        the words on a button.
        """
        return {}

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Return the answer of a rater who perceives `percept`; must pass `read`."""
        raise NotImplementedError


def read(task: str, view: Mapping[str, Any], answer: str) -> Given:
    """Return what is stored of an answer to a question of type `task`, or of none in time.

    Raises:
        AnswerError: it is no answer to this question.
    """
    if answer == TIMED_OUT and "response_window_ms" in view:
        return Given(TIMED_OUT, "", {"timed_out": True})
    return registry.get(task).read(view, answer)


def chosen(view: Mapping[str, Any], answer: str) -> Given:
    """Return the option whose value is `answer`. Raises AnswerError when there is none."""
    for option in view["options"]:
        if option["value"] == answer:
            return Given(answer, option["label"])
    raise AnswerError("That is not one of the answers to this question.")


registry: Registry[Question] = Registry("question", __name__)
register = registry.register


def create(name: str, **params: Any) -> Question:
    """Return the question `name` with `params`; see `Registry.create`."""
    return registry.create(name, **params)
