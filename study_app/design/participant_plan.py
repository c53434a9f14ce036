"""From a design to one participant's plan: all that is drawn when a person is admitted.

The order, the sides of pictures, and which label the catch presentations ask about. Nothing is
random after that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from db.repository import PlannedPresentation, PlannedTrial
from engine import seeds
from study_app import questions
from study_app.design import counterbalancing
from study_app.design.counterbalancing import Order, catch_places
from study_app.questions import Question, Showing
from study_app.study import Wording, speaks_of_a_label

Entry = Mapping[str, Any]

RULES = 2
"""Raised whenever the same design and seed give a different plan. Plans are stored as they were
drawn, with the rules that drew them: who is admitted to an older version after an upgrade gets a
plan by today's, and the export says so."""


def slots(document: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return every (arm, list) of a design."""
    return [
        (arm, number)
        for arm, part in document["arms"].items()
        for number in range(len(part["lists"]))
    ]


def draw(
    document: Mapping[str, Any],
    arm: str,
    list_index: int,
    seed: int,
    *,
    wording: Wording | None = None,
) -> list[PlannedPresentation]:
    """Draw a participant's whole plan from a design document, by today's `RULES`.

    Practice comes first (block 0), clean pictures and then those to learn from; then the list's
    presentations in random order, with catch presentations at places that nobody can foretell
    (`counterbalancing.catch_places`), in blocks from 1 on. Half of the catch presentations ask
    about an impossible label, half about the right one, and so do those of practice.

    Where a question shuffles its pictures, each declared picture of a condition stands at every
    place equally often, or once more; so does each of several choices, and the right one of the
    pictures of catch presentations.

    Args:
        document: `study_app.design.study_design.Design.document`, as made or as stored.
        arm: of one of `slots`.
        list_index: of the same one.
        seed: the participant's.
        wording: the language of what is shown; None: the study's own.
    """
    return _Draw(document, arm, list_index, seed, wording).plan()


@dataclass(frozen=True)
class _Showing:
    """How one presentation is shown: orders of its pictures and choices; whether it is honest.

    `asked` is an order of the clean pictures: the first one has the label that is asked about.
    """

    order: Order
    choices: Order
    asked: Order
    honest: bool = True


class _Draw:
    def __init__(
        self,
        document: Mapping[str, Any],
        arm: str,
        list_index: int,
        seed: int,
        wording: Wording | None,
    ) -> None:
        self._document = document
        self._arm = document["arms"][arm]
        self._list = self._arm["lists"][list_index]
        self._rng = random.Random(seeds.derive(seed, "plan", arm, list_index))  # noqa: S311
        self._say: Callable[[str], str] = str if wording is None else wording.say

    def plan(self) -> list[PlannedPresentation]:
        practice = self._known(self._arm["practice"], "practice")
        learning = self._declared(self._arm["learning"], "practice")
        catch = self._known(self._arm["catch"], "catch")
        main = self._declared(self._list, "main")
        for several in (learning, catch, main):
            self._rng.shuffle(several)
        return [*practice, *learning, *self._in_blocks(self._mixed(main, catch))]

    def _mixed(
        self, main: Sequence[PlannedPresentation], catch: Sequence[PlannedPresentation]
    ) -> list[PlannedPresentation]:
        total = len(main) + len(catch)
        places = catch_places(total, len(catch), self._rng)
        of_main, of_catch = iter(main), iter(catch)
        return [next(of_catch if place in places else of_main) for place in range(total)]

    @cached_property
    def _asked(self) -> dict[str, list[Question]]:
        return {
            label: [questions.registry.from_config(config) for config in condition["questions"]]
            for label, condition in self._document["conditions"].items()
        }

    def _in_blocks(self, plan: Sequence[PlannedPresentation]) -> list[PlannedPresentation]:
        every = self._document["breaks_every"] or len(plan)
        return [replace(one, block=1 + number // every) for number, one in enumerate(plan)]

    def _declared(self, entries: Sequence[Entry], role: str) -> list[PlannedPresentation]:
        """Plan presentations of conditions, in the order of `entries`."""
        return [
            self._planned(entry, showing, role, entry["condition"])
            for entry, showing in zip(entries, self._showings(entries), strict=True)
        ]

    def _known(self, entries: Sequence[Entry], role: str) -> list[PlannedPresentation]:
        """Plan presentations of undisturbed pictures: half ask about an impossible label."""
        first = self._rng.randrange(2)
        honest = [(number + first) % 2 == 0 for number in range(len(entries))]
        self._rng.shuffle(honest)
        return [
            self._planned(*self._asking(entry, replace(showing, honest=right)), role, role)
            for entry, showing, right in zip(entries, self._showings(entries), honest, strict=True)
        ]

    def _showings(self, entries: Sequence[Entry]) -> list[_Showing]:
        """Draw how each of `entries` is shown, balanced within its condition."""
        labels = [entry["condition"] for entry in entries]
        clean = [sum(f["kind"] != "map" for f in self._facts(e["pictures"])) for e in entries]
        pictures = [len(entry["pictures"]) for entry in entries]
        two = [2] * len(entries)  # only two choices are ever put in an order
        drawn = (
            counterbalancing.orders(list(zip(labels, sizes, strict=True)), self._rng)
            for sizes in (pictures, two, clean)
        )
        return [_Showing(*orders) for orders in zip(*drawn, strict=True)]

    def _asking(self, entry: Entry, showing: _Showing) -> tuple[Entry, _Showing]:
        """Return an entry with known answer, with the label that it asks about and its choices."""
        condition = self._document["conditions"][entry["condition"]]
        shown = [entry["pictures"][place] for place in self._order(entry, showing)]
        facts = self._facts(shown)
        true = [fact["true_label"] for fact in facts if fact["kind"] != "map"]
        # Of several pictures one has the label: the right place is as often the one as the other.
        about = true[showing.asked[0]] if true else facts[0]["true_label"]
        policy, choices = "true_label", None
        if len(true) <= 1 and condition["foils"]:
            foil = self._rng.choice(self._document["impossible"][str(about)])
            if condition["choices"] != "all":
                choices, policy = [about, foil], "impossible"
            elif not showing.honest:
                about, policy = foil, "impossible"
        return {**entry, "shown_label": about, "foil_policy": policy, "choices": choices}, showing

    def _order(self, entry: Entry, showing: _Showing) -> Order:
        """The places of an entry's pictures: as declared, unless a question shuffles them."""
        if any(question.shuffled for question in self._asked[entry["condition"]]):
            return showing.order
        return tuple(range(len(entry["pictures"])))

    def _planned(
        self, entry: Entry, showing: _Showing, role: str, named: str
    ) -> PlannedPresentation:
        """Plan a presentation; answers are known except in main ones. `named`: its condition."""
        asked = self._asked[entry["condition"]]
        condition = self._document["conditions"][entry["condition"]]
        order = self._order(entry, showing)
        pictures = [entry["pictures"][place] for place in order]
        captions = [condition["captions"][place] for place in order]
        choices = entry["choices"]
        if choices is not None:
            choices = tuple(choices[number] for number in showing.choices)
        trials = tuple(
            self._trial(question, entry, pictures, captions, choices, known=role != "main")
            for question in asked
        )
        return PlannedPresentation(
            stimulus_id=pictures[0],
            phase="practice" if role == "practice" else "main",
            role=role,
            condition=named,
            block=0,
            trials=trials,
            further=tuple(pictures[1:]),
        )

    def _trial(
        self,
        question: Question,
        entry: Entry,
        pictures: Sequence[str],
        captions: Sequence[str | None],
        choices: tuple[int, ...] | None,
        *,
        known: bool,
    ) -> PlannedTrial:
        names = self._document["class_names"]
        about = entry["shown_label"] if speaks_of_a_label(question) else None
        facts = self._facts(pictures)
        if known and about is not None:
            # The label that is asked about stands for the model's answer, also where it is a foil.
            facts = [_as_if_said(fact, about) for fact in facts]
        sizes = self._document.get("picture_sizes", 1)
        showing = Showing(names, facts, about, choices, self._say, as_before=sizes == 1)
        view = question.view(showing)
        if about is not None:
            view["prompt"] = view["prompt"].replace("{label}", self._say(names[about]))
        if any(captions):
            view["captions"] = [self._say(caption or "") for caption in captions]
        if sizes != 1:
            view["picture_sizes"] = sizes
        if question.exposure_ms is not None:
            view["exposure_ms"] = question.exposure_ms
        if question.response_window_ms is not None:
            view["response_window_ms"] = question.response_window_ms
        return PlannedTrial(
            task=question.name,
            view=view,
            correct_option=question.correct(showing) if known else None,
            shown_label=None if about is None else names[about],
            shown_label_index=about,
            foil_policy=entry["foil_policy"] if about is not None or choices else None,
        )

    def _facts(self, stimulus_ids: Sequence[str]) -> list[Mapping[str, Any]]:
        return [self._document["facts"][stimulus_id] for stimulus_id in stimulus_ids]


def _as_if_said(facts: Mapping[str, Any], label: int) -> Mapping[str, Any]:
    if not facts["prediction"]:
        return facts
    return {**facts, "prediction": {**facts["prediction"], "label": label}}
