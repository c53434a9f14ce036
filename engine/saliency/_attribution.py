"""Maps in the resolution that a method has, and drawn out to that of the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Upsampling: TypeAlias = Literal["none", "nearest", "bilinear"]
"""How a map gets the size of its image. `none`: it has it."""


@dataclass(frozen=True)
class Attribution:
    """What a method returns of N images.

    Attributes:
        maps: signed float32 (N, C, h, w), or (N, 1, h, w) where channels are explained together.
        upsampling: how they get the images' size.
        facts: what else is known of each map (N,), by name: `delta`, `steps`. `delta` is
            |sum of the map - (F(image) - F(baseline))| / |F(image) - F(baseline)|, of methods that
            are complete; 0 where the former is no more than float32's rounding. `steps` are the
            gradients that integrated gradients took for the image.
    """

    maps: NDArray[np.float32]
    upsampling: Upsampling = "none"
    facts: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def at(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return the maps (N, C, H, W) at the `size` (H, W) of their images."""
        return upsampled(self.maps, size, self.upsampling)


def upsampled(
    maps: NDArray[np.float32], size: tuple[int, int], rule: Upsampling
) -> NDArray[np.float32]:
    """Return maps (N, C, h, w) at `size` (H, W).

    `bilinear` is that of PyTorch without `align_corners`: a value stands at the middle of its cell.

    Raises:
        ValueError: the rule is `none` and the sizes differ.
    """
    if maps.shape[2:] == size:
        return maps
    if rule == "none":
        raise ValueError(f"maps of {maps.shape[2:]} and images of {size}, without upsampling")
    resample = Image.Resampling.BILINEAR if rule == "bilinear" else Image.Resampling.NEAREST
    flat = maps.reshape(-1, *maps.shape[2:])
    drawn = [np.asarray(Image.fromarray(each).resize(size[::-1], resample)) for each in flat]
    return np.stack(drawn).reshape(*maps.shape[:2], *size).astype(np.float32)
