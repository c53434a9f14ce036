"""The edges of an image, as a map that knows nothing of any model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def laplacian_of_gaussian(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the second derivative of images (N, C, H, W), smoothed by a twentieth of their side.

    Marr & Hildreth (1980): it follows strokes and has both signs, as gradients do. Without
    smoothing an enlarged image shows the grid it was enlarged from.
    """
    from scipy.ndimage import gaussian_filter

    sigma = max(images.shape[-2:]) / 20
    smooth = gaussian_filter(images, (0, 0, sigma, sigma), mode="nearest")
    padded = np.pad(smooth, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    up, down = padded[..., :-2, 1:-1], padded[..., 2:, 1:-1]
    left, right = padded[..., 1:-1, :-2], padded[..., 1:-1, 2:]
    second: NDArray[np.float32] = up + down + left + right - 4 * smooth
    return second
