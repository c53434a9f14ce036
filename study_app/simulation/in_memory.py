"""Simulated people without a server: places, plans and answers are the same as over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from db import repository
from engine import seeds
from engine.stimuli import Stimulus
from study_app.design import participant_plan
from study_app.simulation.filling_in import can_fail, screens
from study_app.simulation.planned import Pictures, PlannedQuestion, planned
from study_app.simulation.rater_file import Raters
from study_app.simulation.simulated_person import Participation, SimulatedPerson
from study_app.study import Study, wording


@dataclass(frozen=True, repr=False)  # asyncio spells out what its tasks hold
class Everything:
    """What a simulation is of.

    Attributes:
        study: which study.
        design: its design document.
        stimuli: by id.
        raters: how people answer.
        seed: of the whole simulation; see `seed_for`.
    """

    study: Study
    design: Mapping[str, Any]
    stimuli: Mapping[str, Stimulus]
    raters: Raters
    seed: int

    def people(self, count: int) -> list[SimulatedPerson]:
        """Return the first `count` people."""
        numbers = range(1, count + 1)
        return [SimulatedPerson(self.raters, self.seed, n, self.study.language) for n in numbers]

    def plan(self, person: SimulatedPerson, arm: str, list_index: int) -> list[PlannedQuestion]:
        """Return what somebody is asked who has this place."""
        plan = participant_plan.draw(
            self.design,
            arm,
            list_index,
            person.plan_seed,
            wording=wording(self.study, person.language),
        )
        return planned(plan, self._pictures, self.raters)

    @cached_property
    def _pictures(self) -> Pictures:
        return Pictures(self.stimuli, self.study.to_json(), len(self.design["class_names"]))


@dataclass(frozen=True, repr=False)
class TookPart:
    """Somebody who was admitted.

    Attributes:
        person: who.
        arm, list_index: their place.
        plan: what they were asked.
        done: what they did.
    """

    person: SimulatedPerson
    arm: str
    list_index: int
    plan: Sequence[PlannedQuestion]
    done: Participation


def seed_for(seed: int, content_sha256: str) -> int:
    """Return the seed of a simulation of a study version: no two studies share any numbers."""
    return seeds.derive(seed, "simulation", content_sha256)


def take_part(everything: Everything, count: int) -> Iterator[TookPart]:
    """Let people take part one after the other; yield those who are admitted."""
    study = everything.study
    comprehension = study.comprehension.items if study.comprehension else ()
    slots = participant_plan.slots(everything.design)
    filled: Counter[repository.Slot] = Counter()
    for person in everything.people(count):
        if (person.fails_screening and screens(study)) or (
            person.fails_comprehension and can_fail(comprehension)
        ):
            continue
        slot = repository.least_filled(filled, slots, person.plan_seed)
        filled[slot] += 1
        plan = everything.plan(person, *slot)
        yield TookPart(person, *slot, plan, person.takes_part(slot[0], plan))
