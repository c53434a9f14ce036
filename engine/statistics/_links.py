"""Logit and probit: what the likelihood of counts and its derivatives are at a linear predictor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Link: TypeAlias = Literal["logit", "probit"]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of N binomial counts, at one linear predictor each.

    Attributes:
        log: the log-likelihood, summed, without the binomial coefficients.
        score: its first derivatives, (N,).
        observed: less its second derivatives, (N,); positive, since both links are log-concave.
        expected: the same, expected over counts (Fisher), (N,): the weights of iterated least
            squares. Equal to `observed` with the logit, which is the canonical link.
        slope: the derivatives of `expected`, (N,).
    """

    log: float
    score: Vector
    observed: Vector
    expected: Vector
    slope: Vector


def likelihood(link: Link, predictor: Vector, successes: Vector, trials: Vector) -> Likelihood:
    """Return the likelihood of `successes` of `trials`, each (N,), at `predictor` (N,)."""
    return (_logit if link == "logit" else _probit)(predictor, successes, trials)


def _logit(predictor: Vector, successes: Vector, trials: Vector) -> Likelihood:
    small = np.exp(-np.abs(predictor))
    other = small / (1 + small)
    share = np.where(predictor >= 0, 1 - other, other)
    weights = trials * (other * (1 - other))
    log = successes @ predictor - trials @ (np.log1p(small) + np.maximum(predictor, 0))
    slope = weights * (1 - 2 * share)
    return Likelihood(float(log), successes - trials * share, weights, weights, slope)


def _probit(predictor: Vector, successes: Vector, trials: Vector) -> Likelihood:
    from scipy.special import log_ndtr

    yes, no = log_ndtr(predictor), log_ndtr(-predictor)
    density = -0.5 * predictor**2 - 0.5 * np.log(2 * np.pi)
    above, below = np.exp(density - yes), np.exp(density - no)  # inverse Mills ratios
    failures = trials - successes
    observed = successes * above * (above + predictor) + failures * below * (below - predictor)
    expected = trials * above * below
    return Likelihood(
        float(successes @ yes + failures @ no),
        successes * above - failures * below,
        observed,
        expected,
        expected * (below - above - 2 * predictor),
    )
