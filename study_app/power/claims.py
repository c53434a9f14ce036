"""How often a claim is decided: p-values of many studies at once, corrected within their family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.statistics.many_clustered import Differences, Sums, Vector, differences
from engine.statistics.many_clustered import Group as Summing
from engine.statistics.two_way import LEVEL
from study_app.power.compared import Compared, Group
from study_app.power.components import Deviations
from study_app.power.incidence import Incidence
from study_app.power.simulated_answers import simulate

Base = Mapping[str, float]
"""The share of yes without the effect by condition; that of the key "" for all others."""


@dataclass(frozen=True)
class Decided:
    """What became of a comparison in K studies.

    Attributes:
        claimed: (K,) whether the claim was shown, corrected within its family.
        width: the mean width of the 95 % interval; of several the mean of the widest.
    """

    claimed: NDArray[np.bool_]
    width: float


class Tails(Protocol):
    """One-sided p-values of a difference in K studies, as of `Differences`."""

    def p_above(self, bound: float = 0.0) -> Vector:
        """Return (K,) those of "it is above the bound"."""
        ...

    def p_below(self, bound: float = 0.0) -> Vector:
        """Return (K,) those of "it is below the bound"."""
        ...


@dataclass(frozen=True)
class MixedTails:
    """What a mixed model says of a difference in K studies; its bound is always 0.

    Attributes:
        p: (K,) two-sided.
        raised: (K,) whether the first group's log-odds are higher.
    """

    p: Vector
    raised: NDArray[np.bool_]

    def p_above(self, bound: float = 0.0) -> Vector:
        """Return (K,) one-sided p-values of "the first group is above"."""
        return 1.0 - self.p_below()

    def p_below(self, bound: float = 0.0) -> Vector:
        """Return (K,) one-sided p-values of "the first group is below"."""
        below: Vector = np.where(self.raised, 1 - self.p / 2, self.p / 2)
        return below


def mixed(first: Sums, other: Sums) -> MixedTails:
    """Fit the mixed model to each of K studies."""
    from engine.statistics.mixed import mixed_test

    groups = (first.group, other.group)
    person, image = (
        np.concatenate([getattr(group, name) for group in groups])
        for name in ("participant", "image")
    )
    in_first = np.arange(len(person)) < len(first.group.participant)
    paired = {
        name: bool(np.intersect1d(each[in_first], each[~in_first]).size)
        for name, each in (("paired_people", person), ("paired_images", image))
    }
    tests = [
        mixed_test(yes, in_first, person, image, **paired, interval=False)
        for yes in np.concatenate([first.yes, other.yes], axis=1)
    ]
    return MixedTails(
        np.array([1.0 if test.refused else test.p for test in tests]),
        np.array([not test.refused and test.log_odds > 0 for test in tests]),
    )


def p_values(one: Compared, found: Sequence[Tails]) -> Vector:
    """Return (K,) p-values of a comparison's claim, from its differences to each of `one.to`."""
    if one.claim == "different":
        both: Vector = 2 * np.minimum(found[0].p_above(), found[0].p_below())
        return np.minimum(1.0, both)
    if one.claim == "below":
        return found[0].p_below()
    if one.claim == "equivalent":
        assert one.margin is not None
        margin = one.margin
        return _largest(np.maximum(d.p_above(-margin), d.p_below(margin)) for d in found)
    return _largest(each.p_above() for each in found)


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values (F, K) corrected within each column; see `engine.statistics.holm`."""
    count = len(p)
    order = np.argsort(p, axis=0, kind="stable")
    stepped = np.take_along_axis(p, order, axis=0) * np.arange(count, 0, -1)[:, None]
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.maximum.accumulate(stepped, axis=0), axis=0)
    return np.minimum(corrected, 1.0)


class Studies:
    """Simulated studies of one plan, in which one comparison after the other has its effect.

    Args:
        plan: who sees what.
        every: all comparisons of the study: those of a family are corrected together.
        deviations: how people and images differ.
        base: the shares without the effect.
        runs: how many studies.
        rng: what is drawn is drawn from it.
    """

    def __init__(
        self,
        plan: Incidence,
        every: Sequence[Compared],
        deviations: Deviations,
        base: Base,
        runs: int,
        rng: np.random.Generator,
    ) -> None:
        self._plan, self._every, self._base = plan, every, base
        groups = list(dict.fromkeys(group for one in every for group in (one.of, *one.to)))
        self.rated = simulate(plan, groups, deviations, runs, rng)
        images = int(plan.image.max(initial=-1)) + 1
        self._summing = {
            group: Summing(rated.person, rated.image, people=plan.people, images=images)
            for group, rated in self.rated.items()
        }
        self._quiet = {group: self._sums(group, self._without(group)) for group in groups}
        self._found: dict[tuple[Group, Group], Differences] = {}

    def decided(self, one: Compared) -> Decided:
        """Return what becomes of a comparison where its effect is there, and no other one's.

        Comparisons that share its raised group have the effect with it.
        """
        sums = self.moved(one)
        family = [other for other in self._every if other.family == one.family]
        found = {other: self._differences(other, sums) for other in family}
        p = np.array([self._p(other, sums, found[other]) for other in family])
        claimed = holm(p)[family.index(one)] <= LEVEL
        width = float(np.max([each.widths() for each in found[one]], axis=0).mean())
        return Decided(claimed, width)

    def moved(self, one: Compared) -> dict[Group, Sums]:
        """Return the sums of all groups where a comparison has its effect."""
        return {**self._quiet, one.of: self._sums(one.of, self.shares(one))}

    def shares(self, one: Compared) -> list[float]:
        """Return the share of yes in the raised group by condition.

        Raises:
            UsageError: it is none.
        """
        sign = -1 if one.claim == "below" else 1
        of_others = [self._share(label) for other in one.to for label in other.conditions]
        from_ = min(of_others) if sign < 0 else max(of_others)
        shares = self._without(one.of)
        for label in one.of.conditions:
            start = self._share(label) if one.between == "arms" else from_
            share = start + sign * one.effect
            if not 0 < share < 1:
                raise UsageError(
                    f"{one.label}: a share of {start:g} without the effect and {share:g} with it "
                    "cannot be; give another --base, or a smaller --effect"
                )
            shares[self._plan.conditions.index(label)] = share
        return shares

    def _share(self, condition: str) -> float:
        return self._base.get(condition, self._base[""])

    def _without(self, group: Group) -> list[float]:
        return [self._share(label) for label in self._plan.conditions]

    def _sums(self, group: Group, shares: Sequence[float]) -> Sums:
        return self._summing[group].sums(self.rated[group].answers(shares))

    def _differences(self, one: Compared, sums: Mapping[Group, Sums]) -> list[Differences]:
        found = []
        for other in one.to:
            pair = (one.of, other)
            quiet = all(sums[group] is self._quiet[group] for group in pair)
            if quiet and pair in self._found:
                found.append(self._found[pair])
                continue
            found.append(differences(sums[one.of], sums[other]))
            if quiet:  # it is the same whichever other comparison has its effect
                self._found[pair] = found[-1]
        return found

    def _p(self, one: Compared, sums: Mapping[Group, Sums], found: Sequence[Differences]) -> Vector:
        if one.test == "cluster_t" or one.claim == "equivalent":  # its margin is one of shares
            return p_values(one, found)
        return p_values(one, [mixed(sums[one.of], sums[other]) for other in one.to])


def _largest(values: Iterable[Vector]) -> Vector:
    largest: Vector = np.max(list(values), axis=0)
    return largest
