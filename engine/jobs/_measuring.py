"""What several kinds measure alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine import rendering
from engine.datasets import Split, evenly, spread
from engine.jobs import _subset

EXCESS = "excess"
"""Name of what is stored of `EightBit.excess`."""
MEASURED = 1000
"""Images of a split that measures are taken on, evenly spaced, when there are more and the file
says nothing else."""


def measured(split: Split, images: int | None) -> Split:
    """Return the images of a split that measures are taken on; `images` is what the file says."""
    if images is None:
        return evenly(split, MEASURED)
    return _subset.some(split, spread(split.labels, images))


def norms(
    pixels: NDArray[np.uint8], clean: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    """Return the size of a change of 8-bit images (N, C, H, W), each (N,).

    `linf` and `l2` in units of the pixel range; `l0`: how many pixels differ in any channel.
    """
    difference = pixels.astype(np.int64) - clean.astype(np.int64)
    flat = difference.reshape(len(difference), -1)
    return {
        "linf": np.abs(flat).max(1) / 255,
        "l2": np.sqrt(np.square(flat).sum(1)) / 255,
        "l0": (difference != 0).any(1).reshape(len(difference), -1).sum(1),
    }


@dataclass(frozen=True)
class EightBit:
    """Examples as their 8-bit pixels are; see `Job.eight_bit`.

    Attributes:
        pixels: uint8 (N, C, H, W).
        excess: float64 (N,), how far the norm of each example's change is above eps, in the space
            that the attack works in. None where there is no eps, or one of pixels, which the norm
            is never above.
    """

    pixels: NDArray[np.uint8]
    excess: NDArray[np.float64] | None

    @property
    def images(self) -> NDArray[np.float32]:
        """The same as float32 in [0, 1]: what models take."""
        return rendering.to_images(self.pixels)

    def largest_excess(self) -> dict[str, float]:
        """Return what is stored of the excess where examples are not: nothing where it is None."""
        return {} if self.excess is None else {EXCESS: float(self.excess.max(initial=0))}
