"""Each metric against a computation of its own in numpy: loops over pixels, float64, no torch."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from metric_cases import IMAGES, SIDE, Linear, given
from scipy.stats import spearmanr
from torch import nn

from engine import metrics, seeds
from engine.metrics import Given
from engine.saliency import Target
from engine.saliency.randomised_weights import RandomisedWeights


def _rng(own: Given, n: int, name: str) -> np.random.Generator:
    return np.random.default_rng(seeds.derive(int(own.seeds[n]), "metric", name))


def _p(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max())
    return e / e.sum()


def test_infidelity_is_the_share_that_the_best_scaling_leaves():
    rng = np.random.default_rng(3)
    own = given(Linear(), target=Target(np.arange(IMAGES) % 4, (np.arange(IMAGES) + 1) % 4))
    own = replace(own, maps=rng.normal(size=own.maps.shape).astype(np.float32))
    found = metrics.create("infidelity", draws=8, sigma=0.3).measure(own).values

    def f(image, n):
        logits = own.network.answers(image[None])[0]
        return logits[n % 4] - logits[(n + 1) % 4]

    for n in range(IMAGES):
        draws, image = _rng(own, n, "infidelity"), own.images[n].astype(np.float64)
        told, change = [], []
        for _ in range(8):
            noise = draws.standard_normal((1, SIDE, SIDE), np.float32)
            told.append((0.3 * noise * own.maps[n]).sum())
            change.append(f(image, n) - f(image - 0.3 * noise, n))
        (best,), (left,), _, _ = np.linalg.lstsq(np.array(told)[:, None], np.array(change))
        assert np.isclose(found[n], left / np.square(change).sum(), atol=1e-4)
        trial = np.mean((best * 1.1 * np.array(told) - change) ** 2) / np.mean(np.square(change))
        assert trial > found[n]


def test_the_weights_of_a_linear_network_are_faithful_and_a_random_map_is_not():
    net = Linear()
    weights = net.logits.weight.detach().numpy()[np.arange(IMAGES) % 4].reshape(-1, 1, SIDE, SIDE)
    metric = metrics.create("infidelity")
    assert (metric.measure(given(net, maps=-3 * weights)).values < 1e-6).all()
    noise = np.random.default_rng(8).normal(size=weights.shape)
    assert 0.8 < metric.measure(given(net, maps=noise)).values.mean() <= 1


@pytest.mark.parametrize("order", ["magnitude", "signed"])
@pytest.mark.parametrize("name", ["deletion", "insertion"])
def test_the_area_is_that_of_pixels_that_go_one_after_the_other(name, order):
    own = given(Linear())
    found = metrics.create(name, steps=5, order=order).measure(own).values
    for n in range(IMAGES):
        values = own.maps[n, 0].astype(np.float64).ravel()
        places = np.argsort(-(np.abs(values) if order == "magnitude" else values))
        image, base = own.images[n].ravel(), own.baseline[n].ravel()
        start, end = (image, base) if name == "deletion" else (base, image)
        curve = []
        for step in range(6):
            now = start.copy()
            for place in places[: round(step / 5 * SIDE * SIDE)]:
                now[place] = end[place]
            curve.append(_p(own.network.answers(now[None])[0])[n % 4])
        area = sum((a + b) / 2 / 5 for a, b in pairwise(curve))
        assert np.isclose(found[n], area, atol=1e-5)


def test_equal_values_are_taken_in_an_order_that_the_seed_draws():
    own = given(Linear())
    maps = np.zeros_like(own.maps)
    maps[:, :, 0, 0] = 1
    metric = metrics.create("deletion")
    one = metric.measure(replace(own, maps=maps)).values
    other = metric.measure(replace(own, maps=maps, seeds=own.seeds + 100)).values
    assert not np.allclose(one, other)


def test_max_sensitivity_is_the_largest_relative_change():
    own = given()
    found = metrics.create("max_sensitivity", draws=4, radius=0.05).measure(own).values
    for n in range(IMAGES):
        draws, length = _rng(own, n, "max_sensitivity"), np.linalg.norm(own.maps[n])
        largest = 0.0
        for _ in range(4):
            moved = own.images[n] + 0.05 * draws.uniform(-1, 1, (1, SIDE, SIDE))
            image = np.clip(moved, 0, 1).astype(np.float32)
            again = own.explain(own.network, image[None], np.array([n]))[0]
            largest = max(largest, np.linalg.norm(again - own.maps[n]) / length)
        assert np.isclose(found[n], largest, rtol=1e-4)
        assert found[n] > 0


def test_a_map_that_does_not_look_at_the_image_is_not_sensitive():
    own = given(explain=lambda net, images, places: own.maps[places])
    assert (metrics.create("max_sensitivity").measure(own).values == 0).all()


def test_sparseness_is_the_mean_difference_over_twice_the_mean():
    own = given()
    found = metrics.create("sparseness").measure(own).values
    for n in range(IMAGES):
        size = np.abs(own.maps[n].astype(np.float64)).ravel()
        differences = np.abs(size[:, None] - size[None, :]).mean()
        assert np.isclose(found[n], differences / (2 * size.mean()))
    one = np.zeros((1, 1, SIDE, SIDE))
    one[0, 0, 3, 4] = -2
    assert np.isclose(
        metrics.create("sparseness").measure(Given(one, own.images[:1])).values[0],
        1 - 1 / SIDE**2,
    )


def _otsu(grey: np.ndarray) -> np.ndarray:
    """Return the mask by trying every threshold, the least variance within being the best."""
    levels = np.rint(grey * 255)
    within = {}
    for threshold in range(255):
        low, high = levels[levels <= threshold], levels[levels > threshold]
        if len(low) and len(high):
            within[threshold] = len(low) * low.var() + len(high) * high.var()
    above = levels > min(within, key=within.get)
    return above if above.mean() <= 0.5 else ~above


def test_stroke_mass_and_the_pointing_game_find_the_strokes_dark_or_light():
    own = given()
    images = np.random.default_rng(2).uniform(0, 0.3, own.images.shape).astype(np.float32)
    images[:, :, 4:8, 2:5] += 0.6
    images[1::2] = 1 - images[1::2]
    own = replace(own, images=images)
    mass, hit = (metrics.create(n).measure(own).values for n in ("stroke_mass", "pointing_game"))
    for n in range(IMAGES):
        mask = _otsu(images[n, 0].astype(np.float64))
        assert mask.sum() == 12
        size = np.abs(own.maps[n, 0].astype(np.float64))
        assert np.isclose(mass[n], size[mask].sum() / size.sum())
        assert hit[n] == mask[np.unravel_index(size.argmax(), size.shape)]
    given_mask = np.zeros((IMAGES, SIDE, SIDE), bool)
    given_mask[:, 0] = True
    found = metrics.create("stroke_mass").measure(replace(own, mask=given_mask)).values
    size = np.abs(own.maps[:, 0].astype(np.float64))
    assert np.allclose(found, size[:, 0].sum(1) / size.sum((1, 2)))


def test_agreement_is_spearmans_correlation_of_the_signed_maps():
    own = given()
    found = metrics.create("agreement").measure(own).values
    for n in range(IMAGES):
        expected = spearmanr(own.maps[n].ravel(), own.clean[n].ravel()).statistic
        assert np.isclose(found[n], expected)
    same = replace(own, clean=own.maps)
    assert np.allclose(metrics.create("agreement").measure(same).values, 1)
    assert np.allclose(
        metrics.create("agreement").measure(replace(own, clean=-own.maps)).values, -1
    )


def test_top_k_is_the_share_of_the_largest_pixels_in_common():
    own = given()
    found = metrics.create("top_k", share=0.25).measure(own).values
    for n in range(IMAGES):
        first, second = (
            set(sorted(range(SIDE**2), key=lambda i, m=m: -abs(m.ravel()[i]))[:36])
            for m in (own.maps[n], own.clean[n])
        )
        assert np.isclose(found[n], len(first & second) / 36)
    few = np.zeros_like(own.maps)
    few[:, :, 0, :3] = 1
    assert np.allclose(
        metrics.create("top_k", share=0.25).measure(replace(own, maps=few, clean=few)).values,
        3 / 36,
    )


def test_randomisation_is_the_rank_correlation_with_the_map_of_the_network_drawn_anew():
    own = given()
    found = metrics.create("randomisation", seed=3).measure(own).values
    asked = torch.from_numpy(own.images[:2])
    anew = RandomisedWeights(seed=3).randomised(own.network, asked)
    theirs = own.explain(anew, own.images, np.arange(IMAGES))
    for n in range(IMAGES):
        expected = spearmanr(np.abs(own.maps[n]).ravel(), np.abs(theirs[n]).ravel()).statistic
        assert np.isclose(found[n], expected)
        assert found[n] < 0.9
    deaf = replace(own, explain=lambda net, images, places: own.maps[places])
    assert np.allclose(metrics.create("randomisation").measure(deaf).values, 1)


class Deaf(Linear):
    """Answers the same to everything."""

    def forward(self, x):
        return super().forward(x) * 0


@pytest.mark.parametrize(
    ("name", "why", "changes"),
    [
        ("infidelity", "flat_network", {"network": Deaf()}),
        ("edge_alignment", "plain_image", {"images": np.full((IMAGES, 1, SIDE, SIDE), 0.5, "f4")}),
        ("stroke_mass", "plain_image", {"images": np.full((IMAGES, 1, SIDE, SIDE), 0.5, "f4")}),
        ("pointing_game", "no_mask", {"mask": np.zeros((IMAGES, SIDE, SIDE), bool)}),
        ("agreement", "other_map", {"clean": np.ones((IMAGES, 1, SIDE, SIDE))}),
        ("top_k", "other_map", {"clean": np.zeros((IMAGES, 1, SIDE, SIDE))}),
        (
            "randomisation",
            "other_map",
            {"explain": lambda net, images, places: np.zeros_like(images)},
        ),
    ],
)
def test_what_cannot_be_measured_is_nan_with_the_reason(name, why, changes):
    found = metrics.create(name).measure(replace(given(), **changes))
    assert (found.why == why).all()
    assert np.isnan(found.values).all()


def test_channels_are_summed_and_a_map_for_all_channels_is_shared_among_them():
    rng = np.random.default_rng(4)
    own = Given(
        maps=np.repeat(rng.normal(size=(IMAGES, 1, SIDE, SIDE)), 3, axis=1),
        images=rng.random((IMAGES, 3, SIDE, SIDE), dtype=np.float32),
        network=nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 4)),
        target=Target(np.arange(IMAGES) % 4),
        baseline=np.zeros((IMAGES, 3, SIDE, SIDE), np.float32),
    )
    one = replace(own, maps=own.maps.sum(1, keepdims=True))
    for name in metrics.registry.names():
        metric = metrics.create(name)
        if not {"clean", "method"} & set(metric.needs):
            assert np.allclose(metric.measure(own).values, metric.measure(one).values), name
