"""The truth about simulated people: what an analysis of their answers should find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.statistics.logit_normal import marginal
from study_app.simulation.planned import PlannedQuestion
from study_app.simulation.rater_file import Model, Raters
from study_app.simulation.simulated_person import (
    Participation,
    SimulatedPerson,
    image_log_odds,
)
from study_app.study import Study


@dataclass(frozen=True)
class TrueShare:
    """How often a yes-or-no outcome is a yes, in a condition and an arm.

    Attributes:
        outcome, condition, arm: of what; arm `all`: the study has none.
        share: of people who attend, over all people and images from whom these were drawn, lapses
            included: what is estimated once the exclusion rules have done their work.
        share_of_images: the same over all people, of the images that were used.
        share_of_everybody: as `share`, with those who do not attend and with answers that come too
            fast.
        images: how many source images were used.
        asked: how many questions the plans of those admitted have.
        answered, yes: how many of them were answered by people who attend and did not withdraw, and
            not too fast; and how many of those answers are a yes.
    """

    outcome: str
    condition: str
    arm: str
    share: float
    share_of_images: float
    share_of_everybody: float
    images: int
    asked: int
    answered: int
    yes: int


@dataclass
class _Cell:
    model: Model
    images: Counter[str] = field(default_factory=Counter)
    chance: float = 0.0
    answered: int = 0
    yes: int = 0


class Truth:
    """Gathers what was asked and answered, and says what should be found."""

    def __init__(self, raters: Raters, seed: int) -> None:
        """Begin with nothing.

        Args:
            raters: how people answer.
            seed: of the whole simulation.
        """
        self._raters, self._seed = raters, seed
        self._cells: dict[tuple[str, str, str], _Cell] = {}

    def add(
        self,
        person: SimulatedPerson,
        arm: str,
        plan: Sequence[PlannedQuestion],
        done: Participation,
    ) -> None:
        """Take in somebody who was admitted, with their whole plan and what they did."""
        for question in plan:
            if cell := self._cell(question, arm):
                cell.images[question.image_id] += 1
                cell.chance += question.chance
        for given in () if done.withdraws else done.answers:
            cell = self._cell(given.question, arm)
            if cell and given.why in ("model", "lapse") and given.rt_ms is not None:
                cell.answered += given.answer in (*given.question.yes, *given.question.no)
                cell.yes += given.answer in given.question.yes

    def shares(self, study: Study) -> list[TrueShare]:
        """Return the truth of every outcome, condition and arm that was asked for, in order."""
        conditions, arms = list(study.conditions), list(study.all_arms)

        def place(key: tuple[str, str, str]) -> tuple[str, int, int]:
            outcome, condition, arm = key
            return outcome, conditions.index(condition), arms.index(arm)

        return [self._share(key, self._cells[key]) for key in sorted(self._cells, key=place)]

    def _cell(self, question: PlannedQuestion, arm: str) -> _Cell | None:
        if not question.modelled or question.outcome is None:
            return None
        key = (question.outcome.name, question.presentation.condition, arm)
        return self._cells.setdefault(key, _Cell(self._raters.model(question.outcome)))

    def _share(self, key: tuple[str, str, str], cell: _Cell) -> TrueShare:
        outcome, condition, arm = key
        raters, spread = self._raters, cell.model.deviations
        asked = cell.images.total()
        chance = cell.chance / asked
        mean = cell.model.log_odds(arm, condition) + raters.yes_bias
        images = [
            mean + image_log_odds(self._seed, cell.model, outcome, image_id, condition)
            for image_id in sorted(cell.images)
        ]

        def mixed(shares: Iterable[float], at_random: float) -> float:
            each = list(shares)
            return (1 - at_random) * sum(each) / len(each) + at_random * chance

        in_all = [float(marginal(mean, spread.in_all))]
        lapsed = mixed(in_all, raters.lapse)
        careless = raters.inattentive + raters.straight_lining
        guessed = careless + (1 - careless) * raters.times.too_fast
        return TrueShare(
            outcome,
            condition,
            arm,
            share=lapsed,
            share_of_images=mixed(marginal(images, spread.of_people).tolist(), raters.lapse),
            share_of_everybody=mixed([lapsed], guessed),
            images=len(images),
            asked=asked,
            answered=cell.answered,
            yes=cell.yes,
        )
