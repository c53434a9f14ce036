"""Differences of clustered means of many data sets that have one design, all at once.

What `clustered.difference` says of each: simulations need thousands. Who rates what is the same in
all of them, so that sums over people and images are products with one matrix, and all that depends
on weights alone is found once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.statistics.influence import Parts, Ratings, small_sample
from engine.statistics.two_way import LEVEL

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """What the people-weighted mean of a group rests on, in K data sets.

    Attributes:
        mean: (K,) means.
        of_person: (K, P) sums of e = w (y - mean) over each person's ratings.
        of_image: (K, I) the same over each image's.
        alone: (K,) sums of e^2.
        yes: (K, R) the answers.
        group: whose sums they are.
    """

    mean: Vector
    of_person: Vector
    of_image: Vector
    alone: Vector
    yes: NDArray[np.bool_]
    group: Group


class Group:
    """A group of ratings of yes and no: who gives them and of which image.

    Args:
        participant: (R,) numbers of people from 0.
        image: (R,) numbers of images from 0.
        people, images: how many there are, over all groups.
    """

    def __init__(
        self, participant: ArrayLike, image: ArrayLike, *, people: int, images: int
    ) -> None:
        from scipy.sparse import csr_array

        self.participant = np.asarray(participant, dtype=np.int64)
        self.image = np.asarray(image, dtype=np.int64)
        count = len(self.participant)
        given = np.bincount(self.participant, minlength=people)
        taking_part = max(1, int(np.count_nonzero(given)))
        self.weight: Vector = 1.0 / (given[self.participant] * taking_part)
        rows = np.concatenate([self.participant, people + self.image])
        columns = np.tile(np.arange(count), 2)
        weights = np.tile(self.weight, 2)
        self._sum = csr_array((weights, (rows, columns)), shape=(people + images, count))
        self._all = self._sum @ np.ones(count)
        self._people = people
        self.squares = float(self.weight @ self.weight)

    @property
    def of_people(self) -> Vector:
        """(P,) weights of people; 0 of those not in the group."""
        weights: Vector = self._all[: self._people]
        return weights

    @property
    def of_images(self) -> Vector:
        """(I,) weights of images."""
        weights: Vector = self._all[self._people :]
        return weights

    def sums(self, yes: NDArray[np.bool_]) -> Sums:
        """Return the sums of answers (K, R)."""
        of = (self._sum @ yes.T.astype(np.float64)).T
        mean = of[:, : self._people].sum(axis=1)
        away = of - mean[:, None] * self._all
        alone = (yes @ self.weight**2) * (1 - 2 * mean) + mean**2 * self.squares
        people = self._people
        return Sums(mean, away[:, :people], away[:, people:], alone, yes, self)


@dataclass(frozen=True)
class Differences:
    """The difference of two means in K data sets.

    Attributes:
        value, error, df: (K,) as of `two_way.Estimate`; the error is infinite where there is no
            interval.
    """

    value: Vector
    error: Vector
    df: Vector

    def p_above(self, bound: float = 0.0) -> Vector:
        """Return (K,) one-sided p-values of "the difference is above the bound"."""
        return self._tail(bound - self.value)

    def p_below(self, bound: float = 0.0) -> Vector:
        """Return (K,) one-sided p-values of "the difference is below the bound"."""
        return self._tail(self.value - bound)

    def widths(self, level: float = LEVEL) -> Vector:
        """Return (K,) the widths of the intervals of 1 - level."""
        from scipy.special import stdtrit

        widths: Vector = 2 * stdtrit(self.df, 1 - level / 2) * self.error
        return widths

    def _tail(self, distance: Vector) -> Vector:
        from scipy.special import stdtr

        if np.isinf(self.error).all():
            return np.ones_like(distance)
        tails: Vector = stdtr(self.df, distance / self.error)
        return tails


def differences(first: Sums, other: Sums) -> Differences:
    """Return the mean of the first group less that of the other; see `clustered.difference`."""
    value = first.mean - other.mean
    groups = (first.group, other.group)
    counts = [np.count_nonzero(each) for g in groups for each in (g.of_people, g.of_images)]
    if min(counts) < 2:
        return Differences(value, np.full(len(value), np.inf), np.ones(len(value)))
    design = _design(first, other)
    people, images = (
        small_sample(np.array(weights))[1] * (sums**2).sum(axis=1)
        for sums, weights in (
            (first.of_person - other.of_person, [g.of_people for g in groups]),
            (first.of_image - other.of_image, [g.of_images for g in groups]),
        )
    )
    found = zip(people, images, _pairs(first, other), _floor(first, other), strict=True)
    variance, df = np.array(
        [
            replace(design, people=p, images=i, pairs=both, alone=floor).total()
            for p, i, both, floor in found
        ]
    ).T
    return Differences(value, variance**0.5, df)


def _design(first: Sums, other: Sums) -> Parts:
    """Return the parts of one difference: what in them depends on weights is that of all."""
    groups = (first.group, other.group)
    person, image = (np.concatenate([getattr(g, name) for g in groups])
                     for name in ("participant", "image"))  # fmt: skip
    in_first = np.arange(len(person)) < len(first.group.participant)
    return Ratings.of(np.zeros(len(person)), in_first, person, image, "people").parts()


def _floor(first: Sums, other: Sums) -> Vector:
    """Return (K,) what independent ratings would give, at least that of Agresti and Caffo."""
    more = np.zeros(len(first.mean))
    for sums in (first, other):
        count = 1 / sums.group.squares
        p = (sums.mean * count + 1) / (count + 2)
        more += p * (1 - p) / (count + 2)
    return np.maximum(first.alone + other.alone, more)


def _pairs(first: Sums, other: Sums) -> Vector:
    """Return (K,) the sums of squares over pairs of person and image."""
    from scipy.sparse import csr_array

    images = len(first.group.of_images)
    codes = np.concatenate([s.group.participant * images + s.group.image for s in (first, other)])
    alike, number = np.unique(codes, return_inverse=True)
    if len(alike) == len(codes):  # nobody sees an image twice
        return first.alone + other.alone
    shape = (len(alike), len(codes))
    summing = csr_array((np.ones(len(codes)), (number, np.arange(len(codes)))), shape=shape)
    away = np.concatenate(
        [
            sign * s.group.weight * (s.yes - s.mean[:, None])
            for sign, s in ((1, first), (-1, other))
        ],
        axis=1,
    )
    pairs: Vector = ((summing @ away.T) ** 2).sum(axis=0)
    return pairs
