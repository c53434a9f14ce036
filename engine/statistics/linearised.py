"""The two-way error of an estimate that is no mean, from how each rating moves it.

The influence of a rating is the derivative of the estimate by the rating's weight (Hampel 1974,
"The influence curve and its role in robust estimation", Journal of the American Statistical
Association 69). Summed over what a person gave, or over what was given of an image, it says how far
another person or image would have moved the estimate. Both are samples, as in `influence`.
"""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.statistics.influence import Parts


def two_way_error(cells: ArrayLike, people: ArrayLike, images: ArrayLike) -> tuple[float, float]:
    """Return the standard error of an estimate and its degrees of freedom.

    The variance is that of people, plus that of images, less that of single ratings, which both
    contain, and at least that of independent ratings: see `influence.Parts`.

    Args:
        cells: (N,), the influence of each rating.
        people: (N,), codes from 0 up, none left out: who gave it.
        images: (N,), likewise: of what.

    Returns:
        Infinity and 1 where there is one person or one image; 0 and infinity where no rating moves
        the estimate.
    """
    each = np.asarray(cells, dtype=np.float64)
    of_people, of_images = (
        np.bincount(np.asarray(codes), each).astype(np.float64) for codes in (people, images)
    )
    if min(len(of_people), len(of_images)) < 2:
        return inf, 1.0
    person, image, rest = (_squares(sums) for sums in (of_people, of_images, each))
    if person == image == rest == 0:
        return 0.0, inf
    dfs = (len(of_people) - 1.0, len(of_images) - 1.0)
    parts = Parts(person, image, *dfs, rest, rest, 0.0, 0.0, 0.0, 0.0, float(len(each)))
    variance, df = parts.total()
    return variance**0.5, df


def _squares(sums: NDArray[np.float64]) -> float:
    return float((sums**2).sum()) * len(sums) / (len(sums) - 1)
