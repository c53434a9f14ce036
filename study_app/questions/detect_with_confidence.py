"""Was this picture changed, and how sure is that?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from engine.analysis.outcomes import Outcome
from study_app.questions import (
    Given,
    Option,
    Percept,
    Phrase,
    Question,
    Showing,
    Value,
    View,
    chosen,
    register,
)

if TYPE_CHECKING:
    from db.export import Answered


@register
class DetectWithConfidence(Question):
    """Detection and confidence in one answer: a scale from a sure no to a sure yes.

    The rating experiment of detection theory (Macmillan & Creelman 2005): each border
    between two answers is a criterion, and together they give the whole ROC curve from one answer a
    picture. There is no middle: a guess is a guess in one direction.

    Two rows of buttons, one per side, from sure to unsure: as high as a grid of labels, so that the
    picture has the size that it has for other questions.

    Attributes:
        prompt: the question.
        no, yes: the two sides.
        sure: what both ends of each row are called; the buttons say "No, sure" … "No, unsure".
        ends: what the ends mean of the one scale that studies keep which were published with it.
        levels: degrees of confidence a side.
    """

    columns: ClassVar[Mapping[str, str]] = {
        "detected": "whether the participant says that the picture was changed",
        "confidence": "how sure the participant is, from 1 to the question's levels",
    }

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "detected",
            "detection",
            "whether the participant says that the picture was changed",
            "said that it was changed",
            "detect_with_confidence",
            signal="was_changed",
        ),
        Outcome(
            "was_changed",
            "binary",
            "whether the picture was changed, by an attack or at random; empty for a map",
            "was changed",
            "detect_with_confidence",
        ),
        Outcome(
            "confidence",
            "ordinal",
            "how sure the participant is of the side chosen, from 1 to the question's levels",
            "confidence",
            "detect_with_confidence",
            low=1,
        ),
    )

    prompt: Phrase = "Was this picture changed?"
    no: Phrase = "No"
    yes: Phrase = "Yes"
    sure: tuple[Phrase, Phrase] = ("sure", "unsure")
    ends: tuple[Phrase, Phrase] = ("Surely not changed", "Surely changed")
    levels: int = Field(3, ge=2, le=5)

    def config(self) -> dict[str, Any]:
        """Return the configuration; of studies that do not name `sure` as it was without it."""
        config = super().config()
        if self.sure == type(self).model_fields["sure"].default:
            del config["sure"]
        return config

    def view(self, showing: Showing) -> View:
        """Return a row for no and one for yes, each from sure to unsure; see `Question.view`."""
        if showing.as_before:
            return self._scale(showing)
        levels = range(self.levels, 0, -1)
        sides = [("no", self.no, level) for level in levels]
        sides += [("yes", self.yes, level) for level in levels]
        options: list[Option] = [
            {"value": f"{side}:{level}", "label": self._label(showing, word, level), "key": key}
            for key, (side, word, level) in zip("1234567890", sides, strict=False)
        ]
        return {
            "prompt": showing.say(self.prompt),
            "layout": "grid",
            "options": options,
            "columns": self.levels,
        }

    def _label(self, showing: Showing, word: str, level: int) -> str:
        """Return what a button says: the ends of a row in words, those between by their place."""
        side, (sure, unsure) = showing.say(word), map(showing.say, self.sure)
        if level in (1, self.levels):
            return f"{side}, {unsure if level == 1 else sure}"
        return side if self.levels == 3 else f"{side} {level}/{self.levels}"

    def _scale(self, showing: Showing) -> View:
        """Return the one scale that studies have which began before the two rows."""
        sides = [("no", self.no, level) for level in range(self.levels, 0, -1)]
        sides += [("yes", self.yes, level) for level in range(1, self.levels + 1)]
        options: list[Option] = [
            {"value": f"{side}:{level}", "label": f"{showing.say(word)} {'+' * level}", "key": key}
            for key, (side, word, level) in zip("1234567890", sides, strict=False)
        ]
        return {
            "prompt": showing.say(self.prompt),
            "layout": "scale",
            "options": options,
            "ends": [showing.say(end) for end in self.ends],
        }

    def correct(self, showing: Showing) -> None:
        """Return None: of the right side every confidence is right, so there is no one answer.

        Hits and false alarms are counted from the column `detected` and the stimulus.
        """

    def phrases(self) -> list[str]:
        """Return prompt, sides and degrees."""
        return [self.prompt, self.no, self.yes, *self.sure]

    @classmethod
    def read(cls, view: Mapping[str, Any], answer: str) -> Given:
        """Return the answer, taken apart into side and confidence."""
        given = chosen(view, answer)
        side, _, level = answer.partition(":")
        values = {"detected": side == "yes", "confidence": int(level)}
        return Given(answer, given.label, values)

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return side and confidence, and which side was right."""
        side, _, level = answered.answer.partition(":")
        kind = answered.pictures[0]["kind"]
        return {
            "detected": side == "yes",
            "was_changed": None if kind == "map" else kind != "clean",
            "confidence": int(level),
        }

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Take for changed what is hard to name, the surer the further from a toss-up."""
        changed = 1 - float(percept.beliefs[0].max())
        side = "yes" if rng.random() < changed else "no"
        further = len(view["options"]) // 2 - 1
        level = 1 + sum(rng.random() < abs(2 * changed - 1) for _ in range(further))
        return f"{side}:{level}"
