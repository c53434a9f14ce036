"""Reader of single image files of any common format."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


class UnreadableError(Exception):
    """The bytes are no image, or a damaged one; the message says why."""


def decode(content: bytes) -> Image:
    """Return the decoded image, upright.

    Raises:
        UnreadableError: empty, truncated, damaged or of no known format.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not content:
        raise UnreadableError("empty")
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise UnreadableError("not an image") from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise UnreadableError(str(error) or type(error).__name__) from None


def count(number: int, noun: str) -> str:
    """Return "1 image", "2 images"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
