"""Null maps: what a metric says of maps that know nothing of the network.

Without them a number says little: on white digits over black nearly every map lies on the strokes.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from engine import seeds

Null: TypeAlias = Literal["edges", "random"]
NULLS: tuple[Null, ...] = get_args(Null)
"""`edges`: the Laplacian of Gaussian of the image. `random`: noise with the map's own spectrum, for
each map its own."""


def in_words(null: Null) -> str:
    """Return what a null map is called."""
    names: dict[Null, str] = {"edges": "edges", "random": "noise"}
    return names[null]


def random_like(
    maps: NDArray[np.floating[Any]], image_seeds: NDArray[np.int64], kind: str
) -> NDArray[np.float32]:
    """Return noise (N, C, H, W) with the mean and the amplitude spectrum of each map.

    Its phases are the map's, shifted by those of white noise, for all channels alike: so channels
    go together as they did (Theiler et al. 1992; Prichard & Theiler 1994).

    Args:
        maps: whose spectra they have.
        image_seeds: one per image (N,).
        kind: the image kind: noise for an attacked image is other than for the clean one.
    """
    shape = maps.shape[2:]
    noise = np.stack(
        [
            np.random.default_rng(seeds.derive(int(seed), "null", kind)).standard_normal(shape)
            for seed in image_seeds
        ]
    )
    phase = np.fft.rfft2(noise)
    phase = phase / np.abs(phase)
    phase[:, 0, 0] = 1
    drawn = np.fft.irfft2(np.fft.rfft2(maps) * phase[:, None], shape)
    return drawn.astype(np.float32)
