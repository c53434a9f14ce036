"""Differences in words: how large, how sure, and what is shown by them."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from engine.analysis.outcomes import Outcome
from engine.statistics.mixed import MixedTest

if TYPE_CHECKING:
    from engine.analysis.contrasts import Claim, ContrastSpec, Decided

TESTS = ("cluster t", "mixed model")
"""What decides: by whether it is the mixed model."""
SINGULAR = (
    "The mixed model is singular: a random effect has no variance, so that it is richer than the "
    "data show."
)


def difference(
    outcome: Outcome,
    value: float | None,
    ends: tuple[float, float],
    p: str,
) -> str:
    """Return a difference such as 12 points more (95 % interval 3 to 21; p = .008)."""
    if value is None:
        return ""
    digits = _digits(outcome, ends)
    size = _number(outcome, abs(value), digits)
    more = "less" if value < 0 and float(size) else "more"
    low, high = (_number(outcome, end, digits) for end in ends)
    return f"{size}{_unit(outcome, size)} {more} (95 % interval {low} to {high}; {p})."


def odds(fit: MixedTest, p: str) -> str:
    """Return what a mixed model says of a difference."""
    ends = f"{fit.low:.2f} to {fit.high:.2f}" if isfinite(fit.high) else f"above {fit.low:.2f}"
    return f"Odds ratio {fit.odds_ratio:.2f} (95 % interval {ends}; {p})."


def verdict(spec: ContrastSpec, decided: Decided) -> str:
    """Return what is shown at the 5 % level."""
    shown = decided != "undecided"
    if spec.claim == "equivalent":
        assert spec.margin is not None
        size = _declared(spec.outcome, spec.margin)
        margin = f"{size}{_unit(spec.outcome, size)}"
        return f"Equivalent within {margin}." if shown else f"Not shown to be within {margin}."
    if spec.claim == "above_every":
        return "Above every other." if shown else "Not shown to be above every other."
    if spec.claim == "different":
        return "" if shown else "No difference is shown."
    return "" if shown else f"Not shown to be {spec.claim}."


def smallest(outcome: Outcome, effect: float, ends: tuple[float, float]) -> str:
    """Return whether the smallest difference that matters is still possible."""
    size = _declared(outcome, effect)
    possible = ends[0] < -effect or ends[1] > effect
    verb = "is not excluded" if possible else "is excluded"
    return f"A difference of {size}{_unit(outcome, size)}, the smallest that matters, {verb}."


def refused(why: str, test: str) -> str:
    """Return why a comparison was not made by the test that decides."""
    return f"Not compared by the {test}: {closed(why)} It does not count in its family."


def closed(why: str) -> str:
    """Return a reason with its full stop."""
    return why if why.endswith(".") else f"{why}."


def p_value(claim: Claim, p: float, corrected: float | None = None) -> str:
    """Return such as "one-sided p = .008, corrected < .001", by what is claimed."""
    one_sided = "one-sided " if claim in ("above", "below", "above_every") else ""
    told = _p(p)
    then = "" if corrected is None else f", corrected {_p(corrected)}"
    return f"{one_sided}p {told if told.startswith('<') else f'= {told}'}{then}"


def _p(p: float) -> str:
    if p < 0.001:
        return "< .001"
    if p < 0.0995:
        return f"{p:.3f}".lstrip("0")
    return f"{p:.2f}".lstrip("0")


def _is_share(outcome: Outcome) -> bool:
    return outcome.kind in ("binary", "detection")


def _digits(outcome: Outcome, ends: tuple[float, float]) -> int:
    """Return how many decimals tell these ends apart, and not more than the data can."""
    if outcome.kind == "ordinal":
        return 2
    factor = 100 if _is_share(outcome) else 1
    span = max(abs(factor * ends[0]), abs(factor * ends[1]), factor * (ends[1] - ends[0]))
    if _is_share(outcome):
        return 0 if span >= 5 else 1
    return 0 if span >= 100 else 1 if span >= 10 else 2 if span >= 1 else 4


def _number(outcome: Outcome, value: float, digits: int) -> str:
    told = f"{(100 if _is_share(outcome) else 1) * value:.{digits}f}"
    if not float(told):
        told = told.lstrip("-")
    return told.replace("-", "\N{MINUS SIGN}")


def _declared(outcome: Outcome, value: float) -> str:
    """Return a number as it was declared."""
    return f"{round((100 if _is_share(outcome) else 1) * value, 9):g}"


def _unit(outcome: Outcome, size: str) -> str:
    one = float(size) == 1
    if _is_share(outcome):
        return " point" if one else " points"
    if outcome.kind == "ordinal":
        return " scale point" if one else " scale points"
    return ""
