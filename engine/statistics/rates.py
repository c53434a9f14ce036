"""Shares of yes-answers in designs where people cross images, with honest intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import seeds
from engine.statistics import crossed
from engine.statistics.crossed import RESAMPLES, TAILS


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval.

    Attributes:
        value: share in [0, 1]; None without ratings.
        low, high: the interval; (0, 1), which says nothing, without ratings.
        ratings, participants, images: how many it rests on.
    """

    value: float | None
    low: float
    high: float
    ratings: int
    participants: int
    images: int


def crossed_rate(
    yes: NDArray[np.bool_],
    participant: NDArray[Any],
    image: NDArray[Any],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Rate:
    """Return the share of `yes` with a two-way bootstrap interval.

    Participants and images are resampled independently (`crossed`). Ratings of one person, and
    ratings of one image, resemble each other, so the binomial interval over all ratings is far too
    narrow. The bootstrap in turn cannot see beyond few or equal answers (0 of 20 gives [0, 0]):
    the interval is therefore never narrower than Wilson's for the same counts.

    Args:
        yes: (N,) the ratings.
        participant: (N,) who gave each rating.
        image: (N,) what each rating is of.
        seed: decides the resamples.
        resamples: how many; quantiles of them are the interval's ends.
    """
    count = len(yes)
    if count == 0:
        return Rate(None, 0.0, 1.0, 0, 0, 0)
    from scipy import sparse

    _, who = np.unique(participant, return_inverse=True)
    _, what = np.unique(image, return_inverse=True)
    people, images = int(who.max()) + 1, int(what.max()) + 1
    # Sparse: of many people and many images, few pairs have met.
    hits, ratings = (
        sparse.csr_array((values, (who, what)), shape=(people, images), dtype=np.float64)
        for values in (yes, np.ones(count))
    )
    drawn = crossed.draw(seeds.derive(seed, "crossed_rate"), (people, images), resamples)
    (shares,) = crossed.resampled_means([(hits, ratings)], *drawn)
    shares = shares[~np.isnan(shares)]  # in a sparse table a resample may hold no rating at all
    low, high = wilson(int(yes.sum()), count)
    if len(shares):
        boot_low, boot_high = np.quantile(shares, TAILS)
        low, high = min(low, float(boot_low)), max(high, float(boot_high))
    return Rate(float(yes.mean()), low, high, count, people, images)


def wilson(successes: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval (1927) of a binomial share; (0, 1) for count 0."""
    if count == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest

    found = binomtest(successes, count).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
