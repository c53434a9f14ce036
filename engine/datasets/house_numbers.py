"""Coloured house numbers over cluttered walls: the built-in stand-in for SVHN."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.datasets import Data, Dataset, Split, register
from engine.datasets._draws import Draws, Integers
from engine.datasets._glyphs import (
    COVERED,
    EXTENT,
    FONTS,
    ONE,
    Glyphs,
    affine,
    draw,
    matplotlib_font,
    sample,
)
from engine.datasets._pixels import BLUR, blur, divide
from engine.seeds import derive

CHARACTERS = "0123456789"
_SIZE = 32
_COUNTS = {"train": 6000, "valid": 500, "test": 1000}
_LUMA = np.array([299, 587, 114])


@register
class HouseNumbers(Dataset):
    """7500 digits, 32x32 RGB, in the middle of longer numbers; 6000 / 500 / 1000, balanced.

    Stands in for the cropped digits of SVHN (Netzer et al., 2011): a coloured digit, light on dark
    or dark on light, on a wall with lighting, stains, edges and bars, with neighbouring digits cut
    off at the sides, sometimes a shadow, blur and noise. The label is the digit in the middle. The
    fonts are those of `letters` that have lining digits, split by family in the same way. All in
    integers: the checksum is the same on every machine.
    """

    expected_sha256: ClassVar[str | None] = (
        "ea01d57bb063ce88ebc8898a97ec816d72c15c649297fdf881dbd07a51f6fbc7"
    )

    def load(self) -> Data:
        """Return the dataset; needs no download.

        Raises:
            PlausiblyError: a font is missing or is another than the listed one.
        """
        splits = {split: _render(split, count) for split, count in _COUNTS.items()}
        return Data(splits["train"], splits["valid"], splits["test"], tuple(CHARACTERS))


def _render(split: str, count: int) -> Split:
    """Paint `count` images, classes balanced and fonts in turn, in random order."""
    draws = Draws(derive(0, "house_numbers", split))
    fonts = [
        draw(matplotlib_font(font.file), font.sha256, CHARACTERS)
        for font in FONTS
        if font.split == split and font.has_digits
    ]
    index = np.arange(count)
    labels = index % len(CHARACTERS)
    font = index // len(CHARACTERS) % len(fonts)
    # In batches that stay in the processor's cache.
    pixels = np.concatenate(
        [_paint(draws, fonts, font[part], labels[part]) for part in np.split(index, count // 100)]
    )
    order = draws.order(count)
    return Split(pixels[order], labels[order].astype(np.int64))


def _paint(
    draws: Draws, fonts: list[Glyphs], font: Integers, labels: Integers
) -> NDArray[np.uint8]:
    """Return images (N, 3, H, W). Every number in here stays below 2**31."""
    count = len(labels)
    wall = _wall(draws, count)
    colour, shade = _colours(draws, wall)
    ink = _ink(draws, fonts, font, labels)
    # A shadow, where there is one, falls one pixel to the right and below.
    cast = np.pad(ink, ((0, 0), (1, 0), (1, 0)))[:, :-1, :-1]
    strength = draws.between(0, 60, count) * (draws.between(0, 2, count) == 0)
    depth = cast * strength[:, None, None].astype(np.int32)
    painted = wall * (100 * COVERED - depth)[:, None]
    painted = painted * (COVERED - ink[:, None]) + 100 * COVERED * ink[:, None] * colour
    lit = painted // (100 * COVERED**2) * shade[:, None] // ONE
    blurred = blur(lit, draws.between(0, 36, count), edge="repeat")
    grain = draws.between(-7, 7, count, 3, _SIZE, _SIZE) + draws.between(
        -4, 4, count, 1, _SIZE, _SIZE
    )
    return divide(blurred + grain.astype(np.int32) * (BLUR * COVERED), BLUR * COVERED)


def _ink(draws: Draws, fonts: list[Glyphs], font: Integers, labels: Integers) -> Integers:
    """Return the coverage of the digit and its neighbours, (N, H, W) in 0..COVERED."""
    count = len(labels)
    height = draws.between(20 * 64, 28 * 64, count)
    stretch = draws.between(ONE * 85 // 100, ONE * 115 // 100, count)
    maps = affine(
        height=height,
        stretch=stretch,
        slant=draws.between(-ONE * 12 // 100, ONE * 12 // 100, count),
        turn=draws.between(-ONE * 9 // 100, ONE * 9 // 100, count),
    )
    centre = draws.between(-96, 96, count, 2)
    beside = draws.between(0, len(CHARACTERS) - 1, 2, count)
    present = draws.between(0, 9, 2, count) < 7
    gap = draws.between(64, 4 * 64, 2, count)
    widths = np.stack([glyphs.widths for glyphs in fonts])

    def width(digit: Integers) -> Integers:
        drawn = widths[font, digit] * height // EXTENT
        return drawn * stretch // ONE

    ink = np.zeros((count, _SIZE, _SIZE), dtype=np.int32)
    for number, glyphs in enumerate(fonts):
        mine = np.flatnonzero(font == number)
        ink[mine] = sample(glyphs, labels[mine], maps[mine], centre[mine], _SIZE)
    for side, sign in ((0, -1), (1, 1)):
        shift = centre.copy()
        shift[:, 0] += sign * ((width(labels) + width(beside[side])) // 2 + gap[side])
        for number, glyphs in enumerate(fonts):
            mine = np.flatnonzero((font == number) & present[side])
            other = sample(glyphs, beside[side][mine], maps[mine], shift[mine], _SIZE)
            ink[mine] = np.maximum(ink[mine], other)
    return ink


def _wall(draws: Draws, count: int) -> Integers:
    """Return walls (N, 3, H, W), times COVERED: a colour, large stains, and bars across."""
    base = draws.between(45, 210, count, 1) + draws.between(-38, 38, count, 3)
    wall = np.broadcast_to(base[:, :, None, None], (count, 3, _SIZE, _SIZE)).astype(np.int32)
    row, column = np.mgrid[:_SIZE, :_SIZE]
    for _ in range(4):
        # A bar: everything within `half` of a line; far lines and thin halves give none.
        direction = draws.between(-8, 8, count, 2, 1, 1)
        offset = draws.between(-160, 160, count, 1, 1)
        half = draws.between(-16, 44, count, 1, 1)
        along = direction[:, 0] * (column - 16) + direction[:, 1] * (row - 16) + offset
        change = draws.between(-34, 34, count, 1) + draws.between(-10, 10, count, 3)
        inside = (np.abs(along) < half)[:, None]
        wall += inside * change[:, :, None, None].astype(np.int32)
    return wall * COVERED + _stains(draws, count)


def _stains(draws: Draws, count: int) -> Integers:
    """Return smooth noise (N, 1, H, W), times COVERED: a 5x5 lattice between -24 and 24."""
    lattice = draws.between(-24, 24, count, 1, 5, 5)
    step = _SIZE // 4
    weights = np.zeros((_SIZE, 5), dtype=np.int64)
    for i in range(_SIZE):
        left, part = divmod(i, step)
        weights[i, left : left + 2] = step - part, part
    smooth: Integers = weights @ lattice @ weights.T
    return (smooth * COVERED // step**2).astype(np.int32)


def _colours(draws: Draws, wall: Integers) -> tuple[Integers, Integers]:
    """Return the digits' colours (N, 3, 1, 1), times COVERED, and the lighting (N, H, W).

    The lightness of a digit differs from the wall's mean by 55 to 150 of 255, in the direction in
    which there is room.
    """
    count = len(wall)
    lightness = (wall.sum(axis=(2, 3), dtype=np.int64) // _SIZE**2 @ _LUMA) // (1000 * COVERED)
    apart = draws.between(55, 150, count)
    lighter = draws.between(0, 255, count) > lightness
    lighter = np.where(lightness + apart > 245, False, lighter)
    lighter = np.where(lightness - apart < 10, True, lighter)
    target = np.where(lighter, np.minimum(lightness + apart, 245), lightness - apart)
    tint = draws.between(-45, 45, count, 3)
    tint -= ((tint @ _LUMA) // 1000)[:, None]
    colour = np.clip(target[:, None] + tint, 0, 255)[:, :, None, None] * COVERED
    row, column = np.mgrid[:_SIZE, :_SIZE] - _SIZE // 2
    slope = draws.between(-30, 30, 2, count, 1, 1)
    shade = ONE + slope[0] * row + slope[1] * column
    return colour.astype(np.int32), shade.astype(np.int32)
