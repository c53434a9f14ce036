"""From an image file of any mode to 8-bit pixels, grey or RGB, on a ground of one colour.

Pillow's own conversion of grey images with more than 8 bits clips them at 255, which leaves two
levels of a 16-bit picture, and its conversion of transparent ones shows what lies hidden under the
transparency. Both are done here, in integers where that is exact.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.datasets._images import UnreadableError, opened

if TYPE_CHECKING:
    from PIL.Image import Image

Trait: TypeAlias = Literal["transparent", "16-bit colour", "clipped", "several", "one colour"]
Colour: TypeAlias = tuple[int, int, int]

_GREY = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"))
_16_BIT = frozenset(("I;16", "I;16B", "I;16L", "I;16N"))
_32_BIT = frozenset(("I", "F"))
_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1


@dataclass(frozen=True)
class Reading:
    """How files become pixels.

    Attributes:
        grey: one channel, else three.
        size: (height, width) to scale to; None keeps an image's own.
        range: the values of deep grey images that become black and white; None: all that 16 bits
            can say.
        background: what shows through where an image is transparent.
    """

    grey: bool
    size: tuple[int, int] | None
    range: tuple[float, float] | None
    background: Colour


@dataclass(frozen=True)
class Picture:
    """What a file gave.

    Attributes:
        pixels: uint8 (C, H, W), C-contiguous.
        traits: what is to be said of it.
        values: lowest and highest value of a grey image with more than 8 bits; None for others.
    """

    pixels: NDArray[np.uint8]
    traits: frozenset[Trait]
    values: tuple[float, float] | None = None


class RangeNeededError(UnreadableError):
    """The file's values have no black and white of their own.

    Attributes:
        values: the lowest and the highest.
    """

    def __init__(self, values: tuple[float, float]) -> None:
        super().__init__("range")
        self.values = values


@dataclass(frozen=True)
class _Header:
    """What the decoded image no longer tells.

    Attributes:
        raw: how its samples are stored, as Pillow calls it: "RGB;16B".
        bits: of a grey sample.
        inverted: whether a TIFF says that zero is white and Pillow leaves it so.
        unsigned: whether 32-bit values are, which Pillow reads as signed.
    """

    raw: str
    bits: int
    inverted: bool
    unsigned: bool

    @classmethod
    def of(cls, image: Image) -> _Header:
        tiles: Any = getattr(image, "tile", None)
        stored = tiles[0][3] if tiles else ""
        raw = stored if isinstance(stored, str) else str(stored[0]) if stored else ""
        tags = getattr(image, "tag_v2", {})
        bits = int(tags.get(_BITS_PER_SAMPLE, (16,))[0])
        inverted = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and image.mode in _16_BIT | {"F"}
        form = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0]
        return cls(raw, bits, inverted, bool(tags) and form == _UNSIGNED and bits == 32)


def is_grey(image: Image, background: Colour) -> bool:
    """Say whether an opened image is grey, also where it is transparent on this ground."""
    # 16-bit grey with transparency, for which Pillow has no mode but RGBA.
    grey = image.mode in _GREY or _Header.of(image).raw.startswith("LA;")
    return grey and (not image.has_transparency_data or len(set(background)) == 1)


def read(content: bytes, reading: Reading) -> Picture:
    """Return the picture that a file holds, upright; of several the first.

    Raises:
        UnreadableError: see `opened`; also values that are not finite.
        RangeNeededError: 32-bit values, and no range.
    """
    from PIL import Image, ImageOps

    traits: set[Trait] = set()
    values = None
    with opened(content) as image:
        header = _Header.of(image)
        image.load()
        upright = ImageOps.exif_transpose(image)
        if _holds_several(image):
            traits.add("several")
        if ";16" in header.raw and upright.mode not in _16_BIT | _32_BIT:
            traits.add("16-bit colour")
        if upright.mode in _16_BIT | _32_BIT:
            upright, values, clipped = _shallow(upright, header, reading.range)
            if clipped:
                traits.add("clipped")
        flat = _composited(upright, reading.background)
        if flat is not None:
            traits.add("transparent")
        converted = upright if flat is None else flat
        if converted.mode == "LAB":  # from which Pillow knows no way to grey
            converted = converted.convert("RGB")
        converted = converted.convert("L" if reading.grey else "RGB")
    if reading.size is not None:
        converted = converted.resize(reading.size[::-1], Image.Resampling.LANCZOS)
    pixels = np.asarray(converted)
    pixels = np.ascontiguousarray(pixels[None] if reading.grey else pixels.transpose(2, 0, 1))
    if (pixels == pixels[:, :1, :1]).all():
        traits.add("one colour")
    return Picture(pixels, frozenset(traits), values)


def _holds_several(image: Image) -> bool:
    # Asked last, and of no consequence: that a later picture is damaged harms the first not.
    with suppress(OSError, SyntaxError, ValueError, EOFError, struct.error):
        return bool(getattr(image, "is_animated", False))
    return False


def _shallow(
    image: Image, header: _Header, span: tuple[float, float] | None
) -> tuple[Image, tuple[float, float], bool]:
    """Return a deep grey image with 8 bits, its extreme values, and whether some were cut off."""
    from PIL import Image

    values = np.asarray(image)
    if header.unsigned and image.mode == "I":
        values = values.view(np.uint32)
    if not np.isfinite(values).all():
        raise UnreadableError("not finite")
    extremes = (float(values.min()), float(values.max()))
    if span is None and image.mode in _32_BIT:
        raise RangeNeededError(extremes)
    low, high = span or (0, 2**header.bits - 1)
    # An odd divisor (257 for 16 bits) leaves no tie that a rounding error could break.
    scaled = (np.clip(values.astype(np.float64), low, high) - low) / (high - low) * 255
    grey = np.rint(scaled).astype(np.uint8)
    shallow = Image.fromarray(255 - grey if header.inverted else grey)
    hidden = image.info.get("transparency")
    if isinstance(hidden, int):
        shallow.putalpha(Image.fromarray(np.where(values == hidden, 0, 255).astype(np.uint8)))
    return shallow, extremes, extremes[0] < low or extremes[1] > high


def _composited(image: Image, background: Colour) -> Image | None:
    """Return the image on its ground, or None where it is opaque all over."""
    from PIL import Image

    if not image.has_transparency_data:
        return None
    # Grey with its colour multiplied in is converted to grey with transparency and nothing else.
    plain = image.convert("LA") if image.mode == "La" else image
    rgba = np.asarray(plain.convert("RGBA")).astype(np.uint32)
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    if alpha.min() == 255:
        return None
    ground = np.array(background, dtype=np.uint32)
    return Image.fromarray(
        ((colour * alpha + ground * (255 - alpha) + 127) // 255).astype(np.uint8)
    )
