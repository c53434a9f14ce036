"""Means of ratings that people give of images, where both are samples: shares, means, differences.

Ratings of one person are alike, and so are ratings of one image: what is said holds for other
people *and* other images. See `two_way` for tables; here are single ratings, as sparse as a design
with counterbalancing lists makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from numpy.typing import ArrayLike

from engine.statistics.two_way import LEVEL, Estimate

Weights: TypeAlias = Literal["people", "ratings"]
"""What counts equally: each person, whatever number of ratings they gave, or each rating."""


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
    """Return the share of `yes` (N,) with its interval within [0, 1]."""
    raise NotImplementedError


def average(
    values: ArrayLike,
    participant: ArrayLike,
    image: ArrayLike,
    *,
    weights: Weights = "people",
    level: float = LEVEL,
) -> Clustered:
    """Return the mean of `values` (N,) with its interval."""
    raise NotImplementedError


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
    """Return the mean of `values` (N,) where `first` (N,) is true less that of the others."""
    raise NotImplementedError
