"""Choices among alternatives: the multinomial logit, by maximum likelihood.

The weight of an alternative is exp(x b), x its row of the design (Luce 1959; McFadden 1974). The
log-likelihood is concave. It has no maximum where some direction of b explains every choice ever
better (Albert and Anderson 1984, "On the existence of maximum likelihood estimates in logistic
regression models", Biometrika 71); a weak prior then holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from engine.statistics.linearised import two_way_error

STEPS = 100
"""Of Newton's method, at most; ten are usual."""
DIVERGED = 10.0
"""Log-odds beyond this grow for ever: no count of ratings could show them."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Choices:
    """A multinomial logit of S choices among up to A alternatives, with P parameters.

    Attributes:
        design: (S, A, P); zero where there is no alternative.
        offered: (S, A).
        chosen: (S,), which alternative.
        answer: (S,), of which of the answers it is a part.
        meaning: (M, P): from the parameters to the strengths, the side and the tie, those there
            are; the prior is on these.
    """

    design: Floats
    offered: NDArray[np.bool_]
    chosen: Integers
    answer: Integers
    meaning: Floats


def identified(choices: Choices) -> bool:
    """Say whether answers could tell all parameters apart."""
    first = choices.design[:, :1]
    away = (choices.design - first)[choices.offered]
    return bool(np.linalg.matrix_rank(away.T @ away) == choices.design.shape[2])


def _chances(choices: Choices, values: Floats) -> tuple[Floats, Floats]:
    """Return the chance of each alternative (S, A), and the log-likelihood of each choice (S,)."""
    utility = np.where(choices.offered, choices.design @ values, -inf)
    utility -= utility.max(1, keepdims=True)
    weight = np.exp(utility)
    total = weight.sum(1)
    chosen = utility[np.arange(len(utility)), choices.chosen]
    return weight / total[:, None], chosen - np.log(total)


def _slopes(choices: Choices, chances: Floats) -> Floats:
    """Return the gradient of each choice's log-likelihood, (S, P)."""
    expected = np.einsum("sa,sap->sp", chances, choices.design)
    found: Floats = choices.design[np.arange(len(chances)), choices.chosen] - expected
    return found


def _information(choices: Choices, chances: Floats) -> Floats:
    """Return minus the Hessian of the log-likelihood, (P, P)."""
    expected = np.einsum("sa,sap->sp", chances, choices.design)
    flat = choices.design.reshape(-1, choices.design.shape[2])
    found: Floats = (flat * chances.reshape(-1, 1)).T @ flat - expected.T @ expected
    return found


def _prior(choices: Choices, values: Floats) -> tuple[float, Floats, Floats]:
    """Return the log-density of log-F(1, 1) at what is meant, its slope and minus its Hessian."""
    meant = choices.meaning @ values
    high = 1 / (1 + np.exp(-meant))
    density = float((0.5 * meant - np.logaddexp(0, meant)).sum())
    bend = (choices.meaning * (high * (1 - high))[:, None]).T @ choices.meaning
    return density, choices.meaning.T @ (0.5 - high), bend


def maximum(choices: Choices, *, prior: bool) -> tuple[Floats, bool]:
    """Return the values (P,) of the highest likelihood, and whether they grow for ever instead.

    By Newton's method; a step that does not climb is halved until it does.

    Args:
        choices: that were made.
        prior: adds log-F(1, 1) of each of what is meant (Greenland and Mansournia 2015,
            "Penalization, bias reduction, and default priors in logistic and related categorical
            and survival regressions", Statistics in Medicine 34).
    """

    def at(values: Floats) -> tuple[float, Floats, Floats]:
        chances, each = _chances(choices, values)
        total, slope = float(each.sum()), _slopes(choices, chances).sum(0)
        bend = _information(choices, chances)
        if prior:
            more = _prior(choices, values)
            total, slope, bend = total + more[0], slope + more[1], bend + more[2]
        return total, slope, bend

    values = np.zeros(choices.design.shape[2])
    total, slope, bend = at(values)
    for _ in range(STEPS):
        step = np.linalg.lstsq(bend, slope, rcond=1e-14)[0]
        while np.abs(step).max() > 1e-10:
            new = at(values + step)
            if new[0] >= total:
                break
            step = step / 2
        else:
            break
        values = values + step
        total, slope, bend = new
        if not prior and np.abs(choices.meaning @ values).max() > DIVERGED:
            return values, True
    return values, False


def halves(
    choices: Choices, values: Floats, people: Integers, images: Integers, *, prior: bool
) -> Floats:
    """Return half of the width of the 95 % interval of what is meant, (M,).

    The sandwich variance (White 1982, "Maximum likelihood estimation of misspecified models",
    Econometrica 50) with people and images as clusters, and Student's t. Where a prior holds the
    values, everybody's slope is nearly 0, and so is a variance from slopes: it is then at least
    that of independent answers, which the prior limits.

    Args:
        choices: that were made.
        values: (P,), of the highest likelihood.
        people: (answers,), codes from 0 up.
        images: (answers,), likewise.
        prior: whether the prior was needed.
    """
    if not people.any():
        return np.full(len(choices.meaning), inf)
    from scipy.special import stdtrit

    chances, _ = _chances(choices, values)
    slopes = np.zeros((len(people), len(values)))
    np.add.at(slopes, choices.answer, _slopes(choices, chances))
    bend = _information(choices, chances)
    if prior:
        bend = bend + _prior(choices, values)[2]
    spread = choices.meaning @ np.linalg.inv(bend)
    least = (spread * choices.meaning).sum(1) if prior else np.zeros(len(spread))
    if not images.any():  # of one image: each answer as its own
        images = np.arange(len(people))
    found = []
    for moves, floor in zip(spread @ slopes.T, least, strict=True):
        error, df = two_way_error(moves, people, images)
        found.append(float(stdtrit(df, 0.975)) * max(error, float(floor) ** 0.5))
    return np.array(found)
