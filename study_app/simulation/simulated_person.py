"""One simulated person: who they are, and what they do with their plan.

All of it is decided by the seed, the person's number and what they are asked, before any of it is
sent: so the same person does the same over HTTP and in memory.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, expm1, floor, log1p
from typing import Any, Literal

from engine import seeds
from study_app import questions
from study_app.questions import TIMED_OUT, Percept
from study_app.simulation.chance import normal, uniform
from study_app.simulation.planned import PlannedQuestion
from study_app.simulation.rater_file import Model, Raters

Kind = Literal["attends", "inattentive", "straight_lines"]
Why = Literal["model", "known", "percept", "lapse", "too_fast", "guess", "straight_line"]

_HASTE = 0.4
"""How long somebody takes who does not attend, beside what they would otherwise."""
_TRIES = 20
"""So often an answer is drawn by what is seen before any that means the same is taken."""


@dataclass(frozen=True)
class SimulatedAnswer:
    """What somebody answers to a question of their plan.

    Attributes:
        question: which.
        answer: as it is sent.
        why: model: by how often the outcome is a yes; known: the right answer where one is known;
            percept: by what the question type's simulated rater makes of the pictures; lapse,
            too_fast and guess: at random, by somebody who attends, who attends but came within
            `Times.too_fast_ms`, and who does not attend; straight_line: what stands at their place.
        rt_ms: reaction time; None: none came in time.
        twice: it is sent a second time.
    """

    question: PlannedQuestion
    answer: str
    why: Why
    rt_ms: float | None
    twice: bool


@dataclass(frozen=True)
class Participation:
    """What somebody does with their plan.

    Attributes:
        answers: in order, up to where they leave.
        drops_out: they leave without a word after the last of `answers`.
        withdraws: they withdraw after the last of `answers`.
    """

    answers: Sequence[SimulatedAnswer]
    drops_out: bool
    withdraws: bool


class SimulatedPerson:
    """A person of known parameters."""

    def __init__(self, raters: Raters, seed: int, number: int, own_language: str) -> None:
        """Draw what is theirs before they have a plan.

        Args:
            raters: how people answer.
            seed: of the whole simulation.
            number: from 1.
            own_language: of the study.
        """
        self.number = number
        self._raters, self._seed = raters, seed
        self.deviation = normal(seed, "person", number)
        """By how many standard deviations they say yes more often than others."""
        self.kind = self._kind()
        self.language = self._language(own_language)
        self.fails_screening = self._is("fails_screening", raters.fails_screening)
        self.fails_comprehension = self._is("fails_comprehension", raters.fails_comprehension)
        self.withdraws = self._is("withdraws", raters.withdraws)
        self.second_tab = self._is("second_tab", raters.second_tab)
        self.has_phone = self._is("phone", raters.phones)

    @property
    def nonce(self) -> str:
        """Return what their browser is known by: 32 hexadecimal digits."""
        return f"{self._number('nonce', 1):016x}{self._number('nonce', 2):016x}"

    @property
    def plan_seed(self) -> int:
        """Return the seed of their slot and plan, in [0, 2**63)."""
        return self._number("plan")

    def rng(self, *path: str | int) -> random.Random:
        """Return a generator for one purpose."""
        return random.Random(self._number(*path))  # noqa: S311

    def takes_part(self, arm: str, plan: Sequence[PlannedQuestion]) -> Participation:
        """Return what they do with a plan."""
        total = 1 + plan[-1].index
        leaves = total
        if self.withdraws:
            leaves = 1 + floor(total * uniform(self._seed, "withdraws after", self.number))
        drops = next((k for k in range(1, total) if self._leaves_before(k)), total)
        answers = [self._answer(arm, each) for each in plan if each.index < min(leaves, drops)]
        return Participation(
            answers, drops < min(leaves, total), self.withdraws and leaves <= drops
        )

    def _answer(self, arm: str, question: PlannedQuestion) -> SimulatedAnswer:
        rng = self.rng("trial", question.position)
        rt_ms = self._rt_ms(question)
        answer, why = self._chosen(arm, question, rng)
        if why != "guess" and rng.random() < self._raters.times.too_fast:
            rt_ms = self._raters.times.too_fast_ms * rng.uniform(0.3, 1)
            answer, why = self._at_random(question, rng), "too_fast"
        window = question.trial.view.get("response_window_ms")
        late = window is not None and rt_ms > window
        return SimulatedAnswer(
            question,
            TIMED_OUT if late else answer,
            why,
            None if late else round(rt_ms, 1),
            rng.random() < self._raters.twice,
        )

    def _chosen(self, arm: str, question: PlannedQuestion, rng: random.Random) -> tuple[str, Why]:
        options = question.options
        if self.kind == "straight_lines" and options:
            return options[floor(len(options) * self._place)], "straight_line"
        if self.kind != "attends":
            return self._at_random(question, rng), "guess"
        if rng.random() < self._raters.lapse:
            return self._at_random(question, rng), "lapse"
        if question.trial.correct_option is not None:
            return question.trial.correct_option, "known"
        if not question.modelled:
            return self._by_percept(arm, question, rng), "percept"
        assert question.outcome is not None
        name = question.outcome.name
        model = self._raters.model(question.outcome)
        is_yes = rng.random() < _logistic(self._log_odds(model, name, arm, question))
        return self._one_of(question.yes if is_yes else question.no, arm, question, rng), "model"

    def _log_odds(self, model: Model, name: str, arm: str, question: PlannedQuestion) -> float:
        """Return the log-odds of a yes to a question; `name` says whose deviations are meant."""
        condition = question.presentation.condition
        own = (self.number, name, condition)
        return (
            model.log_odds(arm, condition)
            + self._raters.yes_bias
            + model.deviations.person * self.deviation
            + model.deviations.person_condition * normal(self._seed, "person x condition", *own)
            + image_log_odds(self._seed, model, name, question.image_id, condition)
        )

    def _one_of(
        self, answers: Sequence[str], arm: str, question: PlannedQuestion, rng: random.Random
    ) -> str:
        """Return one of several answers that mean the same: that which is seen, if it is one."""
        if len(answers) == 1:
            return answers[0]
        for _ in range(_TRIES):
            seen = self._by_percept(arm, question, rng)
            if seen in answers:
                return seen
        return rng.choice(answers)

    def _by_percept(self, arm: str, question: PlannedQuestion, rng: random.Random) -> str:
        log_odds = self._log_odds(self._raters.answers, "", arm, question)
        return self._simulated(question, _logistic(log_odds), rng)

    def _at_random(self, question: PlannedQuestion, rng: random.Random) -> str:
        options = question.options
        return rng.choice(options) if options else self._simulated(question, rng.random(), rng)

    def _simulated(self, question: PlannedQuestion, likeness: float, rng: random.Random) -> str:
        trial = question.trial
        percept = Percept(question.beliefs(likeness), trial.shown_label_index, trial.correct_option)
        return questions.registry.get(trial.task).simulate(trial.view, percept, rng)

    def _rt_ms(self, question: PlannedQuestion) -> float:
        times = self._raters.times
        own = times.people * normal(self._seed, "pace", self.number)
        here = times.spread * normal(self._seed, "time", self.number, question.position)
        haste = 1.0 if self.kind == "attends" else _HASTE
        return min(haste * times.median_ms * exp(own + here), 1e9)

    def _leaves_before(self, presentation: int) -> bool:
        rule = self._raters.drop_out
        if not 0 < rule.hazard < 1:
            return rule.hazard == 1
        # Hazards multiply, so that the chance stays below 1 however far from the middle one is.
        hazard = -expm1(log1p(-rule.hazard) * exp(rule.by_person * self.deviation))
        return uniform(self._seed, "leaves", self.number, presentation) < hazard

    @cached_property
    def _place(self) -> float:
        return uniform(self._seed, "place", self.number)

    def _kind(self) -> Kind:
        drawn = uniform(self._seed, "kind", self.number)
        if drawn < self._raters.inattentive:
            return "inattentive"
        if drawn < self._raters.inattentive + self._raters.straight_lining:
            return "straight_lines"
        return "attends"

    def _language(self, own: str) -> str:
        weights: Mapping[str, float] = self._raters.languages or {own: 1.0}
        return self.rng("language").choices(list(weights), list(weights.values()))[0]

    def _is(self, what: str, share: float) -> bool:
        return uniform(self._seed, what, self.number) < share

    def _number(self, *path: str | int) -> int:
        return seeds.derive(self._seed, "of person", self.number, *path)


def image_log_odds(seed: int, model: Model, name: str, image_id: str, condition: str) -> float:
    """Return by how much the log-odds of a yes differ for an image in a condition."""
    image = normal(seed, "image", name, image_id)
    here = normal(seed, "image x condition", name, image_id, condition)
    return model.deviations.image * image + model.deviations.image_condition * here


def _logistic(log_odds: float) -> float:
    return 1 / (1 + exp(-log_odds)) if log_odds > -700 else 0.0


def facts_of(person: SimulatedPerson) -> dict[str, Any]:
    """Return what of somebody is part of the truth."""
    return {
        "number": person.number,
        "kind": person.kind,
        "deviation": person.deviation,
        "language": person.language,
        "second_tab": person.second_tab,
        "phone": person.has_phone,
    }
