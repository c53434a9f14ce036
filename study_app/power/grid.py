"""The power of a study's comparisons over numbers of people and images."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine import seeds
from engine.errors import UsageError
from engine.statistics import wilson
from study_app.design import study_design
from study_app.power import incidence
from study_app.power.claims import Base, Studies
from study_app.power.compared import Compared
from study_app.power.components import Components, Deviations
from study_app.power.incidence import Incidence, Losses
from study_app.study import Study

if TYPE_CHECKING:
    from engine.results import Results
    from study_app.design.source_images import Sources

ENOUGH = 0.8
"""The power that a study should have."""
CROWD = 1000
"""Where so many people are too few, images are what is missing."""
MIXED_RUNS = 60
"""A mixed model is fitted in so many simulated studies at most."""
_ANSWERS = 4_000_000  # held at a time


@dataclass(frozen=True)
class Shown:
    """How often a claim was shown.

    Attributes:
        share: of the simulated studies.
        low, high: its 95 % interval, from their number.
    """

    share: float
    low: float
    high: float

    @property
    def enough(self) -> bool:
        """Whether it is at least `ENOUGH`."""
        return self.share >= ENOUGH


@dataclass(frozen=True)
class Power:
    """What the declared test of one comparison does with so many people and images.

    Attributes:
        comparison: its number in `Answer.compared`.
        people: admitted.
        analysed: of these, who count in the end.
        images: source images of the study.
        power: how often the claim is shown where it is true.
        lower, upper: the same with the components at the lower and the upper ends of their ranges;
            None where they are no ranges.
        width: the mean width of the 95 % interval.
        runs: how many studies were simulated for each of the three.
    """

    comparison: int
    people: int
    analysed: int
    images: int
    power: Shown
    lower: Shown | None
    upper: Shown | None
    width: float
    runs: int


@dataclass(frozen=True)
class Setting:
    """What is simulated, apart from the numbers of people and images.

    Attributes:
        study: the plan is its.
        compared: its comparisons, at least one.
        components: how people and images differ.
        base: the shares without an effect; see `claims.Base`.
        losses: who and what does not count.
        runs: how many studies are simulated of each kind.
        seed: of all that is drawn.
        results: the study's experiment, where it has been run: its images are taken.
    """

    study: Study
    compared: Sequence[Compared]
    components: Components
    base: Base
    losses: Losses
    runs: int = 400
    seed: int = 0
    results: Results | None = None
    _chosen: dict[int, Sources | str] = field(default_factory=dict, compare=False)

    @property
    def own_images(self) -> int:
        """The number of source images that the study file declares."""
        return incidence.images_per_set(self.study) * self.study.image_sets

    def sets(self, images: int) -> int:
        """Return the number of image sets that comes next to so many source images."""
        return min(
            incidence.MOST_SETS, max(1, round(images / incidence.images_per_set(self.study)))
        )

    def missing(self, sets: int) -> str:
        """Return why there are not so many sets of images; "" where there are, or nobody knows."""
        chosen = self._sources(sets)
        return chosen if isinstance(chosen, str) else ""

    def plan(self, people: int, sets: int) -> Incidence:
        """Return who sees what."""
        chosen = self._sources(sets)
        return incidence.draw(
            incidence.with_sets(self.study, sets), people, self.losses, self.seed,
            None if isinstance(chosen, str) else chosen,
        )  # fmt: skip

    def _sources(self, sets: int) -> Sources | str | None:
        if self.results is None:
            return None
        if sets not in self._chosen:
            try:
                made = study_design.sources(incidence.with_sets(self.study, sets), self.results)
                self._chosen[sets] = made
            except UsageError as error:
                self._chosen[sets] = str(error)
        return self._chosen[sets]


def by_mixed(compared: Sequence[Compared]) -> bool:
    """Whether a mixed model decides any of them."""
    return any(one.test == "mixed" and one.claim != "equivalent" for one in compared)


def by_cluster_t(setting: Setting) -> Setting:
    """Return the setting with the two-way cluster t in the place of the mixed model.

    It takes a thousandth of the time, and is the more careful of the two.
    """
    return replace(setting, compared=[replace(one, test="cluster_t") for one in setting.compared])


def power(setting: Setting, people: int, sets: int, *, ends: bool = True) -> list[Power]:
    """Return the power of every comparison with so many people and sets of images.

    Where a mixed model decides, it is that of `MIXED_RUNS` studies, and without ranges.

    Args:
        setting: what is simulated.
        people: admitted.
        sets: of source images.
        ends: also with the components at the ends of their ranges.
    """
    plan = setting.plan(people, sets)
    components = setting.components
    middle = _decided(setting, plan, components.middle)
    lower = upper = None
    if ends and components.ranged and not by_mixed(setting.compared):
        lower = _decided(setting, plan, components.lower)
        upper = _decided(setting, plan, components.upper)
    return [
        Power(
            number,
            people,
            plan.analysed,
            plan.images,
            middle[one].claimed,
            lower[one].claimed if lower else None,
            upper[one].claimed if upper else None,
            middle[one].width,
            middle[one].runs,
        )
        for number, one in enumerate(setting.compared)
    ]


def grid(setting: Setting, people: Sequence[int], images: Sequence[int]) -> list[Power]:
    """Return the power for each number of people and of images, rounded to sets of images."""
    sets = sorted({setting.sets(number) for number in images})
    return [
        one for number in sets for many in sorted({*people}) for one in power(setting, many, number)
    ]


class Needed(NamedTuple):
    """How many people are enough.

    Attributes:
        people: how many; None where it was not found.
        limited: because `CROWD` are not.
    """

    people: int | None
    limited: bool = False


def people_needed(
    setting: Setting, sets: int, comparison: int, *, start: int = 16, until: float = inf
) -> Needed:
    """Return how many people give `ENOUGH` power with so many sets of images.

    Numbers are tried that lie ever closer together, to within a sixth, with the likeliest
    components; what is returned was enough when it was tried.

    Args:
        setting: what is simulated.
        sets: of source images.
        comparison: whose power.
        start: the number that is tried first.
        until: a moment of `time.monotonic` at which the search ends.
    """
    low, high = 1, 0  # too few, enough; 0: none is known yet
    people, share = start, 0.0
    while True:
        share = _shown(setting, people, sets, comparison).share
        if share >= ENOUGH:
            high = people
        else:
            low = people
        if high and (high - low <= max(1, high // 6) or time.monotonic() > until):
            return Needed(high)
        if low >= CROWD:
            return Needed(None, limited=True)
        if not high and time.monotonic() > until:
            return Needed(None)
        people = _next(low, high, people, share)


def _next(low: int, high: int, people: int, share: float) -> int:
    """Return which number of people to try, from what the last one gave."""
    from scipy.special import ndtri

    # Were there no images, errors would fall with the root of the number of people.
    wanted, got = (float(ndtri(min(max(s, 0.05), 0.97))) + 1.8 for s in (ENOUGH, share))
    guess = people * min(max((wanted / got) ** 2, 0.3), 3.0)
    guess *= 1.1 if share < ENOUGH else 0.95  # of images there are only so many
    if not high:
        return min(CROWD, max(round(guess), low + 1 + low // 8))
    return min(max(round(guess), low + max(1, (high - low) // 4)), high - max(1, (high - low) // 4))


def _shown(setting: Setting, people: int, sets: int, comparison: int) -> Shown:
    one = setting.compared[comparison]
    plan = setting.plan(people, sets)
    return _decided(setting, plan, setting.components.middle, [one])[one].claimed


class _Found(NamedTuple):
    """How often a claim is shown, the mean width of its interval, and in how many studies."""

    claimed: Shown
    width: float
    runs: int


def _decided(
    setting: Setting,
    plan: Incidence,
    deviations: Deviations,
    wanted: Sequence[Compared] | None = None,
) -> dict[Compared, _Found]:
    """Return what comes of each comparison, or of those that are wanted."""
    families = {one.family for one in wanted or setting.compared}
    every = [one for one in setting.compared if one.family in families]
    asked = wanted or every
    claimed: dict[Compared, list[bool]] = {one: [] for one in asked}
    widths: dict[Compared, list[float]] = {one: [] for one in asked}
    runs = min(setting.runs, MIXED_RUNS) if by_mixed(every) else setting.runs
    for number, count in enumerate(_portions(runs, len(plan.person) * max(1, len(every)))):
        # The same people and images whatever is asked, so that numbers differ by what is asked.
        rng = np.random.default_rng(seeds.derive(setting.seed, "answers", number))
        studies = Studies(plan, every, deviations, setting.base, count, rng)
        for one in asked:
            found = studies.decided(one)
            claimed[one] += found.claimed.tolist()
            widths[one] += [found.width] * count
    return {
        one: _Found(shown(sum(claimed[one]), runs), float(np.mean(widths[one])), runs)
        for one in asked
    }


def shown(times: int, runs: int) -> Shown:
    """Return a share of simulated studies with its interval."""
    return Shown(times / runs, *wilson(times, runs))


def _portions(runs: int, answers: int) -> Iterator[int]:
    each = max(1, min(runs, _ANSWERS // max(1, answers)))
    yield from (min(each, runs - start) for start in range(0, runs, each))
