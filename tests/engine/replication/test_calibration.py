"""How often verdicts are wrong under ties, and see what is there: small, with both bounds.

Networks differ by seed, images too, and the rest is noise; `benchmarks/verdicts.py` has 3000 runs
of each. Fewer images with less noise are the same to a mean.
"""

from __future__ import annotations

import numpy as np
import pytest

from engine.replication import check

RUNS, SEEDS, IMAGES = 400, 5, 100


def network(rng, differ=0.05):
    return rng.normal(0, differ, (SEEDS, 1)) + rng.normal(0, 0.15, (SEEDS, IMAGES))


def one(rng, ahead):
    return [ahead + network(rng, 0.1) + rng.normal(0, 0.075, (1, IMAGES))]


def rivals(rng, ahead):
    mine = ahead + network(rng)
    return [mine - network(rng) for _ in range(5)]


def steps(rng, ahead):
    end = network(rng, 0.03)
    return [ahead + network(rng, 0.03) - end for _ in range(7)]


def verdicts(make, ahead, *, runs=RUNS, **options):
    """The shares of runs that hold and that fail; the test of a claim with one statement."""
    rng = np.random.default_rng(8)
    found = []
    for _ in range(runs):
        tables = {str(place): table for place, table in enumerate(make(rng, ahead))}
        found.append(check("", "", "", lambda tables=tables: tables, **options).verdict)
    return [found.count(verdict) / runs for verdict in ("holds", "fails")]


def test_a_tie_with_one_rival_is_decided_as_often_as_is_said():
    """Nominally .025 each way: five seeds by the bootstrap decide .09 and .08."""
    holds, fails = verdicts(one, 0.0)
    assert 0.008 <= holds <= 0.045
    assert 0.008 <= fails <= 0.045


@pytest.mark.parametrize(("make", "how"), [(rivals, "every"), (steps, "some")])
def test_a_tie_with_several_is_decided_no_more_often(make, how):
    """The best of several noisy means is not the best of several means: .40 by the bootstrap."""
    decided = verdicts(make, 0.0, how=how)
    wrong = decided[how == "every"]  # the side that the best of several is on by luck
    assert 0.008 <= wrong <= 0.05
    assert sum(decided) <= 0.055


@pytest.mark.parametrize(
    ("make", "how", "ahead", "side", "least"),
    [
        (rivals, "every", 0.15, 0, 0.6),
        (rivals, "every", -0.15, 1, 0.85),
        (steps, "some", 0.15, 0, 0.95),
    ],
)
def test_what_is_there_is_seen(make, how, ahead, side, least):
    assert verdicts(make, ahead, how=how, runs=150)[side] >= least


def test_equal_means_shown_to_be_and_unequal_not():
    margin = {"how": "equivalent", "bound": 0.15}

    def one_other(rng, ahead):
        return [ahead + network(rng) - network(rng)]

    holds, fails = verdicts(one_other, 0.15, **margin)  # at the margin both are errors
    assert 0.008 <= holds <= 0.045
    assert fails <= 0.03
    assert verdicts(one_other, 0.0, runs=150, **margin)[0] >= 0.7
    assert verdicts(one_other, 0.3, runs=150, **margin)[1] >= 0.6
