"""Answers of many simulated studies at once, with one plan: new people and images in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.statistics.logit_normal import mean_of
from study_app.power.compared import Group
from study_app.power.components import Deviations
from study_app.power.incidence import Incidence, Index

Answers = NDArray[np.bool_]


@dataclass(frozen=True)
class Rated:
    """The ratings of a group: who gives them, of which image, and how sure a yes is.

    Attributes:
        person, image: (R,) of each rating.
        leaning: (K, R) of each study and rating, at what mean log-odds the answer becomes yes.
        condition: (R,) index of the condition.
        spread: standard deviation of the log-odds over people and images.
    """

    person: Index
    image: Index
    condition: Index
    leaning: NDArray[np.float64]
    spread: float

    def answers(self, shares: Sequence[float]) -> Answers:
        """Return (K, R) yes, where a condition's share of yes is `shares[condition]`.

        The same people and images answer, whatever the shares: more of them yes where it is larger.
        """
        means = np.array([mean_of(share, self.spread) for share in shares])
        yes: Answers = self.leaning < means[self.condition]
        return yes


def simulate(
    plan: Incidence,
    groups: Sequence[Group],
    deviations: Deviations,
    runs: int,
    rng: np.random.Generator,
) -> Mapping[Group, Rated]:
    """Draw people and images for `runs` studies, and how they lean in each group.

    A yes has the log-odds mean + person + image + person x group + image x group, each normal.
    People and images are the same in all groups of an outcome; outcomes have people and images of
    their own.
    """
    images = int(plan.image.max(initial=-1)) + 1
    drawn: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    made: dict[Group, Rated] = {}
    for group in groups:
        if group.outcome not in drawn:
            drawn[group.outcome] = (
                rng.normal(0, deviations.person, (runs, plan.people)),
                rng.normal(0, deviations.image, (runs, images)),
            )
        people, pictures = drawn[group.outcome]
        wanted = [plan.conditions.index(label) for label in group.conditions]
        here = np.isin(plan.condition, wanted) & (plan.arm == plan.arms.index(group.arm))
        person, image, condition = (
            each[here] for each in (plan.person, plan.image, plan.condition)
        )
        leaning = rng.logistic(size=(runs, len(person)))
        for each in np.unique(condition):
            of_person = people + rng.normal(0, deviations.person_condition, people.shape)
            of_image = pictures + rng.normal(0, deviations.image_condition, pictures.shape)
            at = condition == each
            leaning[:, at] -= of_person[:, person[at]] + of_image[:, image[at]]
        made[group] = Rated(person, image, condition, leaning, deviations.whole)
    return made
