"""Shares of yes-answers in designs where people cross images, with honest intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import seeds

RESAMPLES = 2000
_LEVEL = 0.95
_Z = 1.959963984540054


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

    Participants and images are resampled independently, with replacement; a rating weighs as
    often as both were drawn (Owen 2007, "The pigeonhole bootstrap"). Ratings of one person, and
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
    _, who = np.unique(participant, return_inverse=True)
    _, what = np.unique(image, return_inverse=True)
    people, images = int(who.max()) + 1, int(what.max()) + 1
    rng = np.random.default_rng(seeds.derive(seed, "crossed_rate"))
    weights_who = rng.multinomial(people, np.full(people, 1 / people), size=resamples)
    weights_what = rng.multinomial(images, np.full(images, 1 / images), size=resamples)
    low, high = wilson(int(yes.sum()), count)
    total = np.empty(resamples)
    hits = np.empty(resamples)
    for row in range(resamples):
        weight = weights_who[row, who] * weights_what[row, what]
        total[row] = weight.sum()
        hits[row] = weight[yes].sum()
    drawn = total > 0  # in a sparse table a resample may hold no rating at all
    if drawn.any():
        tail = (1 - _LEVEL) / 2
        boot_low, boot_high = np.quantile(hits[drawn] / total[drawn], [tail, 1 - tail])
        low, high = min(low, float(boot_low)), max(high, float(boot_high))
    return Rate(float(yes.mean()), low, high, count, people, images)


def wilson(successes: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval (1927) of a binomial share; (0, 1) for count 0."""
    if count == 0:
        return 0.0, 1.0
    share = successes / count
    scale = 1 + _Z**2 / count
    middle = share + _Z**2 / (2 * count)
    half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
