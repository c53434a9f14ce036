"""Reader of single image files of any common format."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from PIL.Image import Image

Fault: TypeAlias = Literal[
    "empty", "no image", "damaged", "too large", "colours", "range", "not finite"
]
"""Why a file gives no picture; `engine.datasets._folder_notes` has the words for each."""

_TIFF = (b"II*\0", b"MM\0*")


class UnreadableError(Exception):
    """The bytes give no picture; the message says why.

    Attributes:
        fault: the kind of reason, by which files are counted.
    """

    def __init__(self, fault: Fault, message: str = "") -> None:
        super().__init__(message or fault)
        self.fault: Fault = fault


@contextmanager
def opened(content: bytes) -> Iterator[Image]:
    """Open an image, of which only the header is read yet; refuse what proves to be damaged.

    Raises:
        UnreadableError: empty, truncated, damaged, of no known format, or with more pixels than
            Pillow takes for harmless.
    """
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise UnreadableError("empty")
    try:
        with Image.open(io.BytesIO(content)) as image:
            yield image
    except UnidentifiedImageError:
        # A TIFF may hold samples of any kind; Pillow does not know them all.
        raise UnreadableError("colours" if content[:4] in _TIFF else "no image") from None
    except Image.DecompressionBombError as error:
        raise UnreadableError("too large", str(error)) from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise UnreadableError("damaged", str(error) or type(error).__name__) from None


def decode(content: bytes) -> Image:
    """Return the decoded image, upright.

    Raises:
        UnreadableError: see `opened`.
    """
    from PIL import ImageOps

    with opened(content) as image:
        image.load()
        return ImageOps.exif_transpose(image)


def count(number: int, noun: str) -> str:
    """Return "1 image", "2 images"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
