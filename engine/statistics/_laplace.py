"""Laplace's approximation to the likelihood of a generalised linear mixed model, with its slope.

As in lme4 (Bates, Mächler, Bolker & Walker 2015, "Fitting linear mixed-effects models using lme4",
Journal of Statistical Software 67; `glmer` with `nAGQ = 1`): for given standard deviations and
fixed effects the modes u of the spherical random effects are found by penalised iteratively
reweighted least squares, and

    deviance = -2 log p(y | u) + |u|^2 + log det A,   A = L Z'WZ L + 1,

with W the expected information at the modes. Unlike lme4, the derivatives are computed too (as in
Kristensen et al. 2016, "TMB: automatic differentiation and Laplace approximation", Journal of
Statistical Software 70, by hand): the optimiser needs some twenty evaluations instead of hundreds.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from engine.statistics._links import Likelihood, Link, likelihood
from engine.statistics._random_effects import (
    Factor,
    Matrix,
    Products,
    RandomEffect,
    Vector,
    groupings,
)

_MODES = 100
"""Newton steps towards the modes at most; four or five are taken."""
_CLOSE = 1e-11
"""The modes are found when the next step would lower the deviance by less."""
_NEXT = 1e-6
"""The same for the step before: Newton's next one would be smaller by as many digits again."""
_STEP = 1e-3
"""How far from the optimum slopes are compared to find the curvature."""
_SMALLEST = 1e-7
"""A standard deviation so small is 0: the slope there is 0, since its sign means nothing."""


