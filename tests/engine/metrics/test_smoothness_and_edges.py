"""Smoothness and edges on maps whose answer is known."""

import numpy as np
from scipy.stats import spearmanr

from engine import metrics
from engine.metrics import Given


def smoothness(maps):
    images = np.random.default_rng(0).random((len(maps), 1, *maps.shape[2:]))
    return metrics.create("smoothness").measure(Given(maps, images)).values


def edge_alignment(maps, images):
    return metrics.create("edge_alignment").measure(Given(maps, images)).values


def test_smoothness_of_noise_of_a_ramp_and_of_a_checkerboard():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(200, 1, 28, 28))
    assert abs(smoothness(noise).mean()) < 0.01
    ramp = np.linspace(0, 1, 28)[None, None, None, :].repeat(28, 2)
    assert smoothness(ramp)[0] > 0.9
    checkerboard = np.indices((28, 28)).sum(0)[None, None] % 2 - 0.5
    assert np.isclose(smoothness(checkerboard)[0], -1)


def test_smoothness_is_morans_i_by_its_definition():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(6, 5))
    z = image - image.mean()
    total, weights = 0.0, 0
    for i in range(6):
        for j in range(5):
            for k, m in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
                if 0 <= k < 6 and 0 <= m < 5:
                    total += z[i, j] * z[k, m]
                    weights += 1
    expected = image.size / weights * total / (z**2).sum()
    assert np.isclose(smoothness(image[None, None])[0], expected)


def test_neither_scale_nor_shift_nor_the_channels_matter():
    rng = np.random.default_rng(2)
    maps, images = rng.normal(size=(5, 3, 12, 12)), rng.random((5, 3, 12, 12))
    for scale in (1e-30, 1.0, 1e20):
        assert np.allclose(smoothness(maps * scale), smoothness(maps))
        assert np.allclose(edge_alignment(maps * scale, images), edge_alignment(maps, images))
    assert np.allclose(smoothness(maps), smoothness(maps.sum(1, keepdims=True)))


def test_alignment_is_spearmans_correlation():
    rng = np.random.default_rng(3)
    maps, images = rng.normal(size=(4, 1, 9, 9)), rng.random((4, 1, 9, 9))
    found = edge_alignment(maps, images)
    for n in range(4):
        down, right = np.gradient(images[n, 0])
        edges = np.hypot(down, right).ravel()
        assert np.isclose(found[n], spearmanr(np.abs(maps[n, 0]).ravel(), edges).statistic)
    down, right = np.gradient(images[:, 0], axis=(1, 2))
    assert np.allclose(edge_alignment(-np.hypot(down, right)[:, None], images), 1)


def test_a_constant_map_has_neither():
    maps = np.zeros((2, 1, 8, 8))
    maps[1] = 3.0
    assert np.isnan(smoothness(maps)).all()
    assert np.isnan(edge_alignment(maps, np.random.default_rng(0).random((2, 1, 8, 8)))).all()
