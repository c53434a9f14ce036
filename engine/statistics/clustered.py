"""Means of ratings that people give of images, where both are samples: shares, means, differences.

Ratings of one person are alike, and so are ratings of one image: what is said holds for other
people *and* other images. See `two_way` for tables; here are single ratings, as sparse as a design
with counterbalancing lists makes them. The variance of a mean is told in `influence`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from numpy.typing import ArrayLike

from engine.statistics.influence import Parts, Ratings, Weights
from engine.statistics.two_way import LEVEL, Estimate

_PRIOR = 0.4
"""How many degrees of freedom a share's prior is worth: see `_with_typical`."""
_TYPICAL = 1.0
"""Variance in log-odds by which people, and images, typically differ in what is said."""


@dataclass(frozen=True)
class Clustered:
    """A mean of ratings with its interval.

    Attributes:
        value: the weighted mean; None without ratings.
        low, high: its 95 % interval; -inf and inf where it is refused (a share: 0 and 1).
        error: the two-way standard error, before any floor.
        df: its degrees of freedom.
        effective: how many independent ratings would be worth as much.
        ratings, people, images: what it rests on.
        refused: why there is no interval, as a sentence; "" where there is one.
        warning: what limits it (below six people or images), as a sentence; "".
    """

    value: float | None
    low: float
    high: float
    error: float
    df: float
    effective: float
    ratings: int
    people: int
    images: int
    refused: str = ""
    warning: str = ""


def share(
    yes: ArrayLike,
    participant: ArrayLike,
    image: ArrayLike,
    *,
    weights: Weights = "people",
    level: float = LEVEL,
) -> Clustered:
    """Return the share of `yes` (N,) with its interval within [0, 1].

    The interval is Wilson's (1927) for the effective number of ratings p (1 - p) / V, less as much
    as t with V's degrees of freedom is wider than the normal (Korn & Graubard 1998, "Confidence
    intervals for proportions with small expected number of positive counts estimated from survey
    data", Survey Methodology 24). Of few people or images V is moderated by what is typical, and of
    a share of 0 or 1 it is that alone: see `_with_typical`.

    Args:
        yes: (N,) booleans, or 0 and 1.
        participant: (N,) who gave each.
        image: (N,) what each is of.
        weights: what counts equally.
        level: of the interval, both sides together.

    Raises:
        ValueError: lengths differ, or a rating is neither 0 nor 1.
    """
    ratings = Ratings.of(yes, None, participant, image, weights)
    if not ratings.binary:
        raise ValueError("a share is of yes and no: a rating is neither 0 nor 1")
    if ratings.refused:
        return _clustered(ratings, 0.0, 1.0)
    from scipy.special import ndtri, stdtrit

    value, found = ratings.mean(0), ratings.parts()
    variance, df = _with_typical(found, value).total()
    normal, student = float(ndtri(1 - level / 2)), float(stdtrit(df, 1 - level / 2))
    spread = value * (1 - value) or _spread(value, found.ratings)
    effective = spread / variance
    low, high = _wilson(value, effective * (normal / student) ** 2, normal)
    return _clustered(ratings, low, high, error=found.error, df=df, effective=effective)


def average(
    values: ArrayLike,
    participant: ArrayLike,
    image: ArrayLike,
    *,
    weights: Weights = "people",
    level: float = LEVEL,
) -> Clustered:
    """Return the mean of `values` (N,) with its interval, Student's.

    Args:
        values: (N,) numbers.
        participant: (N,) who gave each.
        image: (N,) what each is of.
        weights: what counts equally.
        level: of the interval, both sides together.

    Raises:
        ValueError: lengths differ, or a value is missing.
    """
    ratings = Ratings.of(values, None, participant, image, weights)
    if ratings.refused or ratings.constant:
        return _clustered(ratings, -inf, inf)
    value, found = ratings.mean(0), ratings.parts()
    variance, df = found.total()
    low, high = Estimate(value, variance**0.5, df, *ratings.shape).interval(level)
    effective = float(ratings.weight @ (ratings.values - value) ** 2) / variance
    return _clustered(ratings, low, high, error=found.error, df=df, effective=effective)


@dataclass(frozen=True)
class Difference:
    """The mean of one group of ratings less that of another.

    Attributes:
        estimate: the difference with error and degrees of freedom; `two_way` judges several.
        ratings: of both groups.
        people, images: of both groups together.
        shared_people, shared_images: of these, in both groups: what makes it a paired comparison.
        refused: why there is no interval, as a sentence; "".
        warning: what limits it, as a sentence; "".
    """

    estimate: Estimate
    ratings: int
    people: int
    images: int
    shared_people: int
    shared_images: int
    refused: str = ""
    warning: str = ""


