"""Contrasts: is one condition, or arm, above another, above every other, or equal to it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.analysis import difference_words as words
from engine.analysis.estimates import ALL
from engine.analysis.outcomes import MEASURED, Outcome
from engine.statistics.clustered import Difference, difference
from engine.statistics.mixed import MixedTest
from engine.statistics.two_way import LEVEL, every_above, holm

Claim: TypeAlias = Literal["different", "above", "below", "above_every", "equivalent"]
"""What a contrast is to show:

- different: of one other, in either direction.
- above, below: of one other, in this direction (one-sided; the interval stays two-sided).
- above_every: above each of several others (an intersection of tests, each at the full level).
- equivalent: within the margin of each other (two one-sided tests).
"""
Test: TypeAlias = Literal["cluster_t", "mixed"]
"""The two-way cluster t on means of people, or the likelihood ratio of a mixed logistic model."""
Between: TypeAlias = Literal["conditions", "arms"]
Decided: TypeAlias = Literal["above", "below", "equivalent", "undecided", "refused"]


@dataclass(frozen=True)
class ContrastSpec:
    """A comparison to make.

    Attributes:
        outcome: a measured one.
        of: label of a condition, or of an arm.
        to: labels of what it is compared with; several for `above_every` and `equivalent` only.
        between: what the labels are of.
        within: where conditions are compared: the arm; where arms are: the condition, or "all".
        claim: see `Claim`.
        family: the name of the family within which p-values are corrected (Holm).
        registered: it was declared before the first answer.
        margin: of `equivalent`: the largest difference that counts as none.
        smallest_effect: the smallest difference that matters, for readers and power; None: unsaid.
        test: which decides.
    """

    outcome: Outcome
    of: str
    to: tuple[str, ...]
    between: Between = "conditions"
    within: str = "all"
    claim: Claim = "different"
    family: str = "exploratory"
    registered: bool = False
    margin: float | None = None
    smallest_effect: float | None = None
    test: Test = "cluster_t"


@dataclass(frozen=True)
class Contrast:
    """A comparison made.

    Attributes:
        spec: which.
        differences: one for each of `spec.to`, by the two-way cluster t.
        value, low, high: the difference with its 95 % interval; of `above_every` the smallest, of
            `equivalent` the one farthest from 0.
        at: which of `spec.to` that is.
        p: of the claim, by the cluster t.
        p_corrected: the same after Holm's correction within the family, by the deciding test.
        mixed: by the mixed model, one for each of `spec.to`; empty where it was not asked for.
        decided: what the deciding test says at the 5 % level, corrected: "above", "below",
            "equivalent" or "undecided"; "refused" where there is no test.
        said: the same as a sentence, with what limits it.
    """

    spec: ContrastSpec
    differences: Sequence[Difference]
    value: float | None
    low: float
    high: float
    at: str
    p: float
    p_corrected: float
    mixed: Sequence[MixedTest]
    decided: Decided
    said: str


def contrasts(
    ratings: pd.DataFrame, specs: Sequence[ContrastSpec], *, mixed: bool = False
) -> list[Contrast]:
    """Return what comes of each comparison, in the order of `specs`, corrected within families.

    A family of registered comparisons holds no exploratory one, whatever its name. Where there is
    no test (a group has one image) a comparison is refused, says why, and does not count in its
    family. All are judged at the 5 % level after correction; of one direction p is one-sided. The
    mixed model decides where it is declared, of yes and no. Whether a difference is within a margin
    of points the cluster t always decides.

    Args:
        ratings: `estimates.counted` rows with the outcomes' columns.
        specs: the comparisons, all that belong to each family.
        mixed: fit the mixed model also where the cluster t decides (binary outcomes only).

    Raises:
        ValueError: a comparison has an outcome without a mean, no margin where its claim needs one,
            or several to compare with where its claim is of one.
    """
    compared = [_compared(ratings, spec, mixed) for spec in specs]
    corrected = _corrected(specs, [each.deciding for each in compared])
    return [_contrast(each, *found) for each, found in zip(compared, corrected, strict=True)]


class _Tails(Protocol):
    """One-sided p-values of a difference."""

    def p_above(self, bound: float) -> float: ...

    def p_below(self, bound: float) -> float: ...


@dataclass(frozen=True)
class _Odds:
    """One-sided p-values of a mixed model, whose bound is always 0."""

    fit: MixedTest

    def p_above(self, bound: float) -> float:
        return self.fit.p / 2 if self.fit.log_odds > 0 else 1 - self.fit.p / 2

    def p_below(self, bound: float) -> float:
        return self.fit.p / 2 if self.fit.log_odds < 0 else 1 - self.fit.p / 2


@dataclass(frozen=True)
class _Judged:
    """What a test says of a claim before correction.

    Attributes:
        p: of the claim.
        shown: what is decided where p is small enough.
        refused: why there is no test, as a sentence; "".
    """

    p: float
    shown: Decided
    refused: str = ""

    def decided(self, p: float) -> Decided:
        if self.refused:
            return "refused"
        return self.shown if p <= LEVEL else "undecided"


@dataclass(frozen=True)
class _Compared:
    """A comparison by both tests.

    Attributes:
        spec: which.
        differences, fits: by the cluster t, and by the mixed model; one for each of `spec.to`.
        at: which of them counts.
        by_t: what the cluster t says.
        by_mixed: what the mixed model says; None where it was not asked.
    """

    spec: ContrastSpec
    differences: Sequence[Difference]
    fits: Sequence[MixedTest]
    at: int
    by_t: _Judged
    by_mixed: _Judged | None

    @property
    def mixed_decides(self) -> bool:
        return self.by_mixed is not None and self.spec.test == "mixed"

    @property
    def deciding(self) -> _Judged:
        return self.by_mixed if self.by_mixed and self.spec.test == "mixed" else self.by_t

    @property
    def other(self) -> _Judged | None:
        return self.by_t if self.mixed_decides else self.by_mixed


def _compared(ratings: pd.DataFrame, spec: ContrastSpec, mixed: bool) -> _Compared:
    _check(spec)
    groups = [_groups(ratings, spec, to) for to in spec.to]
    differences = [difference(*each) for each in groups]
    values = [each.estimate.value for each in differences]
    known = [0.0 if value is None else value for value in values]
    refused = next((each.refused for each in differences if each.refused), "")
    at = int(np.argmax(np.abs(known)) if spec.claim == "equivalent" else np.argmin(known))
    by_t = _judged(spec, [each.estimate for each in differences], known[at], refused)
    binary = spec.outcome.kind in ("binary", "detection")
    fits: list[MixedTest] = []
    by_mixed = None
    if binary and spec.claim != "equivalent" and (mixed or spec.test == "mixed"):
        fits = [_fit(group, each) for group, each in zip(groups, differences, strict=True)]
        unfit = next((each.refused for each in fits if each.refused), "")
        by_mixed = _judged(spec, [_Odds(each) for each in fits], fits[at].log_odds, unfit)
    return _Compared(spec, differences, fits, at, by_t, by_mixed)


def _check(spec: ContrastSpec) -> None:
    which = f"the comparison of {spec.of!r} with {', '.join(map(repr, spec.to))}"
    if spec.outcome.kind not in MEASURED:
        raise ValueError(f"{which}: {spec.outcome.name!r} is {spec.outcome.kind} and has no mean")
    if not spec.to or spec.of in spec.to:
        raise ValueError(f"{which}: it is to be compared with others than itself")
    if len(spec.to) > 1 and spec.claim not in ("above_every", "equivalent"):
        raise ValueError(f"{which}: {spec.claim!r} is said of one; of several 'above_every' is")
    if spec.claim == "equivalent" and not spec.margin:
        raise ValueError(f"{which}: 'equivalent' needs a margin, the largest that counts as none")


def _groups(ratings: pd.DataFrame, spec: ContrastSpec, to: str) -> tuple[NDArray[Any], ...]:
    """Return values, whether they are of `spec.of`, people and images, of both groups."""
    label, place = ("condition", "arm") if spec.between == "conditions" else ("arm", "condition")
    kept = (ratings["task"] == spec.outcome.task) & ratings[spec.outcome.name].notna()
    kept &= ratings[label].isin([spec.of, to])
    if spec.within != ALL:
        kept &= ratings[place] == spec.within
    read = [spec.outcome.name, label, "participant_id", "source_image_id"]
    rows = ratings.loc[kept, read]  # a copy: columns that nobody reads would cost the most
    return (
        rows[spec.outcome.name].to_numpy(dtype=np.float64),
        (rows[label] == spec.of).to_numpy(dtype=bool),
        rows["participant_id"].to_numpy(dtype=str),
        rows["source_image_id"].to_numpy(dtype=str),
    )


def _fit(group: tuple[NDArray[Any], ...], found: Difference) -> MixedTest:
    from engine.statistics.mixed import mixed_test

    yes, first, participant, image = group
    return mixed_test(
        yes,
        first,
        participant,
        image,
        paired_people=found.shared_people > 0,
        paired_images=found.shared_images > 0,
    )


def _judged(
    spec: ContrastSpec, found: Sequence[_Tails], difference: float, refused: str
) -> _Judged:
    """Return what a test says of the claim, from its tails to each of `spec.to`."""
    if refused:
        return _Judged(1.0, "refused", refused)
    above, below = found[0].p_above(0.0), found[0].p_below(0.0)
    if spec.claim == "different":
        return _Judged(min(1.0, 2 * min(above, below)), "above" if difference > 0 else "below")
    if spec.claim == "above":
        return _Judged(above, "above")
    if spec.claim == "below":
        return _Judged(below, "below")
    if spec.claim == "above_every":
        return _Judged(max(each.p_above(0.0) for each in found), "above")
    margin = spec.margin or 0.0
    within = max(max(each.p_above(-margin), each.p_below(margin)) for each in found)
    return _Judged(within, "equivalent")


def _corrected(specs: Sequence[ContrastSpec], found: Sequence[_Judged]) -> list[tuple[float, int]]:
    """Return for each p corrected within its family, and how many the family has."""
    families: dict[tuple[str, bool], list[int]] = {}
    for at, (spec, judged) in enumerate(zip(specs, found, strict=True)):
        if not judged.refused:
            families.setdefault((spec.family, spec.registered), []).append(at)
    corrected = [(1.0, 0)] * len(specs)
    for members in families.values():
        for at, p in zip(members, holm([found[at].p for at in members]), strict=True):
            corrected[at] = float(p), len(members)
    return corrected


def _contrast(one: _Compared, p: float, family: int) -> Contrast:
    estimate = one.differences[one.at].estimate
    low, high = estimate.interval()
    if one.spec.claim == "above_every" and not one.by_t.refused:
        every = every_above([each.estimate for each in one.differences])
        low, high = every.low, every.high
    return Contrast(
        spec=one.spec,
        differences=one.differences,
        value=estimate.value,
        low=low,
        high=high,
        at=one.spec.to[one.at],
        p=one.by_t.p,
        p_corrected=p,
        mixed=one.fits,
        decided=one.deciding.decided(p),
        said=_said(one, (low, high), p, family),
    )


def _said(one: _Compared, ends: tuple[float, float], p: float, family: int) -> str:
    """Return the comparison as a sentence, with what limits it."""
    spec, deciding, other = one.spec, one.deciding, one.other
    if deciding.refused:
        return words.refused(deciding.refused, words.TESTS[one.mixed_decides])
    estimate = one.differences[one.at].estimate
    told = words.p_value(spec.claim, deciding.p, p if family > 1 else None)
    decided = deciding.decided(p)
    sentences = []
    if one.mixed_decides:
        fit = one.fits[one.at]
        sentences.append(words.odds(fit, told))
        told = words.p_value(spec.claim, one.by_t.p)
    if not one.by_t.refused:
        sentences.append(words.difference(spec.outcome, estimate.value, ends, told))
    sentences.append(words.verdict(spec, decided))
    if spec.smallest_effect and decided == "undecided" and not one.by_t.refused:
        sentences.append(words.smallest(spec.outcome, spec.smallest_effect, ends))
    if other is not None:
        sentences.append(_beside(one, other))
    if any(each.singular for each in one.fits):
        sentences.append(words.SINGULAR)
    limits = dict.fromkeys(each.warning for each in one.differences if each.warning)
    sentences += [f"{limit[0].upper()}{limit[1:]}." for limit in limits]
    return " ".join(filter(None, sentences))


def _beside(one: _Compared, other: _Judged) -> str:
    """Return what the test says that does not decide, and which it is where they disagree."""
    deciding, beside = words.TESTS[one.mixed_decides], words.TESTS[not one.mixed_decides]
    if other.refused:
        return f"By the {beside} there is no test: {words.closed(other.refused)}"
    told = (
        [] if one.mixed_decides else [f"By the {beside} {words.p_value(one.spec.claim, other.p)}."]
    )
    if one.deciding.decided(one.deciding.p) != other.decided(other.p):
        registered = "registered" if one.spec.registered else "what decides"
        told.append(f"The tests disagree before correction: {registered} is the {deciding}.")
    return " ".join(told)
