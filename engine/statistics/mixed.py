"""Mixed models of yes and no with crossed random effects, by Laplace's approximation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, nan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.statistics._laplace import Laplace
from engine.statistics._links import Link, likelihood
from engine.statistics._profile import profile_interval
from engine.statistics._random_effects import Matrix, RandomEffect, Vector
from engine.statistics.two_way import LEVEL

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["UNSETTLED", "Fit", "MixedTest", "RandomEffect", "fit", "mixed_test", "refusal"]

UNSETTLED = (
    "The mixed model has no finite optimum: people, images or groups nearly tell yes from no by"
    " themselves."
)
"""What is said of a fit that did not converge, or ran to infinity."""
SINGULAR = 1e-4
"""A random effect with a smaller standard deviation has none (as in lme4)."""
LARGEST = 12.0
"""A fit that comes to a larger standard deviation or fixed effect is running to infinity."""
_START, _LEAST_START = 0.7, 0.05
"""Standard deviations where the search begins, and the smallest: at 0 it would not leave."""
_TOLERANCE = 1e-3
"""How far above its minimum the deviance of a fit that converged may be, by estimate."""


@dataclass(frozen=True)
class Fit:
    """A generalised linear mixed model, fitted by maximum likelihood.

    Attributes:
        deviance: -2 log likelihood by Laplace's approximation, all constants included.
        fixed: (p,) fixed effects.
        covariance: (p, p) of them; see `fit`.
        deviations: standard deviation of each random effect by name; exactly 0 where it has none.
        converged: the optimum was found, and is finite.
        singular: a random effect has no variance.
    """

    deviance: float
    fixed: NDArray[np.float64]
    covariance: NDArray[np.float64]
    deviations: dict[str, float]
    converged: bool
    singular: bool

    @property
    def errors(self) -> NDArray[np.float64]:
        """(p,) standard errors of the fixed effects."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def parameters(self) -> NDArray[np.float64]:
        """(K + p,) standard deviations and fixed effects: where another fit may start."""
        return np.concatenate([list(self.deviations.values()), self.fixed])


def fit(
    successes: ArrayLike,
    fixed: ArrayLike,
    random: Sequence[RandomEffect],
    *,
    trials: ArrayLike | None = None,
    link: Link = "logit",
    offset: ArrayLike | None = None,
    start: ArrayLike | None = None,
    joint: bool = False,
) -> Fit:
    """Fit a generalised linear mixed model of yes and no.

    What lme4's `glmer(..., family = binomial(link), nAGQ = 1)` fits, for random effects that do not
    correlate: at most an intercept and a slope of each of two crossed groupings.

    Args:
        successes: (N,) yes as 1 and no as 0, booleans, or counts of yes.
        fixed: (N, p) the fixed effects' matrix, an intercept's column of ones included; of full
            rank.
        random: random effects, at least one, at most two of each of at most two groupings.
        trials: (N,) of how many answers each count is; None: 1.
        link: logit or probit.
        offset: (N,) added to the linear predictor; None: 0.
        start: standard deviations in the order of `random`, then fixed effects (`Fit.parameters`
            of a similar model); None: found here.
        joint: the covariance of the fixed effects counts that standard deviations are estimated too
            (lme4's `vcov(use.hessian = TRUE)`), which matters with the probit link; else they are
            held (`use.hessian = FALSE`). So they are where the curvature is not positive.

    Raises:
        ValueError: shapes that do not fit, counts outside 0 to trials, a matrix without full rank,
            or random effects that this model does not have.
    """
    data = _checked(successes, trials, fixed, offset)
    model = Laplace(data[0], data[1], data[2], random, link, data[3])
    count = len(random)
    rough, spread = _without_random(model)
    first = np.concatenate([np.full(count, _START), rough])
    if start is not None:
        first = np.array(start, dtype=np.float64)
        first[:count] = np.maximum(np.abs(first[:count]), _LEAST_START)
    scales = np.concatenate([np.full(count, 0.15), np.sqrt(np.diag(spread))])
    # The matrices are small: several threads of linear algebra would wait for each other.
    with _linear_algebra().limit(limits=1, user_api="blas"):
        found, close = _minimised(model, first, scales)
        return _settled(model, found, close, [each.name for each in random], joint)


