"""Baselines: the image without what is explained, in pixels."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from engine import seeds

BaselineName: TypeAlias = Literal["black", "mean", "white", "blurred", "noise"]
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)
"""In words: all pixels 0; the mean colour of the training images; all pixels 1; the image itself,
smoothed by a Gaussian of a fifth of its side; uniform noise, drawn for each image by its seed.

Sturmfels, Lundberg & Lee (2020), "Visualizing the impact of feature attribution baselines": what is
as the baseline is gets no credit. On white digits over black a black baseline blames strokes alone.
"""
_BLUR = 0.2


def baseline_images(
    name: BaselineName,
    images: NDArray[np.float32],
    mean: NDArray[np.float32],
    image_seeds: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the baseline of each image, float32 (N, C, H, W) in [0, 1].

    Args:
        name: which; see `BASELINES`.
        images: float32 (N, C, H, W) in [0, 1].
        mean: the mean colour (C,) of the training images.
        image_seeds: one per image (N,).
    """
    if name == "noise":
        return np.stack(
            [
                np.random.default_rng(seeds.derive(int(seed), "baseline")).random(
                    images.shape[1:], np.float32
                )
                for seed in image_seeds
            ]
        )
    if name == "blurred":
        from scipy.ndimage import gaussian_filter

        sigma = _BLUR * max(images.shape[2:])
        blurred: NDArray[np.float32] = gaussian_filter(images, (0, 0, sigma, sigma), mode="nearest")
        return blurred.clip(0, 1)
    colour = {"black": np.zeros_like(mean), "white": np.ones_like(mean), "mean": mean}[name]
    return np.broadcast_to(colour[None, :, None, None], images.shape).astype(np.float32)
