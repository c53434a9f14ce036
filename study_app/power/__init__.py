"""How many people and images a study needs: its own plan, simulated with new people and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study_app.study import Study


@dataclass(frozen=True)
class Components:
    """How people and images differ, as standard deviations in log-odds.

    Attributes:
        person, image: of the intercepts.
        person_condition, image_condition: of the differences between conditions.
        source: where they are from: "declared", "assumed", or the pilot's name.
    """

    person: float
    image: float
    person_condition: float
    image_condition: float
    source: str


@dataclass(frozen=True)
class Power:
    """What the declared test of one contrast does with so many people and images.

    Attributes:
        contrast: its index in the study's analysis.
        people, images: numbers simulated.
        effect: the true difference of shares.
        power: how often it is decided as the claim says, with `low`, `high` from the number of
            simulations.
        width: the mean width of the 95 % interval.
        runs: how many studies were simulated.
    """

    contrast: int
    people: int
    images: int
    effect: float
    power: float
    low: float
    high: float
    width: float
    runs: int


def power(
    study: Study,
    *,
    people: Sequence[int],
    images: Sequence[int],
    components: Components,
    base: Mapping[str, float],
    effect: float,
    runs: int,
    seed: int,
) -> list[Power]:
    """Return the power of each declared contrast; see `Power`."""
    raise NotImplementedError
