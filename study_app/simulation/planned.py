"""A participant's plan as raters meet it: each question with what its answers mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.export.scoring import Answered, asked_label
from db.repository import PlannedPresentation, PlannedTrial
from engine.analysis.outcomes import Outcome
from engine.stimuli import Stimulus
from study_app import questions
from study_app.simulation.rater_file import Raters

BELIEVED_AT_LEAST = 0.02
"""What a rater believes in a class that nothing speaks for, beside 1 for the right one."""


@dataclass(frozen=True, repr=False)  # pixels by the thousand
class Pictures:
    """The stimuli of a study.

    Attributes:
        stimuli: by id.
        config: the study's stored file.
        classes: how many classes the dataset has.
    """

    stimuli: Mapping[str, Stimulus]
    config: Mapping[str, Any]
    classes: int

    @cached_property
    def aims(self) -> Mapping[str, set[int]]:
        """What the attacks on each source image aim at."""
        found: dict[str, set[int]] = defaultdict(set)
        for stimulus in self.stimuli.values():
            if stimulus.passport["kind"] == "adversarial":
                found[stimulus.image_id].add(int(stimulus.passport["target"]))
        return found


@dataclass(frozen=True, repr=False)
class PlannedQuestion:
    """One question of a plan.

    Attributes:
        presentation: its presentation; `index`: the presentation's place in the plan, from 0.
        trial: the question; `position`: its place among all, from 0.
        outcome: the yes-or-no outcome by which it is answered; None: it has none.
        yes, no: values of the options that make the outcome true and false.
        pictures: of the study.
    """

    presentation: PlannedPresentation
    index: int
    trial: PlannedTrial
    position: int
    outcome: Outcome | None
    yes: tuple[str, ...]
    no: tuple[str, ...]
    pictures: Pictures

    @property
    def options(self) -> list[str]:
        """Return the values of all options; none where the answer is composed."""
        return [option["value"] for option in self.trial.view["options"]]

    @property
    def modelled(self) -> bool:
        """Whether its answers follow the model of an outcome."""
        return self.outcome is not None and self.presentation.role == "main"

    @property
    def chance(self) -> float:
        """The share of yes where one of the options is drawn at random."""
        return len(self.yes) / (len(self.yes) + len(self.no))

    @property
    def image_id(self) -> str:
        """The source image of the first picture."""
        return self.pictures.stimuli[self.presentation.stimulus_id].image_id

    def beliefs(self, likeness: float) -> NDArray[np.float64]:
        """Return what a rater believes of each picture: float (P, K).

        Args:
            likeness: of the label that is asked about or aimed at, beside 1 for the right one.
        """
        shown = _shown(self.presentation)
        made = np.full((len(shown), self.pictures.classes), BELIEVED_AT_LEAST)
        for row, stimulus_id in zip(made, shown, strict=True):
            passport = self.pictures.stimuli[stimulus_id].passport
            label = self.trial.shown_label_index
            if label is None:
                label = passport["target"]
            if label is not None:
                row[label] = max(likeness, BELIEVED_AT_LEAST)
            row[passport["true_label"]] = 1.0
        beliefs: NDArray[np.float64] = made / made.sum(axis=1, keepdims=True)
        return beliefs


def planned(
    plan: Sequence[PlannedPresentation], pictures: Pictures, raters: Raters
) -> list[PlannedQuestion]:
    """Return the questions of a plan in order."""
    found: list[PlannedQuestion] = []
    for index, presentation in enumerate(plan):
        for trial in presentation.trials:
            outcome = raters.modelled(trial.task)
            sides: dict[bool, list[str]] = {True: [], False: []}
            if outcome is not None:
                for answer, value in _meanings(presentation, trial, pictures, outcome):
                    sides[value].append(answer)
            if not (sides[True] and sides[False]):
                outcome = None  # whatever is answered, it is the same or does not apply
            found.append(
                PlannedQuestion(
                    presentation,
                    index,
                    trial,
                    len(found),
                    outcome,
                    tuple(sides[True]),
                    tuple(sides[False]),
                    pictures,
                )
            )
    return found


def _meanings(
    presentation: PlannedPresentation, trial: PlannedTrial, pictures: Pictures, outcome: Outcome
) -> list[tuple[str, bool]]:
    """Return the options with what they make of an outcome, without those that give it no value."""
    asked = questions.registry.get(trial.task)
    found = []
    for option in trial.view["options"]:
        value = asked.means(_answered(presentation, trial, pictures, option["value"])).get(
            outcome.name
        )
        if value is not None:
            found.append((option["value"], bool(value)))
    return found


def _answered(
    presentation: PlannedPresentation, trial: PlannedTrial, pictures: Pictures, answer: str
) -> Answered:
    given = questions.read(trial.task, trial.view, answer)
    shown = [pictures.stimuli[stimulus_id] for stimulus_id in _shown(presentation)]
    return Answered(
        task=trial.task,
        answer=given.answer,
        values=given.values,
        view=trial.view,
        pictures=[stimulus.passport for stimulus in shown],
        role=presentation.role,
        condition=presentation.condition,
        shown_label=trial.shown_label_index,
        asked_label=_asked_label(presentation, shown[0], pictures),
        correct=trial.correct_option,
        study=pictures.config,
        png=lambda place: shown[place].png,
    )


def _asked_label(
    presentation: PlannedPresentation, first: Stimulus, pictures: Pictures
) -> int | None:
    named = (t.shown_label_index for t in presentation.trials if t.shown_label_index is not None)
    aims = pictures.aims.get(first.image_id, set())
    return asked_label(next(named, None), first.passport, aims)


def _shown(presentation: PlannedPresentation) -> list[str]:
    return [presentation.stimulus_id, *presentation.further]