@cache
def _linear_algebra() -> ThreadpoolController:
    """Return what sets the threads of the libraries loaded; looking for them takes long."""
    import scipy.linalg  # noqa: F401  (its library is to be found too)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _checked(
    successes: ArrayLike, trials: ArrayLike | None, fixed: ArrayLike, offset: ArrayLike | None
) -> tuple[Vector, Vector, Matrix, Vector]:
    """Return counts, trials, matrix and offset as numbers."""
    yes = np.asarray(successes, dtype=np.float64)
    matrix = np.asarray(fixed, dtype=np.float64)
    of = np.ones(len(yes)) if trials is None else np.asarray(trials, dtype=np.float64)
    away = np.zeros(len(yes)) if offset is None else np.asarray(offset, dtype=np.float64)
    if matrix.ndim != 2 or not len(yes) == len(matrix) == len(of) == len(away) > 0:
        raise ValueError(
            f"successes {yes.shape}, trials {of.shape}, offset {away.shape} and fixed effects"
            f" {matrix.shape} must be (N,), (N,), (N,) and (N, p) of the same N, at least 1"
        )
    if not ((yes >= 0) & (yes <= of) & (of > 0)).all():
        raise ValueError("successes must lie between 0 and trials, and trials above 0")
    if matrix.shape[1] and np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        raise ValueError(
            f"the {matrix.shape[1]} columns of the fixed effects depend on each other: leave one"
            " out that the others make up"
        )
    return yes, of, matrix, away


def _without_random(model: Laplace) -> tuple[Vector, Matrix]:
    """Return fixed effects without random ones, as a start, and their covariance."""
    width = model.fixed.shape[1]
    effects = np.zeros(width)
    information = np.eye(width)
    for _ in range(8):
        predictor = model.offset + model.fixed @ effects
        at = likelihood(model.link, predictor, model.successes, model.trials)
        weights = at.expected + 1e-3 * model.trials  # a ridge: answers may be separated
        information = model.fixed.T @ (model.fixed * weights[:, None])
        effects = effects + np.clip(
            np.linalg.solve(information, model.fixed.T @ at.score), -2.0, 2.0
        )
    covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
    return np.clip(effects, -4.0, 4.0), covariance


def _minimised(model: Laplace, start: Vector, scales: Vector) -> tuple[Vector, bool]:
    """Return the parameters at the least deviance, and whether it was reached.

    Parameters are divided by `scales`, about their standard errors, so that steps are alike.
    """
    from scipy.optimize import minimize

    def scaled(values: Vector) -> tuple[float, Vector]:
        deviance, slope = model.deviance(values * scales)
        return deviance, slope * scales

    with np.errstate(over="ignore", under="ignore"):
        found = minimize(
            scaled,
            start / scales,
            jac=True,
            method="BFGS",
            options={"gtol": 1e-3, "maxiter": 200, "hess_inv0": 0.5 * np.eye(len(start))},
        )
    left = float(found.jac @ found.hess_inv @ found.jac) / 2
    return found.x * scales, bool(np.isfinite(left) and left < _TOLERANCE)


def _settled(model: Laplace, found: Vector, close: bool, names: Sequence[str], joint: bool) -> Fit:
    """Return the fit at `found`, standard deviations positive, or 0 where the least is there."""
    count = len(names)
    parameters = found.copy()
    parameters[:count] = np.abs(found[:count])
    for place in np.flatnonzero(parameters[:count] < 0.03):
        near = parameters.copy()
        near[place] = SINGULAR
        if model.deviance(near)[1][place] >= 0 or parameters[place] < SINGULAR:
            parameters[place] = 0.0
    deviance, _ = model.deviance(parameters)
    covariance = model.joint_errors(parameters) if joint else None
    covariance = model.errors(parameters) if covariance is None else covariance
    finite = bool(np.all(np.abs(parameters) < LARGEST) and np.isfinite(covariance).all())
    deviations = dict(zip(names, parameters[:count].tolist(), strict=True))
    return Fit(
        deviance,
        parameters[count:],
        covariance,
        deviations,
        close and finite,
        bool((parameters[:count] == 0).any()),
    )


@dataclass(frozen=True)
class MixedTest:
    """A difference of two groups of binary ratings by a mixed model, tested by likelihood ratio.

    Attributes:
        odds_ratio: of the first group to the other; None where it could not be fitted.
        low, high: its 95 % interval, from the profile of the likelihood; 0 and inf where there is
            none.
        log_odds, error: the fixed effect and its standard error (not used for the test).
        p: of the likelihood ratio, two-sided; 1 where there is no model.
        deviations: standard deviation of each random effect, by name: person, image, and slopes.
        singular: a random effect has no variance: the model is richer than the data show.
        refused: why there is no model, as a sentence; "".
    """

    odds_ratio: float | None
    low: float
    high: float
    log_odds: float
    error: float
    p: float
    deviations: dict[str, float]
    singular: bool
    refused: str = ""