class Laplace:
    """The deviance of a model as a function of standard deviations and fixed effects.

    It keeps the modes between evaluations, where the next search begins.

    Args:
        successes: (N,) counts of yes.
        trials: (N,) of how many.
        fixed: (N, p) the fixed effects' matrix.
        effects: random effects, K.
        link: of the share.
        offset: (N,) added to the linear predictor.
    """

    def __init__(
        self,
        successes: Vector,
        trials: Vector,
        fixed: Matrix,
        effects: Sequence[RandomEffect],
        link: Link,
        offset: Vector,
    ) -> None:
        self.successes, self.trials = successes, trials
        self.fixed, self.link, self.offset = fixed, link, offset
        self.count = len(effects)
        self.groups = groupings(effects, len(successes))
        self._products = Products(self.groups)
        self._modes = [np.zeros((len(each.places), each.count)) for each in self.groups]
        self._constant = -2 * float(_log_coefficients(successes, trials).sum())

    def deviance(self, parameters: Vector) -> tuple[float, Vector]:
        """Return -2 log likelihood and its derivatives.

        Args:
            parameters: (K + p,) standard deviations, then fixed effects. The sign of a standard
                deviation means nothing, so that they need no bound.
        """
        deviations, base = self._parts(parameters)
        at, observed = self._find(deviations, base)
        factor = self._expected(deviations, at, observed)
        value = self._constant - 2 * at.log + _squares(self._modes) + factor.log_determinant
        return value, self._slope(deviations, at, observed, factor)

    def errors(self, parameters: Vector) -> Matrix:
        """Return the covariance (p, p) of the fixed effects at the modes, deviations held.

        It is that of lme4's `vcov(use.hessian = FALSE)`.
        """
        deviations, base = self._parts(parameters)
        at, observed = self._find(deviations, base)
        factor = self._expected(deviations, at, observed)
        information = self.fixed.T @ (self.fixed * at.expected[:, None])
        for column, values in enumerate(self.fixed.T):
            solved = _solve(factor, self._gathered(at.expected * values, deviations))
            spread = self._spread(solved, deviations)
            information[:, column] -= self.fixed.T @ (at.expected * spread)
        return np.asarray(np.linalg.inv((information + information.T) / 2), dtype=np.float64)

    def joint_errors(self, parameters: Vector) -> Matrix | None:
        """Return the covariance (p, p) of the fixed effects, deviations estimated too.

        From the curvature of the deviance in both, as lme4's `vcov(use.hessian = TRUE)`; standard
        deviations of exactly 0 are held there. None where the curvature is not positive.
        """
        free = [k for k, value in enumerate(parameters) if k >= self.count or value != 0]
        curves = np.empty((len(free), len(free)))
        for row, place in zip(curves, free, strict=True):
            away = np.zeros(len(parameters))
            away[place] = _STEP
            up, down = (self.deviance(parameters + side * away)[1] for side in (1, -1))
            row[:] = (up - down)[free] / (2 * _STEP)
        information = (curves + curves.T) / 4  # of -log likelihood: half of the deviance
        if not np.isfinite(information).all() or np.linalg.eigvalsh(information)[0] <= 0:
            return None
        width = self.fixed.shape[1]
        covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
        return covariance[len(free) - width :, len(free) - width :]

    def _parts(self, parameters: Vector) -> tuple[list[Vector], Vector]:
        deviations = [parameters[each.places] for each in self.groups]
        return deviations, self.offset + self.fixed @ parameters[self.count :]

    def _spread(self, values: Sequence[Matrix], deviations: Sequence[Vector]) -> Vector:
        """Return Z L u."""
        total = np.zeros(len(self.successes))
        for group, value, deviation in zip(self.groups, values, deviations, strict=True):
            total += group.spread(value * deviation[:, None]).sum(0)
        return total

    def _gathered(self, values: Vector, deviations: Sequence[Vector]) -> list[Matrix]:
        """Return L Z'v."""
        return [
            deviation[:, None] * group.gathered(values)
            for group, deviation in zip(self.groups, deviations, strict=True)
        ]

    def _find(self, deviations: Sequence[Vector], base: Vector) -> tuple[Likelihood, Factor]:
        """Move the modes to where they belong; return the likelihood there, and A by `observed`."""
        predictor = base + self._spread(self._modes, deviations)
        at = likelihood(self.link, predictor, self.successes, self.trials)
        gain = inf
        for _ in range(_MODES):
            factor = Factor(self._products, at.observed, deviations)
            if gain < _NEXT:
                break
            pull = self._gathered(at.score, deviations)
            away = [one - mode for one, mode in zip(pull, self._modes, strict=True)]
            step = _solve(factor, away)
            gain = sum(float((a * s).sum()) for a, s in zip(away, step, strict=True))
            if not gain > _CLOSE:
                break
            at, predictor = self._moved(step, gain, deviations, predictor, at.log)
        return at, factor

    def _moved(
        self,
        step: Sequence[Matrix],
        gain: float,
        deviations: Sequence[Vector],
        predictor: Vector,
        log: float,
    ) -> tuple[Likelihood, Vector]:
        """Take a Newton step, halved until it gains; return the likelihood and predictor there."""
        along = self._spread(step, deviations)
        was = log - _squares(self._modes) / 2
        length = 1.0
        while True:
            modes = [m + length * s for m, s in zip(self._modes, step, strict=True)]
            there = predictor + length * along
            at = likelihood(self.link, there, self.successes, self.trials)
            if at.log - _squares(modes) / 2 >= was + 1e-4 * length * gain - 1e-9 or length < 1e-6:
                self._modes = modes
                return at, there
            length /= 2

    def _expected(self, deviations: Sequence[Vector], at: Likelihood, observed: Factor) -> Factor:
        """Return A by expected information; with the logit it is the same."""
        if self.link == "logit":
            return observed
        return Factor(self._products, at.expected, deviations)

    def _slope(
        self, deviations: Sequence[Vector], at: Likelihood, observed: Factor, factor: Factor
    ) -> Vector:
        """Return the derivatives of the deviance.

        The modes' own move matters for the determinant alone, whose weights it changes: `adjoint`
        carries it.
        """
        flat, shrunk = factor.inverse()
        through = self._products.read(flat) * at.slope
        adjoint = _solve(observed, self._gathered(through, deviations))
        through = through - at.observed * self._spread(adjoint, deviations)
        of_predictor = through - 2 * at.score
        slope = np.empty(self.count + self.fixed.shape[1])
        slope[self.count :] = self.fixed.T @ of_predictor
        parts = zip(self.groups, self._modes, deviations, adjoint, shrunk, strict=True)
        for group, modes, deviation, carried, less in parts:
            direct = group.spread(modes) @ of_predictor
            direct = direct + (carried * group.gathered(at.score)).sum(1)
            zero = np.abs(deviation) < _SMALLEST
            direct = direct + 2 * less / np.where(zero, 1.0, deviation)
            slope[group.places] = np.where(zero, 0.0, direct)
        return slope


def _squares(modes: Sequence[Matrix]) -> float:
    return sum(float((each**2).sum()) for each in modes)


def _solve(factor: Factor, values: Sequence[Matrix]) -> list[Matrix]:
    first, *others = values
    one, other = factor.solve(first, others[0] if others else None)
    return [one] if other is None else [one, other]


def _log_coefficients(successes: Vector, trials: Vector) -> NDArray[np.float64]:
    from scipy.special import gammaln

    return np.asarray(
        gammaln(trials + 1) - gammaln(successes + 1) - gammaln(trials - successes + 1)
    )
