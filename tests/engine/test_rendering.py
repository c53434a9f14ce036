"""Pixels go through PNG unharmed; maps have a colour scale that says zero."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from engine import rendering

SHAPES = st.tuples(st.sampled_from([1, 3]), st.integers(1, 12), st.integers(1, 12))


@given(hnp.arrays(np.uint8, SHAPES))
def test_png_gives_back_every_pixel_and_tells_nothing_else(pixels):
    data = rendering.png(pixels)
    image = Image.open(io.BytesIO(data))
    assert image.info == {}
    back = np.asarray(image)
    back = back[None] if back.ndim == 2 else np.moveaxis(back, -1, 0)
    assert np.array_equal(back, pixels)
    assert rendering.png(pixels) == data


@given(hnp.arrays(np.uint8, SHAPES))
def test_the_pixel_hash_knows_shape_and_values(pixels):
    digest = rendering.pixels_sha256(pixels)
    assert digest == rendering.pixels_sha256(np.asfortranarray(pixels))
    changed = pixels.copy()
    changed.flat[0] ^= 1
    assert digest != rendering.pixels_sha256(changed)
    channels, height, width = pixels.shape
    if height != width:
        assert digest != rendering.pixels_sha256(pixels.reshape(channels, width, height))


def test_rounding_is_to_nearest_and_clips():
    images = np.array([0.0, 0.4 / 255, 0.6 / 255, 1.0, 1.2, -0.1], dtype=np.float32)
    assert rendering.to_pixels(images).tolist() == [0, 0, 1, 255, 255, 0]


def test_zero_is_neutral_and_the_signs_mirror_each_other():
    neutral = rendering.PALETTE[127]
    assert len(set(neutral.tolist())) == 1
    drawn = rendering.draw_map(np.array([[[0.0, 1.0, -1.0, 5.0]]], dtype=np.float32), 1.0)
    assert drawn[:, 0, 0].tolist() == neutral.tolist()
    red, blue = drawn[:, 0, 1].astype(int), drawn[:, 0, 2].astype(int)
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert drawn[:, 0, 3].tolist() == red.tolist()


def test_an_all_zero_map_is_drawn_neutral():
    zero = np.zeros((1, 4, 4), dtype=np.float32)
    drawn = rendering.draw_map(zero, rendering.scale_of(zero))
    assert np.array_equal(drawn, np.broadcast_to(rendering.PALETTE[127][:, None, None], (3, 4, 4)))


@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_the_scale_keeps_magnitude(factor):
    attribution = np.linspace(-1, 1, 101, dtype=np.float32).reshape(1, 1, 101) * np.float32(factor)
    assert rendering.scale_of(attribution) == pytest.approx(0.98 * factor + 0.01 * factor, rel=0.02)
