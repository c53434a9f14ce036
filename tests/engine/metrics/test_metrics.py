"""Every metric keeps the contract: a number per map, or NaN with the reason, never in between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from metric_cases import IMAGES, given
from networks import small_cnn

from engine import metrics
from engine.metrics import WHY, Measured

NAMES = metrics.registry.names()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name):
    metric = metrics.create(name)
    assert metric.sign in ("signed", "magnitude")
    assert metric.direction in ("higher", "lower", "neither")
    assert metric.says.endswith(".")
    assert metric.source
    assert metric.asks_network == ("network" in metric.needs)


@pytest.mark.parametrize("name", NAMES)
def test_zero_and_constant_maps_have_no_number_and_the_others_the_same_as_without_them(name):
    metric, whole = metrics.create(name), given()
    clear = metric.measure(whole)
    assert (clear.why == "").all(), set(clear.why)
    assert np.isfinite(clear.values).all()
    maps = whole.maps.copy()
    maps[1], maps[3] = 0, -0.25
    found = metric.measure(replace(whole, maps=maps))
    assert found.why.tolist() == ["", "zero_map", "", "constant_map", *[""] * (IMAGES - 4)]
    kept = [0, 2, *range(4, IMAGES)]
    assert np.allclose(found.values[kept], clear.values[kept], atol=1e-6)
    nothing = metric.measure(replace(whole, maps=np.zeros_like(maps)))
    assert (nothing.why == "zero_map").all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [1e-30, 7.0, 1e20])
def test_a_factor_does_not_matter(name, factor):
    metric, own = metrics.create(name), given()
    explain, clean = own.explain, own.clean
    scaled = replace(
        own,
        maps=own.maps.astype(np.float64) * factor,
        clean=clean.astype(np.float64) * factor,
        explain=lambda *asked: explain(*asked).astype(np.float64) * factor,
    )
    assert np.allclose(metric.measure(scaled).values, metric.measure(own).values, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_sign_counts_where_it_says_so(name):
    """A magnitude's number stays when signs flip here and there; a signed one's does not."""
    metric, own = metrics.create(name), given()
    flips = np.sign(np.random.default_rng(5).normal(size=own.maps.shape)).astype(np.float32)
    flipped = replace(own, maps=own.maps * flips)
    same = np.allclose(metric.measure(flipped).values, metric.measure(own).values)
    assert same == (metric.sign == "magnitude")


@pytest.mark.parametrize("name", NAMES)
def test_what_it_needs_and_does_not_get_is_the_reason(name):
    metric, own = metrics.create(name), given()
    without = {
        "network": ("no_network", {"network": None}),
        "class": ("no_class", {"of_a_class": False}),
        "baseline": ("no_baseline", {"baseline": None}),
        "method": ("no_method", {"explain": None}),
        "clean": ("no_clean", {"clean": None}),
    }
    for need, (why, changes) in without.items():
        found = metric.measure(replace(own, **changes))
        assert (found.why == (why if need in metric.needs else "")).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_number_is_the_same_alone_and_again_and_the_network_is_left_as_found(name):
    metric, own = metrics.create(name), given(small_cnn().train())
    before = {key: value.clone() for key, value in own.network.state_dict().items()}
    whole = metric.measure(own).values
    assert np.array_equal(metric.measure(replace(own, _kept={})).values, whole)
    alone = metric.measure(own.rows(np.array([2, 4]))).values
    assert np.allclose(alone, whole[[2, 4]], atol=1e-6)
    assert own.network.training
    assert all((value == before[key]).all() for key, value in own.network.state_dict().items())


@pytest.mark.parametrize("name", NAMES)
def test_many_maps_are_measured_some_at_a_time(name, monkeypatch):
    metric, own = metrics.create(name), given()
    monkeypatch.setattr(metrics, "_AT_A_TIME", 4)
    parts = metric.measure(replace(own, _kept={})).values
    monkeypatch.undo()
    assert np.allclose(parts, metric.measure(own).values, atol=1e-6)


def test_nan_and_reasons_belong_together():
    with pytest.raises(ValueError, match="without a reason"):
        Measured(np.array([np.nan, 1]), np.array(["", ""]))
    with pytest.raises(ValueError, match="guessed"):
        Measured(np.array([np.nan]), np.array(["guessed"]))
    assert all(says and not says.endswith(".") for says in WHY.values())
