"""What the two objectives converge to, against SVMs, a closed form and a bound."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from engine.errors import PlausiblyError, UsageError
from engine.theory import linear as theory
from engine.theory.linear import LinearTheory, Points

CASE = LinearTheory(kind="linear_theory", title="Centres at 12 and 10", ranks=(2,), offsets=(11,))


def changed(**changes):
    return LinearTheory(**{**CASE.model_dump(), **changes})


def results(config):
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        rows = theory.run(config)["rows"]
    assert all(math.isfinite(row[key]) for row in rows for key in ("margin_ratio", "cosine"))
    return {(row["objective"], row["rank"], row["offset"]): row for row in rows}


def augmented_maximum(points):
    """The largest margin of the points (x, 1) through the origin: the limit of cross-entropy."""
    z = np.concatenate(
        [
            np.c_[points.positive, np.ones(len(points.positive))],
            -np.c_[points.negative, np.ones(len(points.negative))],
        ]
    )
    sides = np.repeat([1, -1], len(z))
    return SVC(kernel="linear", C=1e8, tol=1e-9).fit(np.r_[z, -z], sides).coef_[0]


def test_the_case():
    config = changed(seed=0)
    found = results(config)
    assert all(set(row) == set(theory.Row.__annotations__) for row in found.values())
    differential = found["differential", 2, 11]
    assert 0.99 <= differential["margin_ratio"] <= 1 + 1e-6
    assert 0.99 <= differential["cosine"] <= 1 + 1e-9
    ours = found["cross_entropy", 2, 11]
    assert 0.36 <= ours["margin_ratio"] <= 0.39
    assert ours["cosine"] == pytest.approx(1 / math.sqrt(1 + 11**2 * 18 / 19**2), abs=0.005)


def test_cross_entropy_goes_to_the_maximum_margin_of_the_augmented_points():
    points = [theory.generate(CASE, 2, offset) for offset in (0, 2, 5, 11)]
    for each, boundary in zip(points, theory.cross_entropy(points, 5000), strict=True):
        limit = augmented_maximum(each)
        reached = np.append(boundary.weight, boundary.bias)
        cosine = reached @ limit / np.linalg.norm(reached) / np.linalg.norm(limit)
        assert cosine > 0.999


def test_the_ratio_of_cross_entropy_falls_with_the_offset_and_that_of_differential_does_not():
    offsets = (0, 2, 5, 11)
    found = results(changed(offsets=offsets, steps=4000))
    ours = [found["cross_entropy", 2, offset]["margin_ratio"] for offset in offsets]
    assert ours == sorted(ours, reverse=True)
    predicted = [1 / math.sqrt(1 + offset**2 * 18 / 19**2) for offset in offsets]
    np.testing.assert_allclose(ours, predicted, atol=0.02)
    assert all(found["differential", 2, o]["margin_ratio"] > 0.99 for o in offsets)


def test_no_effect_when_the_centres_are_on_both_sides_of_the_origin():
    found = results(changed(offsets=(0,), half_gap=10.0, steps=4000))
    for row in found.values():
        assert row["margin_ratio"] > 0.99
        assert row["cosine"] > 0.99


@pytest.mark.parametrize(("constant", "falls"), [(1.0, True), (0.1, False)])
def test_whether_a_smaller_rank_is_worse_depends_on_what_is_constant(constant, falls):
    """Squared length D of the constant part: 18 to 5 for constant 1, .18 to .05 for .1."""
    ranks = (2, 8, 15)
    config = changed(ranks=ranks, constant=constant)
    ratios = []
    for rank in ranks:
        points = theory.generate(config, rank, 11)
        limit = augmented_maximum(points)
        reached = theory.Boundary(limit[:-1], float(limit[-1])).margin(points)
        ratios.append(reached / theory.hard_margin(points).margin(points))
        constant_part = (20 - rank) * constant**2
        predicted = 1 / math.sqrt(1 + 11**2 * constant_part / (1 + constant_part) ** 2)
        assert ratios[-1] == pytest.approx(predicted, abs=0.02)
    assert ratios == sorted(ratios, reverse=falls)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 1000),
    rank=st.integers(1, 6),
    offset=st.floats(-15, 15),
    constant=st.floats(-2, 2),
    steps=st.sampled_from([500, 3000]),
)
def test_cross_entropy_keeps_the_bound(seed, rank, offset, constant, steps):
    """margin <= 1 / sqrt(1/gamma^2 + B^2 D) for every iterate that separates.

    With w = sum a_i t_i x_i and B = sum a_i t_i (descent from 0), w has B times the constant part
    as its component there; the rest must separate alone, so it is at least 1/gamma long when the
    smallest t (w . x + B) is 1.
    """
    config = changed(seed=seed, constant=constant, dimension=6, per_class=20, ranks=(rank,))
    points = theory.generate(config, rank, offset)
    (boundary,) = theory.cross_entropy([points], steps)
    margin = boundary.margin(points)
    if margin <= 0:
        return
    scale = 1 / (margin * np.linalg.norm(boundary.weight))
    gamma = theory.hard_margin(points).margin(points)
    squared = (scale * boundary.bias) ** 2 * (6 - rank) * constant**2
    assert margin <= 1 / math.sqrt(1 / gamma**2 + squared) * (1 + 1e-6)


def test_the_points_are_as_described():
    config = changed(per_class=2000)
    points = theory.generate(config, 3, 11)
    both = np.concatenate([points.positive, points.negative])
    assert both.shape == (4000, 20)
    assert np.linalg.matrix_rank(both - both.mean(0), tol=1e-6) == 3
    # Rotated back by the eigenvectors: the class direction, then the noise.
    apart = points.positive.mean(0) - points.negative.mean(0)
    along = apart / np.linalg.norm(apart)
    assert np.linalg.norm(apart) == pytest.approx(2 + 2 * math.sqrt(2 / math.pi), rel=0.05)
    assert (points.positive @ along).min() == pytest.approx(12, abs=0.2)
    assert (points.negative @ along).max() == pytest.approx(10, abs=0.2)
    assert (both**2).sum(1).mean() == pytest.approx(17 + 2 + ((both @ along) ** 2).mean(), rel=0.02)


def test_hard_margin_by_hand():
    points = Points(np.array([[101.0, 3], [104, 9]]), np.array([[97.0, 3], [90, 4]]))
    best = theory.hard_margin(points)
    assert best.margin(points) == pytest.approx(2)
    np.testing.assert_allclose(best.weight / np.linalg.norm(best.weight), [1, 0], atol=1e-6)
    assert best.bias / np.linalg.norm(best.weight) == pytest.approx(-99)
    with pytest.raises(PlausiblyError, match="not linearly separable"):
        theory.hard_margin(Points(np.array([[0.0], [2]]), np.array([[1.0], [3]])))


@settings(max_examples=100)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_gradient_shares_are_sigmoids_up_to_a_factor(m):
    m = np.array([m])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        share = theory._shares(m)
    log_sigmoid = -np.logaddexp(0, m)
    expected = np.exp(log_sigmoid - log_sigmoid.max())
    np.testing.assert_allclose(share / share.max(), expected, rtol=1e-6, atol=1e-12)


def test_equal_seeds_give_equal_rows_and_others_do_not():
    quick = changed(steps=50)
    assert theory.run(quick) == theory.run(quick)
    assert theory.run(quick) != theory.run(changed(steps=50, seed=1))


def test_the_built_in_file_holds_the_case_and_a_wrong_one_is_refused(tmp_path):
    built_in = theory.load("nar2019-linear")
    assert 2 in built_in.ranks
    assert 11 in built_in.offsets
    assert (
        built_in.model_copy(
            update={"title": CASE.title, "ranks": CASE.ranks, "offsets": CASE.offsets}
        )
        == CASE
    )
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("kind: linear_theory\ntitle: t\nranks: [30]\n")
    with pytest.raises(UsageError, match="rank 30 is more than the dimension 20"):
        theory.load(str(wrong))
    wrong.write_text("kind: training\ntitle: t\nranks: [0]\nofsets: [1]\n")
    with pytest.raises(UsageError, match=r"(?s)kind: .*ranks.0: .*ofsets: unknown key"):
        theory.load(str(wrong))


@pytest.mark.parametrize(("suffix", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_the_plot_is_drawn(tmp_path, suffix, magic):
    rows = theory.run(changed(steps=50, ranks=(1, 2), offsets=(0, 11)))["rows"]
    theory.plot(rows, tmp_path / f"plot.{suffix}")
    assert (tmp_path / f"plot.{suffix}").read_bytes().startswith(magic)


def test_no_torch():
    code = (
        "import sys, engine.theory.linear, engine.networks.features\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
