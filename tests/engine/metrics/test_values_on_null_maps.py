"""Null maps know nothing of a network: edges of the image, and noise with a map's spectrum."""

import numpy as np
from scipy.ndimage import gaussian_filter, laplace

from engine import metrics
from engine.metrics import Given, random_like
from engine.saliency import laplacian_of_gaussian


def test_edges_are_the_laplacian_of_gaussian():
    images = np.random.default_rng(0).random((2, 3, 20, 24)).astype(np.float32)
    for n in range(2):
        for c in range(3):
            smooth = gaussian_filter(images[n, c], 24 / 20, mode="nearest")
            assert np.allclose(
                laplacian_of_gaussian(images)[n, c], laplace(smooth, mode="nearest"), atol=1e-5
            )


def test_noise_has_the_maps_mean_and_spectrum_and_is_another_for_each_image_and_kind():
    rng = np.random.default_rng(1)
    maps = np.cumsum(rng.normal(size=(3, 2, 12, 13)), axis=3) + 0.5
    found = random_like(maps, np.array([4, 5, 4]), "clean")
    assert np.allclose(np.abs(np.fft.fft2(found)), np.abs(np.fft.fft2(maps)), atol=1e-3)
    assert np.allclose(found.mean((2, 3)), maps.mean((2, 3)), atol=1e-5)
    given = Given(maps, np.zeros((3, 1, 12, 13), np.float32))
    smooth = metrics.create("smoothness")
    noise = Given(found, given.images)
    assert np.allclose(smooth.measure(noise).values, smooth.measure(given).values, atol=0.1)
    again = random_like(maps, np.array([4, 5, 4]), "clean")
    assert np.array_equal(found, again)
    other = random_like(maps, np.array([4, 5, 4]), "fgsm")
    assert abs(np.corrcoef(other[0].ravel(), found[0].ravel())[0, 1]) < 0.9
    assert not random_like(np.zeros((1, 1, 8, 8)), np.array([1]), "clean").any()