def mixed_test(
    yes: ArrayLike,
    first: ArrayLike,
    participant: ArrayLike,
    image: ArrayLike,
    *,
    paired_people: bool,
    paired_images: bool,
    level: float = LEVEL,
    interval: bool = True,
) -> MixedTest:
    """Compare two groups of yes and no by a logistic model with crossed random effects.

    The groups are coded +1/2 and -1/2. People and images have intercepts, and where the same ones
    are in both groups also slopes, without correlations: a test without them finds differences that
    are those of the sampled images (Barr, Levy, Scheepers & Tily 2013, "Random effects structure
    for confirmatory hypothesis testing: keep it maximal", Journal of Memory and Language 68). The
    test is the likelihood ratio to the same model without the group, against chi-square with one
    degree of freedom. Wald's z is not used: standard errors of such models are poor.

    Args:
        yes: (N,) booleans.
        first: (N,) whether a rating belongs to the first group.
        participant: (N,) who gave each rating.
        image: (N,) what each rating is of.
        paired_people: the same people rate both groups, so that they have slopes.
        paired_images: the same images are in both groups.
        level: of the interval.
        interval: find the interval, which takes some eight further fits; else it is (0, inf).
    """
    answers = np.asarray(yes, dtype=np.float64)
    group = np.asarray(first, dtype=bool)
    refused = refusal(answers, group, participant, image)
    if refused:
        return _refuse(refused)
    coded = np.where(group, 0.5, -0.5)
    kinds = [("person", participant, paired_people), ("image", image, paired_images)]
    random = [RandomEffect(name, levels) for name, levels, _ in kinds]
    random += [RandomEffect(f"{name} x condition", who, coded) for name, who, both in kinds if both]
    whole, null = _with_and_without(answers, coded, random)
    if not (whole.converged and null.converged):
        return _refuse(UNSETTLED)
    ends = _profile(answers, coded, random, whole, level) if interval else (-inf, inf)
    return _tested(whole, null, ends)


def _tested(whole: Fit, null: Fit, ends: tuple[float, float]) -> MixedTest:
    """Return the likelihood ratio of two fits, and the interval of the log odds as odds."""
    from scipy.special import chdtrc

    log_odds, error = float(whole.fixed[1]), float(whole.errors[1])
    with np.errstate(over="ignore"):
        ratio, low, high = (float(np.exp(each)) for each in (log_odds, *ends))
    return MixedTest(
        *(ratio, low, high, log_odds, error),
        p=float(chdtrc(1, max(null.deviance - whole.deviance, 0.0))),
        deviations=whole.deviations,
        singular=whole.singular,
    )


def _with_and_without(
    answers: Vector, coded: Vector, random: Sequence[RandomEffect]
) -> tuple[Fit, Fit]:
    """Return the model with the group's fixed effect and the one without."""
    ones = np.ones((len(answers), 1))
    both = np.column_stack([ones, coded])
    whole = fit(answers, both, random)
    null = fit(answers, ones, random, start=np.delete(whole.parameters, -1))
    if null.deviance < whole.deviance:  # no richer model fits worse: it stopped too early
        whole = fit(answers, both, random, start=np.append(null.parameters, 0.0))
    return whole, null


def _profile(
    answers: Vector, coded: Vector, random: Sequence[RandomEffect], whole: Fit, level: float
) -> tuple[float, float]:
    """Return the interval of the log odds."""
    from scipy.special import chdtri

    ones = np.ones((len(answers), 1))
    start = np.delete(whole.parameters, -1)

    def rise(held: float) -> float:
        found = fit(answers, ones, random, offset=held * coded, start=start)
        return found.deviance - whole.deviance

    critical = float(chdtri(1, level))
    return profile_interval(rise, float(whole.fixed[1]), float(whole.errors[1]), critical, LARGEST)


def refusal(
    yes: ArrayLike,
    first: ArrayLike,
    participant: ArrayLike,
    image: ArrayLike,
    sides: tuple[str, str] = ("first group", "second group"),
) -> str:
    """Return why there can be no model of a difference, as a sentence, or "".

    Args:
        yes: as for `mixed_test`, and so are the next three.
        first: (N,).
        participant: (N,).
        image: (N,).
        sides: what the sentence calls the ratings where `first` is true, and the others.
    """
    answers, group = np.asarray(yes, dtype=bool), np.asarray(first, dtype=bool)
    people, images = (len(np.unique(np.asarray(each))) for each in (participant, image))
    parts = dict(zip(sides, (answers[group], answers[~group]), strict=True))
    for name, part in parts.items():
        if not len(part):
            return f"The {name} has no ratings."
    if people < 2:
        return "All ratings are of one person, which says nothing of other people."
    if images < 2:
        return "All ratings are of one image, which says nothing of other images."
    for name, part in parts.items():
        if part.all() or not part.any():
            said = "yes" if part[0] else "no"
            return (
                f"All {len(part)} answers of the {name} are {said}: its share is"
                f" {int(part[0])}, and the mixed model has no finite estimate."
            )
    return ""


def _refuse(why: str) -> MixedTest:
    return MixedTest(None, 0.0, inf, nan, nan, 1.0, {}, False, why)