def difference(
    values: ArrayLike,
    first: ArrayLike,
    participant: ArrayLike,
    image: ArrayLike,
    *,
    weights: Weights = "people",
) -> Difference:
    """Return the mean of `values` (N,) where `first` (N,) is true less that of the others.

    The ratings of both groups, those of the others with a minus, make one sum per person and one
    per image: who is in both groups is compared with himself, and so is an image; who is in one
    group adds to the variance of that one. The floor is what independent ratings would give; of yes
    and no it is also Agresti and Caffo's, which is not nothing where all answers are the same.

    Args:
        values: (N,) numbers or booleans.
        first: (N,) booleans: which group each belongs to.
        participant: (N,) who gave each.
        image: (N,) what each is of.
        weights: what counts equally, in each group.

    Raises:
        ValueError: lengths differ, or a value is missing.
    """
    ratings = Ratings.of(values, first, participant, image, weights)
    value = None if ratings.empty else ratings.mean(1) - ratings.mean(0)
    error, df, refused = inf, 1.0, ratings.refused
    if not refused and ratings.constant and not ratings.binary:
        refused = ratings.said_constant
    if not refused:
        found = ratings.parts()
        if ratings.binary:
            found = replace(found, alone=max(found.alone, ratings.agresti_caffo()))
        variance, df = found.total()
        error = variance**0.5
    return Difference(
        Estimate(value, error, df, *ratings.shape),
        len(ratings.values),
        *ratings.shape,
        *ratings.shared(),
        refused,
        ratings.warning,
    )


def _clustered(
    ratings: Ratings,
    low: float,
    high: float,
    *,
    error: float = 0.0,
    df: float = 1.0,
    effective: float = 0.0,
) -> Clustered:
    refused = ratings.refused
    if not refused and high == inf:
        refused = ratings.said_constant
    return Clustered(
        None if ratings.empty else ratings.mean(0),
        low,
        high,
        error,
        df,
        effective,
        len(ratings.values),
        *ratings.shape,
        refused,
        ratings.warning,
    )


def _with_typical(found: Parts, value: float) -> Parts:
    """Return the parts of a share's variance, moderated by what is typical of people and images.

    Of three images Vi can come out at nearly nothing, or at several times what is true. But answers
    vary by p (1 - p), and of that a part rho is typically between people, and between images. Vp
    and Vi are averaged with what this gives, the data by their degrees of freedom, the typical by
    `_PRIOR`: of ten images it hardly counts. (Smyth 2004, "Linear models and empirical Bayes
    methods for assessing differential expression in microarray experiments", Statistical
    Applications in Genetics and Molecular Biology 3, moderates variances so.) Where people differ
    by a variance T of log-odds, what they say differs by about (p (1 - p))^2 T, and with images
    that differ as much rho = p (1 - p) T / (1 + 2 p (1 - p) T).

    Where all answers are the same nothing is known but the typical.
    """
    typical = _spread(value, found.ratings)
    rho = typical * _TYPICAL / (1 + 2 * typical * _TYPICAL)
    same = value in (0.0, 1.0)
    spread = typical if same else value * (1 - value)

    def moderated(part: float, df: float, equal: float) -> float:
        prior = spread * (rho * equal + (1 - rho) / found.ratings)
        return prior if same else (df * part + _PRIOR * prior) / (df + _PRIOR)

    return replace(
        found,
        people=moderated(found.people, found.people_df, found.people_equal),
        images=moderated(found.images, found.images_df, found.images_equal),
        people_df=found.people_df + _PRIOR,
        images_df=found.images_df + _PRIOR,
        pairs=spread / found.ratings if same else found.pairs,
        alone=spread / found.ratings if same else found.alone,
    )


def _spread(value: float, ratings: float) -> float:
    """Return p (1 - p) with two yes and two no more (Agresti & Coull 1998): it is never 0."""
    p = (value * ratings + 2) / (ratings + 4)
    return p * (1 - p)


def _wilson(value: float, count: float, normal: float) -> tuple[float, float]:
    """Return Wilson's interval of a share of so many ratings, which need not be whole."""
    scale = 1 + normal**2 / count
    middle = (value + normal**2 / (2 * count)) / scale
    half = normal * (value * (1 - value) / count + (normal / (2 * count)) ** 2) ** 0.5 / scale
    low = 0.0 if value == 0 else max(middle - half, 0.0)
    high = 1.0 if value == 1 else min(middle + half, 1.0)
    return low, high
