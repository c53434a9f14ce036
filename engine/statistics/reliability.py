"""How far people agree on units that several of them rated: alpha, and the noise ceiling.

Both come with intervals for other people and other images. See `engine.analysis.agreement`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

SPLITS = 200
"""Into halves of the people: the noise ceiling is the mean over so many."""

FEW_OTHERS = 12
"""So many ratings at least must differ from the most common value for a noise ceiling. Of fewer,
means differ by a handful of ratings, and intervals hold the truth in 60 to 85 % of studies."""

Level: TypeAlias = Literal["nominal", "ordinal", "interval"]
"""Of measurement."""
Valued: TypeAlias = tuple[float, float, float]
"""A value with the ends of its interval."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def alpha(
    values: Floats, person: Integers, unit: Integers, image: Integers, level: Level
) -> Valued:
    """Return Krippendorff's alpha with its interval.

    The interval is of the alpha of all people and images; see `jackknifed`. Of few, alpha itself is
    too low; the interval rests on `_without`, which is not.

    Args:
        values: (N,); codes of a nominal level. At least two differ.
        person: (N,), codes from 0 up: who gave it.
        unit: (N,), likewise: what was rated, by two at least, by nobody twice.
        image: (N,), likewise: what the unit was made from, which may be several units.
        level: how far two values differ.

    Returns:
        -inf and 1 are the ends where there is one person or one image, or no disagreement.
    """
    value, influence = alpha_influence(values, unit, level)
    if value == 1:
        return value, -inf, 1.0
    often = len(values) / (int(unit.max()) + 1)
    whole, left_out = _without(values, person, unit, image, level)
    low, high = jackknifed(whole, left_out, influence, person, often)
    return value, min(value, low), max(value, high)


def jackknifed(
    whole: float, left_out: Floats, influence: Floats, person: Integers, often: float
) -> tuple[float, float]:
    """Return the interval of a correlation between ratings of one unit by different people.

    Its scale is log((1 + (k - 1) r) / (1 - r)) with k ratings of a unit, on which the variance of
    an intraclass correlation does not depend on its value (Fisher 1925, "Statistical methods for
    research workers", chapter 7). Images are left out one at a time (jackknife), and what people
    add to single ratings is added, from the influence of each. Degrees of freedom are
    Satterthwaite's. Bootstraps would not do: one of people draws some of them twice, who then agree
    with themselves, and knows nothing of other images; one of both counts single ratings thrice.

    Args:
        whole: the correlation, in all ratings.
        left_out: the same without one image each, (images,); NaN where there is none.
        influence: (N,), by how much each rating's weight moves it.
        person: (N,), codes from 0 up.
        often: how many ratings of a unit there are.

    Returns:
        -inf and 1 where there is one person or one image.
    """
    people = int(person.max()) + 1
    known = _scale(left_out[np.isfinite(left_out)], often)
    if min(people, len(known)) < 2:
        return -inf, 1.0
    from scipy.special import stdtrit

    of_images = float(known.var()) * (len(known) - 1)
    inside = np.clip(whole, -0.99 / (often - 1), 0.999)
    cells = influence * often / ((1 + (often - 1) * inside) * (1 - inside))
    of_people = float((np.bincount(person, cells) ** 2).sum()) * people / (people - 1)
    variance = of_images + max(of_people - float((cells**2).sum()), 0.0)
    if not variance:
        return -inf, 1.0
    df = variance**2 / (of_images**2 / (len(known) - 1) + of_people**2 / (people - 1))
    half = float(stdtrit(max(df, 1.0), 0.975)) * variance**0.5
    ends = np.exp(_scale(whole, often) + np.array([-half, half]))
    low, high = ((ends - 1) / (ends + often - 1)).tolist()
    return low, high


def _scale(values: Any, often: float) -> Any:
    inside = np.clip(values, -0.99 / (often - 1), 0.999)
    return np.log((1 + (often - 1) * inside) / (1 - inside))


