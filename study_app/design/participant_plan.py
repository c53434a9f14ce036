"""From a design to one participant's plan: all that is drawn when a person is admitted.

The order, the sides of pictures, and which label the catch presentations ask about. Nothing is
random after that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from db.repository import PlannedPresentation, PlannedTrial
from engine import seeds
from study_app import questions
from study_app.questions import Question, Showing
from study_app.study import Wording, speaks_of_a_label

Entry = Mapping[str, Any]


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
    """Draw a participant's whole plan from a design document.

    Practice comes first (block 0), clean pictures and then those to learn from; then the list's
    presentations in random order, with one catch presentation somewhere in each equal stretch, in
    blocks from 1 on. Half of the catch presentations ask about an impossible label, half about the
    right one; practice alternates. Where a question shuffles its pictures, their places are drawn
    for every presentation.

    Args:
        document: `study_app.design.study_design.Design.document`, as made or as stored.
        arm: of one of `slots`.
        list_index: of the same one.
        seed: the participant's.
        wording: the language of what is shown; None: the study's own.
    """
    return _Draw(document, arm, list_index, seed, wording).plan()


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
        rng, arm = self._rng, self._arm
        practice = self._known_answers(arm["practice"], "practice", first=0)
        learning = [self._planned(e, "practice", e["condition"]) for e in arm["learning"]]
        rng.shuffle(learning)
        catch_entries = rng.sample(arm["catch"], len(arm["catch"]))
        catch = self._known_answers(catch_entries, "catch", first=rng.randrange(2))
        rng.shuffle(catch)
        main = [self._planned(entry, "main", entry["condition"]) for entry in self._list]
        rng.shuffle(main)
        return [*practice, *learning, *self._in_blocks(_interleave(main, catch, rng))]

    @cached_property
    def _asked(self) -> dict[str, list[Question]]:
        return {
            label: [questions.registry.from_config(config) for config in condition["questions"]]
            for label, condition in self._document["conditions"].items()
        }

    def _in_blocks(self, plan: Sequence[PlannedPresentation]) -> list[PlannedPresentation]:
        every = self._document["breaks_every"] or len(plan)
        return [replace(one, block=1 + number // every) for number, one in enumerate(plan)]

    def _known_answers(
        self, entries: Sequence[Entry], role: str, *, first: int
    ) -> list[PlannedPresentation]:
        """Plan presentations of undisturbed pictures: in turn the right and an impossible label."""
        return [
            self._planned(self._asking(entry, honest=(number + first) % 2 == 0), role, role)
            for number, entry in enumerate(entries)
        ]

    def _asking(self, entry: Entry, *, honest: bool) -> Entry:
        """Return an entry with known answer, with the label that it asks about and its choices."""
        condition = self._document["conditions"][entry["condition"]]
        facts = [self._facts(stimulus_id) for stimulus_id in entry["pictures"]]
        true = [fact["true_label"] for fact in facts if fact["kind"] != "map"]
        shown, policy, choices = (true or [facts[0]["true_label"]])[0], "true_label", None
        if len(true) > 1:  # several pictures: one of them has the label
            shown = self._rng.choice(true)
        elif condition["foils"]:
            foil = self._rng.choice(self._document["impossible"][str(shown)])
            if condition["choices"] != "all":
                choices, policy = [shown, foil], "impossible"
            elif not honest:
                shown, policy = foil, "impossible"
        return {**entry, "shown_label": shown, "foil_policy": policy, "choices": choices}

    def _planned(self, entry: Entry, role: str, named: str) -> PlannedPresentation:
        """Plan a presentation; answers are known except in main ones. `named`: its condition."""
        asked = self._asked[entry["condition"]]
        condition = self._document["conditions"][entry["condition"]]
        order = list(range(len(entry["pictures"])))
        if any(question.shuffled for question in asked):
            self._rng.shuffle(order)
        pictures = [entry["pictures"][place] for place in order]
        captions = [condition["captions"][place] for place in order]
        choices = entry["choices"]
        if choices is not None:
            choices = tuple(self._rng.sample(choices, len(choices)))
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
        facts = [self._facts(stimulus_id) for stimulus_id in pictures]
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

    def _facts(self, stimulus_id: str) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self._document["facts"][stimulus_id]
        return facts


def _as_if_said(facts: Mapping[str, Any], label: int) -> Mapping[str, Any]:
    if not facts["prediction"]:
        return facts
    return {**facts, "prediction": {**facts["prediction"], "label": label}}


def _interleave(
    main: list[PlannedPresentation], catch: list[PlannedPresentation], rng: random.Random
) -> list[PlannedPresentation]:
    """Put one catch presentation at a random place, never the first, in each equal stretch."""
    plan: list[PlannedPresentation] = []
    for number, one in enumerate(catch):
        start, end = (len(main) * n // len(catch) for n in (number, number + 1))
        stretch = main[start:end]
        stretch.insert(rng.randint(min(1, len(stretch)), len(stretch)), one)
        plan += stretch
    return plan or list(main)
