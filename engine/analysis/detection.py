"""Detection theory: sensitivity and criterion of people who say yes or no, or choose of two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.analysis.outcomes import Outcome
from engine.statistics.mixed import UNSETTLED, Fit, RandomEffect, fit, refusal
from engine.statistics.two_way import LEVEL

FEWEST_TRIALS = 8
"""A person has a sensitivity of their own from so many trials with signal and as many without."""
FEW = 6
"""Fewer people or images than this say little of others, and the interval is rough."""
JOIN = " + "
"""Stands between the labels of conditions that were counted together."""
TWO_CHOICES = (
    "Of two pictures one was chosen, so that chance is 1/2: d' is the square root of 2 times the"
    " normal quantile of the share."
)


@dataclass(frozen=True)
class Detection:
    """How well yes tells one kind of pictures from the other.

    Attributes:
        outcome: its name.
        signal, noise: labels of the conditions, joined by " + "; of a choice of two no noise: "".
        arm: label.
        hits, false_alarms: shares of yes, by mean of people.
        sensitivity: d' with `low`, `high`: of the typical person and image, by a crossed probit
            model (a pooled d' is too small where people's criteria differ). -inf and inf without.
        criterion: c with `criterion_low`, `criterion_high`; positive: inclined to no.
        people: id, d' and c of each person with at least 8 trials a side, log-linear correction.
        note: why there is no value, or what limits it; "".
    """

    outcome: str
    signal: str
    noise: str
    arm: str
    hits: float | None
    false_alarms: float | None
    sensitivity: float | None
    low: float
    high: float
    criterion: float | None
    criterion_low: float
    criterion_high: float
    people: Sequence[tuple[str, float, float]]
    note: str = ""


def yes_no(hits: float, false_alarms: float) -> tuple[float, float]:
    """Return d' = z(H) - z(F) and c = -(z(H) + z(F)) / 2 of shares in [0, 1].

    Macmillan & Creelman (2005), "Detection theory: a user's guide", equations 1.5 and 2.1. Infinite
    where a share is 0 or 1; NaN where both are.
    """
    from scipy.special import ndtri

    hit, alarm = float(ndtri(hits)), float(ndtri(false_alarms))
    return hit - alarm, -(hit + alarm) / 2


def two_afc(share: float) -> float:
    """Return d' of a share of right choices of two, in [0, 1]: the root of 2 times its quantile.

    Macmillan & Creelman (2005), equation 7.2, for people without an inclination to one side.
    """
    from scipy.special import ndtri

    return sqrt(2) * float(ndtri(share))


def detections(
    ratings: pd.DataFrame, outcome: Outcome, noise: Sequence[str] = ()
) -> list[Detection]:
    """Return d' and c of each condition against the noise, by arm.

    The model is yes ~ signal + (1 + signal || person) + (1 + signal || image) with the probit link,
    the signal coded +1/2 and -1/2: d' is the fixed slope and c less the intercept (DeCarlo 1998,
    "Signal detection theory and generalized linear models", Psychological Methods 3). Intervals are
    Wald's on the probit scale, from the joint curvature of the likelihood in fixed effects and
    standard deviations (held, they would be a tenth to a fifth too narrow), with Student's t on one
    degree of freedom less than there are people, or images, whichever are fewer. Slopes are there
    where people, or images, were shown on both sides.

    Args:
        ratings: `estimates.counted` rows with the outcome's column, and of a detection that of its
            signal.
        outcome: a detection, or a binary outcome.
        noise: of a binary outcome: labels of the conditions in which yes is a false alarm (clean
            pictures, noise controls). Without any there is nothing to tell from: no rows. Of a
            detection it is not used: noise are the trials of the arm whose signal is false.

    Returns:
        One row for each arm and condition with signal trials, both sorted.

    Raises:
        ValueError: the outcome is of another kind, or a detection that names no signal.
    """
    ratings = ratings.reset_index(drop=True)  # tables that were joined repeat their labels
    if outcome.kind == "detection":
        if outcome.signal is None:
            raise ValueError(f"outcome {outcome.name!r} is a detection and names no signal")
        answered = ratings[ratings[outcome.name].notna() & ratings[outcome.signal].notna()]
        there = answered[outcome.signal].astype(bool)
    elif outcome.kind == "binary":
        answered = ratings[ratings[outcome.name].notna()]
        there = ~answered["condition"].isin(noise)
        if there.all():
            return []
    else:
        raise ValueError(
            f"outcome {outcome.name!r} is {outcome.kind}; d' is defined for detection and binary"
        )
    found = []
    for arm, of_arm in _sorted_groups(answered, "arm"):
        here = there[of_arm.index]
        without = of_arm[~here]
        for condition, signal in _sorted_groups(of_arm[here], "condition"):
            both = pd.concat([signal, without])
            yes = both[outcome.name].to_numpy(dtype=bool)
            first = np.arange(len(both)) < len(signal)
            names = (condition, JOIN.join(sorted(without["condition"].unique())))
            found.append(_detection(both, yes, first, (outcome.name, *names, arm)))
    return found


def two_choices(ratings: pd.DataFrame, outcome: Outcome) -> list[Detection]:
    """Return d' of each condition and arm where one of two pictures is chosen.

    The model is right ~ 1 + (1 | person) + (1 | image) with the probit link: d' is the root of 2
    times the intercept. There is no criterion; sides are the design's to balance.

    Args:
        ratings: `estimates.counted` rows with the outcome's column.
        outcome: binary, true where the choice was the one that the signal is in; chance is 1/2.

    Raises:
        ValueError: the outcome is of another kind.
    """
    if outcome.kind != "binary":
        raise ValueError(f"outcome {outcome.name!r} is {outcome.kind}; a choice of two is binary")
    answered = ratings[ratings[outcome.name].notna()]
    found = []
    for arm, of_arm in _sorted_groups(answered, "arm"):
        for condition, cell in _sorted_groups(of_arm, "condition"):
            found.append(_choice(cell, outcome.name, condition, arm))
    return found


def _sorted_groups(rows: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    for label, group in rows.groupby(column, sort=True):
        yield str(label), group


def _detection(
    rows: pd.DataFrame, yes: NDArray[np.bool_], first: NDArray[np.bool_], names: tuple[str, ...]
) -> Detection:
    """Return the row of signal trials, where `first` is true, and noise trials."""
    person = rows["participant_id"].to_numpy()
    image = rows["source_image_id"].to_numpy()
    hits, alarms = (_mean_of_people(yes[side], person[side]) for side in (first, ~first))
    people = _by_person(yes, first, person)
    nothing = _nothing(names, hits, alarms, people)
    refused = refusal(yes, first, person, image, ("signal", "noise"))
    if refused:
        return replace(nothing, note=refused)
    coded = np.where(first, 0.5, -0.5)
    random = [RandomEffect("person", person), RandomEffect("image", image)]
    for name, who in (("person x signal", person), ("image x signal", image)):
        if np.intersect1d(who[first], who[~first]).size:
            random.append(RandomEffect(name, who, coded))
    model = fit(yes, np.column_stack([np.ones(len(yes)), coded]), random, link="probit", joint=True)
    if not model.converged:
        return replace(nothing, note=UNSETTLED)
    df = _fewer(person, image) - 1
    sensitivity, criterion = _interval(model, 1, 1.0, df), _interval(model, 0, -1.0, df)
    return replace(
        nothing,
        sensitivity=sensitivity[0],
        low=sensitivity[1],
        high=sensitivity[2],
        criterion=criterion[0],
        criterion_low=criterion[1],
        criterion_high=criterion[2],
        note=_few(person, image),
    )


def _choice(cell: pd.DataFrame, name: str, condition: str, arm: str) -> Detection:
    right = cell[name].to_numpy(dtype=bool)
    person, image = cell["participant_id"].to_numpy(), cell["source_image_id"].to_numpy()
    share = _mean_of_people(right, person)
    nothing = _nothing((name, condition, "", arm), share, None, [])
    for kind, which in (("person", person), ("image", image)):
        if len(np.unique(which)) < 2:
            why = f"All ratings are of one {kind}, which says nothing of others."
            return replace(nothing, note=why)
    if right.all() or not right.any():
        return replace(nothing, note=f"All {len(right)} choices are alike: d' is infinite.")
    random = [RandomEffect("person", person), RandomEffect("image", image)]
    model = fit(right, np.ones((len(right), 1)), random, link="probit", joint=True)
    if not model.converged:
        return replace(nothing, note=UNSETTLED)
    value, low, high = _interval(model, 0, sqrt(2), _fewer(person, image) - 1)
    note = " ".join(filter(None, (TWO_CHOICES, _few(person, image))))
    return replace(nothing, sensitivity=value, low=low, high=high, note=note)


def _nothing(
    names: tuple[str, ...],
    hits: float | None,
    alarms: float | None,
    people: Sequence[tuple[str, float, float]],
) -> Detection:
    """Return a row without a model."""
    outcome, signal, noise, arm = names
    ends = (None, -inf, inf)
    return Detection(outcome, signal, noise, arm, hits, alarms, *ends, *ends, people)


def _interval(model: Fit, place: int, times: float, df: int) -> tuple[float, float, float]:
    """Return a fixed effect times a number, and its interval."""
    from scipy.special import stdtrit

    value = times * float(model.fixed[place])
    half = abs(times) * float(model.errors[place]) * float(stdtrit(df, 1 - LEVEL / 2))
    return value, value - half, value + half


def _mean_of_people(yes: NDArray[np.bool_], person: NDArray[np.object_]) -> float | None:
    if not len(yes):
        return None
    _, who = np.unique(person, return_inverse=True)
    return float((np.bincount(who, yes) / np.bincount(who)).mean())


def _by_person(
    yes: NDArray[np.bool_], first: NDArray[np.bool_], person: NDArray[np.object_]
) -> list[tuple[str, float, float]]:
    """Return d' and c of each person with enough trials on both sides.

    Log-linear correction (Hautus 1995, "Corrections for extreme proportions and their biasing
    effects on estimated values of d'", Behavior Research Methods 27): half a yes and half a no are
    added to each side of everybody, so that no share is 0 or 1.
    """
    ids, who = np.unique(person, return_inverse=True)
    sides = [first, ~first]
    trials = [np.bincount(who[side], minlength=len(ids)) for side in sides]
    said = [np.bincount(who[side], yes[side], minlength=len(ids)) for side in sides]
    hit, alarm = ((s + 0.5) / (n + 1) for s, n in zip(said, trials, strict=True))
    enough = np.flatnonzero(np.minimum(*trials) >= FEWEST_TRIALS)
    return [(str(ids[k]), *yes_no(float(hit[k]), float(alarm[k]))) for k in enough]


def _fewer(person: NDArray[np.object_], image: NDArray[np.object_]) -> int:
    """Return how many people there are, or images, whichever are fewer."""
    return min(len(np.unique(person)), len(np.unique(image)))


def _few(person: NDArray[np.object_], image: NDArray[np.object_]) -> str:
    """Return what limits the interval, or ""."""
    counts = {"people": len(np.unique(person)), "images": len(np.unique(image))}
    few = [f"{count} {name}" for name, count in counts.items() if count < FEW]
    if not few:
        return ""
    return f"Only {' and '.join(few)}: the interval is rough."
