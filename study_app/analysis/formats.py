"""Numbers of an analysis as people read them: shares in per cent, differences in points."""

from __future__ import annotations

from math import isfinite

from engine.analysis.contrasts import Contrast
from engine.analysis.outcomes import Outcome
from engine.statistics.clustered import Clustered

NONE = "–"
"""Stands where there is no number."""
MINUS = "\N{MINUS SIGN}"


def is_share(outcome: Outcome) -> bool:
    """Say whether the outcome's mean is a share."""
    return outcome.kind in ("binary", "detection")


def number(value: float | None, *, signed: bool = False) -> str:
    """Return a number with two decimals below 100 and none above: "4.21", "812"."""
    if value is None or not isfinite(value):
        return NONE
    places = 0 if abs(value) >= 100 else 1 if abs(value) >= 20 else 2
    return f"{value:{'+' if signed else ''}.{places}f}".replace("-", MINUS)


def quantity(outcome: Outcome, value: float | None) -> str:
    """Return a mean in the outcome's units: "41 %" or "4.21"."""
    if value is None or not isfinite(value):
        return NONE
    return f"{value:.0%}".replace("%", " %") if is_share(outcome) else number(value)


def interval(outcome: Outcome, low: float, high: float) -> str:
    """Return an interval in the outcome's units: "28 to 55"; "" where there is none."""
    if not (isfinite(low) and isfinite(high)):
        return ""
    if is_share(outcome):
        return f"{low * 100:.0f} to {high * 100:.0f}".replace("-", MINUS)
    return f"{number(low)} to {number(high)}"


def estimate(outcome: Outcome, found: Clustered | None) -> str:
    """Return a mean with its interval: "41 % (28 to 55)"; refused intervals are left out."""
    if found is None or found.value is None:
        return NONE
    value = quantity(outcome, found.value)
    between = "" if found.refused else interval(outcome, found.low, found.high)
    return f"{value} ({between})" if between else value


def difference(outcome: Outcome, value: float | None, low: float, high: float) -> str:
    """Return a difference with its interval: "+12 points (3 to 21)", "+0.41 (0.10 to 0.72)"."""
    if value is None:
        return NONE
    between = interval(outcome, low, high)
    if is_share(outcome):
        said = f"{value * 100:+.0f} points".replace("-", MINUS)
    else:
        said = number(value, signed=True)
    return f"{said} ({between})" if between else said


def contrast(found: Contrast) -> str:
    """Return the difference of a contrast with its interval."""
    return difference(found.spec.outcome, found.value, found.low, found.high)


def p_value(p: float) -> str:
    """Return a p-value: ".012", "< .001"; "1" where nothing speaks for the claim."""
    if not isfinite(p):
        return NONE
    if p < 0.001:
        return "< .001"
    if p > 0.999:
        return "1"
    return f"{p:.3f}".removeprefix("0")


def counted(count: int, one: str, several: str = "") -> str:
    """Return a number of things: "1 person", "3 people"."""
    return f"{count} {one if count == 1 else several or one + 's'}"