def alpha_influence(values: Floats, unit: Integers, level: Level) -> tuple[float, Floats]:
    """Return Krippendorff's alpha, and by how much each rating's weight moves it, (N,).

    alpha = 1 - observed / expected disagreement (Krippendorff 2011, "Computing Krippendorff's
    alpha-reliability"). Two values differ by 1 (nominal), by the square of their difference
    (interval), or by that of their mean ranks (ordinal). Sums over units are then enough: a table
    of all values by all values, which a thousand numbers would make large, is not needed.

    Args:
        values: (N,).
        unit: (N,).
        level: as for `alpha`.
    """
    scores, scale = _scores(values, level)
    count = len(values)
    each = np.bincount(unit)[unit].astype(np.float64)
    to_unit = _distances(scores, unit, level)
    to_all = _distances(scores, np.zeros_like(unit), level)
    observed, expected = float((to_unit / (each - 1)).sum()), float(to_all.sum())
    if observed <= 1e-12 * count:
        return 1.0, np.zeros(count)
    ratio = observed * (count - 1) / expected
    within = np.bincount(unit, to_unit)[unit]
    own = (2 * to_unit - within / each) / (each - 1)
    change = own / observed + 1 / count - 2 * to_all / expected
    if level == "ordinal":  # a rating moves the ranks of the values above its own, and half its own
        _, code = np.unique(values, return_inverse=True)
        first = np.bincount(unit, scores)[unit]
        bend = (each * scores - first) / (each - 1) / observed
        by_value = np.bincount(code, 4 * (bend - count * scores / expected)) / scale
        above = by_value.sum() - np.cumsum(by_value)
        change = change + (above + by_value / 2)[code]
    return 1 - ratio, -ratio * change


def _without(
    values: Floats, person: Integers, unit: Integers, image: Integers, level: Level
) -> tuple[float, Floats]:
    """Return alpha without bias of all ratings, and of those of all images but one, (images,).

    Disagreement by chance is taken between ratings of different people and different units. Where
    people or units are few, many pairs of ratings are of the same, and these differ less. Ranks
    stay as they are in all ratings. NaN where no disagreement by chance is left.
    """
    scores, _ = _scores(values, level)
    to_unit = _distances(scores, unit, level)
    observed = to_unit / (np.bincount(unit)[unit] - 1)
    total, left = _apart(lambda groups: _distances(scores, groups, level), person, unit, image)
    pairs, pairs_left = _apart(lambda groups: np.bincount(groups)[groups], person, unit, image)
    # A pair of a rating with itself is of one unit and of one person: it was taken away twice.
    count, count_left = len(values), len(values) - np.bincount(image)
    pairs, pairs_left = pairs + count, pairs_left + count_left
    of_image = np.bincount(image, observed)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = 1 - np.divide(of_image.sum() / count, total / pairs)
        without = 1 - (of_image.sum() - of_image) / count_left / (left / pairs_left)
    return float(whole), np.where(left > 1e-9 * total, without, np.nan)


def _apart(
    to: Callable[[Integers], NDArray[Any]], person: Integers, unit: Integers, image: Integers
) -> tuple[float, Floats]:
    """Return a sum over pairs of ratings of different units and people; the same without an image.

    Args:
        to: from groups (N,) to the sum over the pairs of each rating with those of its group.
        person: (N,).
        unit: (N,).
        image: (N,).
    """
    everything, both = np.zeros_like(unit), person * (int(image.max()) + 1) + image
    to_all, to_unit, to_person = to(everything), to(unit), to(person)
    lost = 2 * to_all - to(image) - to_unit - 2 * to_person + to(both)
    total = float((to_all - to_unit - to_person).sum())
    return total, (total - np.bincount(image, lost)).astype(np.float64)


def _scores(values: Floats, level: Level) -> tuple[Floats, float]:
    """Return what distances are of: codes, or standardised numbers or ranks; and their unit."""
    _, code, often = np.unique(values, return_inverse=True, return_counts=True)
    if level == "nominal":
        return code.astype(np.float64), 1.0
    scores = values if level == "interval" else (np.cumsum(often) - often / 2)[code]
    scale = float(scores.std())
    return (scores - scores.mean()) / scale, scale


def _distances(scores: Floats, groups: Integers, level: Level) -> Floats:
    """Return the sum of the distances of each rating to all of its group, (N,)."""
    often = np.bincount(groups)[groups].astype(np.float64)
    if level == "nominal":
        alike = groups * (int(scores.max()) + 1) + scores.astype(np.int64)
        _, at, size = np.unique(alike, return_inverse=True, return_counts=True)
        return often - size[at]
    first, second = np.bincount(groups, scores)[groups], np.bincount(groups, scores**2)[groups]
    return np.asarray(np.maximum(second - 2 * scores * first + often * scores**2, 0.0))


