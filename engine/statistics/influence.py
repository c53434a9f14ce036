"""The variance of weighted means of ratings that are alike within people and within images.

It is that of Cameron, Gelbach & Miller (2011, "Robust inference with multiway clustering", Journal
of Business & Economic Statistics 29). With e_k = w_k (y_k - mean), the weights of a group of
ratings summing to 1, and those of a second group with a minus,

    V = Vp + Vi - V0:  Vp = sum over people (sum of their e_k)^2, Vi the same over images,
                       V0 = the same over pairs of person and image, which are in both.

- *Few people or images*: Vp and Vi are multiplied by what makes them unbiased under these weights
  (K / (K - 1) where K weigh the same), and have the degrees of freedom of Satterthwaite (1946, "An
  approximate distribution of estimates of variance components", Biometrics Bulletin 2) for them
  (K - 1 where K weigh the same): where two images carry half of all ratings, twenty count as few.
- *Tables that are full*: V0 contains people's and images' own variance, which in a full table is
  then subtracted once too often; it is added again (`people_again`). In a difference V0 contains
  also what cancels between the groups, such as an image's own effect where different people see it:
  what of Vp and Vi is above V0 is multiplied by the factor of few once more, as by a jackknife.
- *Floor*: V is never below the sum of e_k^2, which is what independent ratings would give: it comes
  out lower by chance, and of few equal answers it would be nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Weights: TypeAlias = Literal["people", "ratings"]
"""What counts equally: each person, whatever number of ratings they gave, or each rating."""
FEW = 6
"""Below so many people or images an interval is wide and rests on how typical they are."""
Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """The parts of the variance of a mean, or of a difference.

    Attributes:
        people, images: Vp and Vi, unbiased.
        people_df, images_df: their degrees of freedom.
        pairs: V0.
        alone: what independent ratings would give: the floor.
        people_again, images_again: which part of Vp - V0, and of Vi - V0, V0 takes away too much.
        people_equal, images_equal: sums of squared weights of people, of images.
        ratings: how many ratings of equal weight have the same sum of squared weights.
    """

    people: float
    images: float
    people_df: float
    images_df: float
    pairs: float
    alone: float
    people_again: float
    images_again: float
    people_equal: float
    images_equal: float
    ratings: float

    @property
    def raw(self) -> float:
        """V without a floor; by chance it may be negative."""
        again = self.people_again * max(self.people - self.pairs, 0.0)
        again += self.images_again * max(self.images - self.pairs, 0.0)
        return self.people + self.images - self.pairs + again

    @property
    def error(self) -> float:
        """The standard error without a floor."""
        return float(max(self.raw, 0.0) ** 0.5)

    def total(self) -> tuple[float, float]:
        """Return the variance, not below its floor F, and its degrees of freedom.

        V varies with s^2 = 2 Vp^2 / dfp + 2 Vi^2 / dfi. The greater of it and of F, smoothed by
        that, has the derivative Phi(z), z = (V - F) / s, so that by the delta method its variance
        is Phi(z)^2 s^2, beside 2 F^2 / (N - 1) of the floor. As with
        Satterthwaite, df = 2 V^2 / that.
        (His own is Phi = 1, and far too careful where people and images hardly differ.)
        """
        from scipy.special import ndtr

        raw = self.raw
        variance = max(raw, self.alone)
        chance = self.people**2 / self.people_df + self.images**2 / self.images_df
        if chance > 0:
            chance *= float(ndtr((raw - self.alone) / (2 * chance) ** 0.5)) ** 2
        chance += self.alone**2 / max(self.ratings - 1, 1.0)
        return variance, max(float(variance**2 / chance), 1.0)


@dataclass(frozen=True)
class Ratings:
    """Ratings of one group (0), or of two (1, and 0 with a minus), by number of person and image.

    Attributes:
        values, group, who, what: (N,).
        weight: (N,); those of a group sum to 1.
        groups: 1 or 2.
    """

    values: Floats
    group: Numbers
    who: Numbers
    what: Numbers
    weight: Floats
    groups: int

    @staticmethod
    def of(
        values: ArrayLike,
        first: ArrayLike | None,
        participant: ArrayLike,
        image: ArrayLike,
        weights: Weights,
    ) -> Ratings:
        """Return ratings of one group, or of those where `first` is true and of the others.

        Raises:
            ValueError: lengths differ, or a value is missing.
        """
        numbers = np.asarray(values, dtype=np.float64)
        second = np.zeros(len(numbers), dtype=bool) if first is None else first
        group = np.asarray(second, dtype=bool).astype(np.int64)
        who, what = _numbered(participant), _numbered(image)
        if len({numbers.shape, group.shape, who.shape, what.shape}) > 1:
            raise ValueError(
                f"{numbers.shape} values, {group.shape} groups, {who.shape} people and "
                f"{what.shape} images: each rating has one of each"
            )
        if not np.isfinite(numbers).all():
            raise ValueError("a value is missing or infinite: leave such ratings out")
        if weights not in ("people", "ratings"):
            raise ValueError(f"weights are 'people' or 'ratings', not {weights!r}")
        groups = 1 if first is None else 2
        by = group if weights == "ratings" else who * groups + group
        weight = 1 / np.maximum(np.bincount(by), 1)[by]
        weight = weight / np.bincount(group, weight, groups)[group].astype(np.float64)
        return Ratings(numbers, group, who, what, weight, groups)

    @property
    def shape(self) -> tuple[int, int]:
        """How many people and images."""
        return int(self.who.max(initial=-1)) + 1, int(self.what.max(initial=-1)) + 1

    @property
    def empty(self) -> bool:
        """Whether a group has no rating."""
        return bool((np.bincount(self.group, minlength=self.groups) == 0).any())

    @property
    def binary(self) -> bool:
        """Whether all values are 0 and 1."""
        return bool(((self.values == 0) | (self.values == 1)).all())

    @property
    def constant(self) -> bool:
        """Whether in each group all values are the same: exactly, whatever a mean's rounding."""
        return all(np.ptp(part) == 0 for part in self._parted(self.values) if len(part))

    @property
    def said_constant(self) -> str:
        """Why constant values have no interval."""
        each = "" if self.groups == 1 else " of each group"
        return f"all values{each} are the same: nothing is known of how ratings vary"

    @property
    def refused(self) -> str:
        """Why nothing can be said of others, in words; "" where it can."""
        if self.empty:
            return "no ratings" if self.groups == 1 else "no ratings in one of the groups"
        people, images = self._fewest()
        if images == 1:
            return f"one image{self._where}: it says nothing of others"
        if people == 1:
            return f"one person{self._where}: they say nothing of others"
        return ""

    @property
    def warning(self) -> str:
        """What limits an interval, in words; "" where nothing does."""
        if self.refused:
            return ""
        named = zip(self._fewest(), ("people", "images"), strict=True)
        few = [f"{count} {name}" for count, name in named if count < FEW]
        if not few:
            return ""
        return f"only {' and '.join(few)}{self._where}: the interval rests on how typical they are"

    @property
    def _where(self) -> str:
        return "" if self.groups == 1 else " in one of the groups"

    def mean(self, group: int) -> float:
        """Return the weighted mean of a group; exact where all values are the same."""
        values = self.values[self.group == group]
        if np.ptp(values) == 0:
            return float(values[0])
        return float(self.weight[self.group == group] @ values)

    def parts(self) -> Parts:
        """Return the parts of the variance; see the module."""
        means = np.array([self.mean(group) for group in range(self.groups)])
        sign = np.where(self.group == self.groups - 1, 1.0, -1.0)
        away = sign * self.weight * (self.values - means[self.group])
        people, images = self.shape
        pairs = _numbered(self.who * images + self.what)
        of_people, of_images, of_pairs = (
            float((np.bincount(each, away) ** 2).sum()) for each in (self.who, self.what, pairs)
        )
        by_person, by_image = self._by(self.who, people), self._by(self.what, images)
        equal, factor, df = zip(small_sample(by_person), small_sample(by_image), strict=True)
        own, cross = self._in_pairs(pairs, by_person, by_image)
        more = (factor[0] - 1, factor[1] - 1) if self.groups == 2 else (0.0, 0.0)
        return Parts(
            factor[0] * of_people,
            factor[1] * of_images,
            *df,
            of_pairs,
            float(away @ away),
            more[0] + (own[0] - factor[1] * cross) / equal[0],
            more[1] + (own[1] - factor[0] * cross) / equal[1],
            *equal,
            self.groups / float(self.weight @ self.weight),
        )

    def agresti_caffo(self) -> float:
        """Return the variance of a difference of shares with two ratings more in each group.

        Agresti & Caffo (2000), "Simple and effective confidence intervals for proportions and
        differences of proportions result from adding two successes and two failures", The American
        Statistician 54.
        """
        variance = 0.0
        for group, weight in enumerate(self._parted(self.weight)):
            count = 1 / float(weight @ weight)
            p = (self.mean(group) * count + 1) / (count + 2)
            variance += p * (1 - p) / (count + 2)
        return variance

    def shared(self) -> tuple[int, int]:
        """Return how many people, and how many images, are in both groups."""
        people, images = (int(each.all(0).sum()) for each in self._present())
        return people, images

    def _parted(self, each: NDArray[Any]) -> list[NDArray[Any]]:
        return [each[self.group == group] for group in range(self.groups)]

    def _present(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which people, and which images, each group has, (groups, K)."""
        people, images = self.shape
        return self._by(self.who, people) > 0, self._by(self.what, images) > 0

    def _fewest(self) -> tuple[int, int]:
        """Return how many people, and how many images, the group has that has fewest."""
        people, images = (int(each.sum(1).min()) for each in self._present())
        return people, images

    def _by(self, cluster: Numbers, count: int) -> Floats:
        """Return the weight of each cluster in each group, (groups, count)."""
        flat = np.bincount(self.group * count + cluster, self.weight, self.groups * count)
        return flat.astype(np.float64).reshape(self.groups, count)

    def _in_pairs(
        self, pairs: Numbers, by_person: Floats, by_image: Floats
    ) -> tuple[tuple[float, float], float]:
        """Return how V0 counts people's and images' own variance, and Vi people's, or Vp images'.

        Each per unit of variance of effects that are independent between groups.
        """
        cell = pairs * self.groups + self.group
        _, at, number = np.unique(cell, return_index=True, return_inverse=True)
        weight = np.bincount(number, self.weight)
        group = self.group[at]
        person, image = by_person[group, self.who[at]], by_image[group, self.what[at]]
        people, images = (by_person**2).sum(1), (by_image**2).sum(1)
        square = weight**2
        own = (
            float(square @ (1 - 2 * person + people[group])),
            float(square @ (1 - 2 * image + images[group])),
        )
        return own, float(square.sum() - 2 * weight @ (person * image) + people @ images)


def small_sample(weights: Floats) -> tuple[float, float, float]:
    """Return of clusters the sum of squared weights, the factor of their variance, and its df.

    Were the values of a cluster an effect of it alone, of equal variance and independent between
    clusters and groups, the clusters' sums less the mean were K u with, per group,
    K = diag(w) (1 - 1 w'), and the sum of their squares had the mean tr(A) and the degrees of
    freedom tr(A)^2 / tr(A A), with A the sum of K K' over groups. Wanted is the sum of w^2.

    Args:
        weights: (groups, clusters), each row summing to 1.
    """
    square = weights**2
    equal = square.sum(1)
    total = float(equal.sum())
    trace = float((equal - 2 * (square * weights).sum(1) + equal**2).sum())
    of_squares = 0.0
    for a, s, c in zip(weights, square, equal, strict=True):
        for b, r, d in zip(weights, square, equal, strict=True):
            ab, ar, sb, sr = float(a @ b), float(a @ r), float(s @ b), float(s @ r)
            of_squares += (
                sr * (1 + c + d)
                - 2 * float(s @ (r * b) + r @ (s * a))
                + 2 * (ab * sr + ar * sb)
                - 2 * ab * (d * sb + c * ar)
                + c * d * ab**2
            )
    return total, float(total / trace), max(float(trace**2 / of_squares), 1.0)


def _numbered(keys: ArrayLike) -> Numbers:
    """Return for each key its number among the different ones."""
    _, numbers = np.unique(np.asarray(keys), return_inverse=True)
    return numbers.astype(np.int64)
