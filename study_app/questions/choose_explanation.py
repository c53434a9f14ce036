"""Which of several maps explains the right answer?"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from engine.analysis.outcomes import Outcome
from engine.saliency import NULL_METHODS
from study_app.questions import (
    Percept,
    Phrase,
    Question,
    Showing,
    Value,
    View,
    _pictures,
    register,
)

if TYPE_CHECKING:
    from db.export import Answered


@register
class ChooseExplanation(Question):
    """One genuine map among others of the same image.

    The distinction task of HIVE (Kim et al. 2022): a convincing explanation of a wrong answer is
    no help, and only a choice between explanations shows it. Chance is one in as many as there are
    maps. Maps that explain nothing are placebos (Adebayo et al. 2022): an edge filter, another
    image's map, or the map of a null method.

    Attributes:
        prompt: the question.
    """

    pictures: ClassVar[tuple[int, int]] = (2, 4)
    shuffled: ClassVar[bool] = True

    outcomes: ClassVar[tuple[Outcome, ...]] = (
        Outcome(
            "chose_genuine",
            "binary",
            "whether the map chosen is the one that explains the model's answer; empty "
            "where not exactly one does",
            "chose the genuine map",
            "choose_explanation",
        ),
    )

    prompt: Phrase = "Which of these explains the right answer?"

    def view(self, showing: Showing) -> View:
        """Return the places of the maps; see `Question.view`."""
        return {
            "prompt": showing.say(self.prompt),
            "layout": "pictures",
            "options": _pictures.options(showing),
        }

    def correct(self, showing: Showing) -> str | None:
        """Return the one map that is no placebo, of the clean picture if there are several.

        None where that still leaves none or several.
        """
        return _genuine(showing.pictures)

    def phrases(self) -> list[str]:
        """Return the prompt."""
        return [self.prompt]

    @classmethod
    def means(cls, answered: Answered) -> Mapping[str, Value]:
        """Return whether the genuine map was chosen."""
        right = _genuine(answered.pictures)
        return {"chose_genuine": None if right is None else answered.answer == right}

    @classmethod
    def simulate(cls, view: Mapping[str, Any], percept: Percept, rng: random.Random) -> str:
        """Answer as expected where that is known, else guess by how clearly a map can be read."""
        if percept.correct is not None:
            return percept.correct
        return _pictures.drawn(view, percept.beliefs.max(axis=1).tolist(), rng)


def _genuine(pictures: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the place of the one genuine map, of the clean picture if there are several."""
    facts = [picture.get("saliency") for picture in pictures]
    genuine = {place: fact for place, fact in enumerate(facts) if fact and _is_genuine(fact)}
    clean = [place for place, fact in genuine.items() if fact["of"] == "clean"]
    best = list(genuine) if len(genuine) == 1 else clean
    return str(best[0]) if len(best) == 1 else None


def _is_genuine(fact: Mapping[str, Any]) -> bool:
    """Say whether a map explains its image's answer: it is no placebo, nor of a null method."""
    return not fact["placebo"] and fact["name"] not in NULL_METHODS