def noise_ceiling(
    values: Floats,
    person: Integers,
    unit: Integers,
    image: Integers,
    *,
    seed: int,
    splits: int = SPLITS,
) -> Valued | None:
    """Return how well two halves of the people agree on the means of units, with its interval.

    The correlation r of the mean ratings of units by two halves of the people, its mean over random
    halves, corrected for length: 2 r / (1 + r) (Spearman 1910; Brown 1910). It is how well the mean
    of as many other people would correlate with the mean of these, and so what a perfect model of
    the ratings could reach. The interval is of other people and other images; see `jackknifed`.

    Args:
        values: (N,).
        person: (N,), as for `alpha`.
        unit: (N,), likewise.
        image: (N,), likewise.
        seed: decides the halves.
        splits: how many.

    Returns:
        None where too few ratings differ (`FEW_OTHERS`), or the means of no halves do.
    """
    if len(values) - int(np.unique(values, return_counts=True)[1].max()) < FEW_OTHERS:
        return None
    found = _halves(values, person, unit, image, seed=seed, splits=splits)
    if found is None:
        return None
    r, left_out, influence = found
    low, high = jackknifed(r, left_out, influence, person, 2.0)
    value, least, most = (
        max(2 * each / (1 + each), -1.0) if each > -1 else -1.0 for each in (r, low, high)
    )
    return value, -inf if low == -inf else least, most


def _halves(
    values: Floats, person: Integers, unit: Integers, image: Integers, *, seed: int, splits: int
) -> tuple[float, Floats, Floats] | None:
    """Return r of `noise_ceiling`, the same without one image each, and what a rating moves it by.

    Both are means over the splits, (images,) and (N,); the influence is that of a rating's weight
    in the mean of its unit. None where no halves' means differ.
    """
    rng = np.random.default_rng(seed)
    people, units = int(person.max()) + 1, int(unit.max()) + 1
    of_unit = np.zeros(units, dtype=np.int64)
    of_unit[unit] = image
    found, left_out, cells = [], [], np.zeros(len(values))
    for _ in range(splits):
        half = (rng.permutation(people) < people // 2)[person].astype(np.int64)
        at = half * units + unit
        often = np.bincount(at, minlength=2 * units)
        means = np.bincount(at, values, 2 * units) / np.maximum(often, 1)
        known = (often.reshape(2, units) > 0).all(0)
        two = means.reshape(2, units)[:, known]
        if two.shape[1] < 3 or two.std(1).min() <= 1e-12:
            continue
        scale = two.std(1, keepdims=True)
        away = (two - two.mean(1, keepdims=True)) / scale
        count = away.shape[1]
        r = float(away[0] @ away[1]) / count
        found.append(r)
        left_out.append(_without_each(away, of_unit[known], int(image.max()) + 1))
        slope = np.zeros((2, units))
        slope[:, known] = (away[::-1] - r * away) / (count * scale)
        cells += slope.ravel()[at] * (values - means[at]) / often[at]
    if not found:
        return None
    stacked = np.array(left_out)
    told = np.isfinite(stacked)
    mean = np.where(told, stacked, 0.0).sum(0) / np.maximum(told.sum(0), 1)
    return float(np.mean(found)), np.where(told.any(0), mean, np.nan), cells / len(found)


def _without_each(away: Floats, image: Integers, images: int) -> Floats:
    """Return the correlation of two rows without the columns of one image each, (images,).

    Args:
        away: (2, columns), standardised.
        image: (columns,), codes.
        images: how many there are.
    """
    lost = [
        np.bincount(image, each, images)
        for each in (away[0], away[1], away[0] ** 2, away[1] ** 2, away[0] * away[1])
    ]
    count = away.shape[1] - np.bincount(image, minlength=images)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = -lost[0] / count, -lost[1] / count
        variances = ((away.shape[1] - each) / count for each in lost[2:4])
        one, two = (v - m**2 for v, m in zip(variances, (first, second), strict=True))
        both = (float(away[0] @ away[1]) - lost[4]) / count - first * second
        r = both / np.sqrt(one * two)
    return np.where((one > 1e-9) & (two > 1e-9), r, np.nan)
