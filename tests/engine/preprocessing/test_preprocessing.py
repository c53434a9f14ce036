"""Each step against numpy or SciPy; every step with finite gradients on every image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from engine import models, preprocessing
from engine.errors import UsageError

NAMES = preprocessing.registry.names()


def images(*shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def apply(name, x, **params):
    return preprocessing.create(name, **params).apply(torch.from_numpy(x)).numpy()


def test_grey_is_its_weights_and_leaves_one_channel():
    x = images(4, 3, 5, 6)
    expected = 0.2989 * x[:, 0] + 0.5870 * x[:, 1] + 0.1140 * x[:, 2]
    np.testing.assert_allclose(apply("grey", x)[:, 0], expected, atol=1e-12)
    np.testing.assert_array_equal(apply("grey", x[:, :1]), x[:, :1])


@pytest.mark.parametrize("channels", [1, 3])
def test_gcn_is_numpys_mean_and_deviation_of_every_image(channels):
    x = images(4, channels, 5, 6)
    x[1] = 0.3 + 0.001 * x[1]
    expected = [(image - image.mean()) / image.std(ddof=1) for image in x]
    np.testing.assert_allclose(apply("gcn", x), expected, atol=1e-9)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    contrast=st.floats(0.01, 100),
    brightness=st.floats(-10, 10),
    channels=st.sampled_from([1, 3]),
)
def test_gcn_does_not_see_brightness_and_contrast(seed, contrast, brightness, channels):
    x = images(2, channels, 4, 5, seed=seed)
    changed = apply("gcn", contrast * x + brightness)
    np.testing.assert_allclose(changed, apply("gcn", x), atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_gcn_makes_zeros_of_a_constant_image(value):
    x = np.full((1, 1, 28, 28), value, dtype=np.float32)
    assert (apply("gcn", x) == 0).all()
    scale = preprocessing.create("gcn").scale(torch.from_numpy(x))
    assert scale.item() == pytest.approx(1 / 255)


@pytest.mark.parametrize(("window", "sigma"), [(9, 2.0), (7, 3.0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_lcn_is_scipys(window, sigma, channels):
    x = images(3, channels, 14, 15)

    def weighted(image):
        def blur(plane):
            options = {"mode": "constant", "radius": window // 2}
            return ndimage.gaussian_filter(plane, sigma, **options)

        return np.mean([blur(plane) for plane in image], axis=0)

    expected = []
    for image in x:
        v = image - weighted(image)
        s = np.sqrt(weighted(v**2))
        expected.append(v / np.maximum(s, s.mean()))
    np.testing.assert_allclose(apply("lcn", x, window=window, sigma=sigma), expected, atol=1e-10)


def test_shift_adds_its_constant():
    x = images(2, 1, 3, 3)
    np.testing.assert_array_equal(apply("shift", x, by=-0.25), x - 0.25)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_right(name):
    x = torch.from_numpy(images(2, 3, 5, 5)).requires_grad_(True)
    assert torch.autograd.gradcheck(preprocessing.create(name).apply, (x,))


@pytest.mark.parametrize("steps", [*([name] for name in NAMES), ["grey", "gcn", "lcn"]])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_values_and_both_gradients_are_finite_on_constant_images(steps, value):
    x = torch.full((2, 3, 11, 11), value)
    x[1, 0, 0, 0] = 0.5
    x.requires_grad_(True)
    y = x
    for name in steps:
        y = preprocessing.create(name).apply(y)
    weights = torch.arange(y.numel(), dtype=torch.float32).reshape(y.shape).cos()
    (gradient,) = torch.autograd.grad((weights * y).sum(), x, create_graph=True)
    assert all(torch.isfinite(t).all() for t in (y, gradient))
    if gradient.requires_grad:
        (second,) = torch.autograd.grad(gradient.square().sum(), x, allow_unused=True)
        assert second is None or torch.isfinite(second).all()


@pytest.mark.parametrize("name", NAMES)
def test_an_image_does_not_see_its_batch(name):
    step = preprocessing.create(name)
    x = torch.from_numpy(images(5, 3, 11, 11)).float()
    alone = torch.cat([step.apply(x[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(alone, step.apply(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"lcn"}))
def test_the_scale_leads_back_with_the_statistics_frozen(name):
    step = preprocessing.create(name)
    x = torch.from_numpy(images(3, 1, 4, 4))
    x_moved = torch.from_numpy(images(3, 1, 4, 4, seed=1))
    offset = step.apply(x) - x / step.scale(x)
    assert torch.allclose(offset, offset.mean((1, 2, 3), keepdim=True))
    z = x_moved / step.scale(x) + offset
    assert torch.allclose(x + step.scale(x) * (z - step.apply(x)), x_moved)


def test_lcn_has_no_way_back():
    with pytest.raises(UsageError, match=r"no affine map.*'lcn'.*input_layers"):
        preprocessing.create("lcn").scale(torch.rand(1, 1, 4, 4))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("grey", "list of steps; known: gcn, grey"),
        ([3], "name or a mapping"),
        (["blur"], "unknown step 'blur'; known: gcn, grey, lcn, shift"),
        ([{"name": "shift", "to": 1}], "unknown parameter 'to'"),
        ([{"name": "lcn", "window": 4}], "odd"),
        ([{"name": "shift", "by": float("nan")}], "finite"),
    ],
)
def test_wrong_steps_are_refused(given, said):
    with pytest.raises(UsageError, match=said):
        models.create("small_cnn", preprocessing=given)


def test_grey_refuses_other_channels_before_the_network_is_built():
    with pytest.raises(UsageError, match="1 or 3 channels, not 2"):
        models.create("small_cnn", preprocessing=["grey"]).build((2, 8, 8), 3, seed=0)
