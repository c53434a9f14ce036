"""Shares over normal log-odds, against numerical integration and by round trip."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from engine.statistics.logit_normal import marginal, mean_of


@pytest.mark.parametrize("mean", [-4.0, -0.3, 0.0, 2.0])
@pytest.mark.parametrize("sd", [0.1, 1.0, 1.6, 3.0])
def test_a_share_is_the_integral_over_the_log_odds(mean, sd):
    expected = quad(
        lambda z: norm.pdf(z) / (1 + math.exp(-mean - sd * z)), -12, 12, epsabs=1e-12, limit=400
    )[0]
    assert marginal(mean, sd) == pytest.approx(expected, abs=1e-8)


def test_without_a_spread_it_is_the_logistic_function():
    assert marginal([0.0, math.log(3)], 0) == pytest.approx([0.5, 0.75], abs=1e-12)
    assert mean_of(0.75, 0) == pytest.approx(math.log(3), abs=1e-12)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.8, 0.999])
@pytest.mark.parametrize("sd", [0.5, 1.6, 3.0])
def test_the_mean_gives_the_share_back(share, sd):
    assert marginal(mean_of(share, sd), sd) == pytest.approx(share, abs=1e-9)


def test_arrays_keep_their_shapes():
    shares = marginal(np.zeros((3, 1)), np.array([0.5, 1.0]))
    assert shares.shape == (3, 2)
    assert shares == pytest.approx(np.full((3, 2), 0.5))


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, 1.5])
def test_a_share_without_log_odds_is_refused(share):
    with pytest.raises(ValueError, match="must lie between 0 and 1, both excluded"):
        mean_of(share, 1.0)


def test_a_negative_spread_is_refused():
    with pytest.raises(ValueError, match="sd is -1; a standard deviation is at least 0"):
        marginal(0.0, -1.0)
