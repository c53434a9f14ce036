"""Pixels and maps as PNG: exact, without text chunks, and on a declared colour scale."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# ColorBrewer's RdBu with 11 classes, from blue (negative) over neutral to red (positive):
# diverging, colour-blind safe, lightness symmetric about zero.
_ANCHORS = np.array(
    [
        (5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240),
        (247, 247, 247),
        (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31),
    ],
    dtype=np.float64,
)  # fmt: skip
_LEVELS = 2 * 127 + 1  # odd, so that zero has a colour of its own


def _palette() -> NDArray[np.uint8]:
    positions = np.linspace(0, 1, len(_ANCHORS))
    wanted = np.linspace(0, 1, _LEVELS)
    channels = [np.interp(wanted, positions, _ANCHORS[:, i]) for i in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


PALETTE = _palette()
"""uint8 (255, 3): colour by signed level; index 127 is zero, exactly neutral."""


def to_pixels(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round images in [0, 1] to 8 bits: what a screen shows and a stimulus is."""
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def to_images(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return 8-bit pixels as float32 in [0, 1]: what models and attacks take."""
    images = pixels.astype(np.float32)
    images /= np.float32(255)  # in place: of large splits two copies are too many
    return images


def pixels_sha256(pixels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 (hex) of shape, dtype and raw bytes of uint8 pixels (C, H, W)."""
    digest = hashlib.sha256(f"{pixels.shape}{pixels.dtype.name}".encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode uint8 pixels (C, H, W), C = 1 or 3, losslessly; only the image, no text chunks."""
    image = np.moveaxis(pixels, 0, -1)
    return _encode(image[..., 0] if image.shape[-1] == 1 else image)


def scale_of(maps: NDArray[np.float32], percentile: float = 99.0) -> float:
    """Return the |value| that full colour stands for: a percentile of |map| over all of `maps`.

    Zero when all maps are zero everywhere, as those of a masked model may be.
    """
    return float(np.percentile(np.abs(maps), percentile))


def draw_map(attribution: NDArray[np.float32], scale: float) -> NDArray[np.uint8]:
    """Colour a signed map (C, H, W) as uint8 RGB (3, H, W).

    Channels are summed. Red is positive, blue negative, zero exactly neutral; values beyond
    `scale` take the full colour. With `scale` 0 everything is neutral.
    """
    signed = attribution.sum(axis=0, dtype=np.float64)
    unit = np.clip(signed / scale, -1, 1) if scale > 0 else np.zeros_like(signed)
    return np.moveaxis(PALETTE[np.rint(unit * 127).astype(np.int64) + 127], -1, 0)


def _encode(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
