"""Letters A-J from fonts, made the way notMNIST was: the built-in stand-in for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from engine.datasets import Data, Dataset, Split, register
from engine.datasets._draws import Draws
from engine.datasets._glyphs import (
    COVERED,
    FONTS,
    ONE,
    Glyphs,
    affine,
    draw,
    family,
    matplotlib_font,
    sample,
)
from engine.datasets._pixels import BLUR, blur, divide
from engine.errors import UsageError
from engine.seeds import derive

CHARACTERS = "ABCDEFGHIJ"
_SIZE = 28
_COUNTS = {"train": 6000, "valid": 500, "test": 1000}


class SystemFont(BaseModel):
    """A font file of this computer, with the SHA-256 that it must have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@register
class Letters(Dataset):
    """7500 capitals A-J, 28x28 grey, light on dark, from 23 fonts; 6000 / 500 / 1000, balanced.

    Made the way Y. Bulatov made notMNIST (2011), glyphs of many fonts as images, from the fonts
    that matplotlib carries (`_glyphs.FONTS`: each with its SHA-256). No family is in two splits:
    training has DejaVu Sans, DejaVu Serif and Computer Modern Roman with its italics and script;
    validation DejaVu Sans Mono and Computer Modern Typewriter; test STIX General and Computer
    Modern Sans. Every image is distorted mildly: size, width, slant, rotation up to 8 degrees,
    position, brightness, sharpness. Drawn from the outlines in integers, not by FreeType: the
    checksum is the same on every machine.

    Attributes:
        system_fonts: fonts of this computer that join the training split, with their hashes. The
            dataset is then another, which only computers with the same files can make.
    """

    expected_sha256: ClassVar[str | None] = (
        "a702a2240e759271d1821aa6a44b625b656e8628c75289f9cfeae87cf8411bda"
    )

    system_fonts: tuple[SystemFont, ...] = ()

    def load(self) -> Data:
        """Return the dataset; needs no download.

        Raises:
            PlausiblyError: a font is missing or is another than the listed one.
            UsageError: a system font lacks the letters, or its family is in another split.
        """
        fonts = {
            split: [
                draw(matplotlib_font(font.file), font.sha256, CHARACTERS)
                for font in FONTS
                if font.split == split
            ]
            for split in _COUNTS
        }
        fonts["train"] += [self._system(font) for font in self.system_fonts]
        splits = {split: _render(split, fonts[split], count) for split, count in _COUNTS.items()}
        return Data(splits["train"], splits["valid"], splits["test"], tuple(CHARACTERS))

    def _system(self, font: SystemFont) -> Glyphs:
        path = Path(font.path)
        glyphs = draw(path, font.sha256, CHARACTERS)
        listed = {family(matplotlib_font(f.file)) for f in FONTS}
        if family(path) in listed:
            raise UsageError(
                f"letters: {font.path} is of the family {family(path)}, which is listed already; "
                "a family is in one split only"
            )
        return glyphs


def _render(split: str, fonts: list[Glyphs], count: int) -> Split:
    """Draw `count` images, classes balanced and fonts in turn, in random order."""
    draws = Draws(derive(0, "letters", split))
    index = np.arange(count)
    labels = index % len(CHARACTERS)
    font = index // len(CHARACTERS) % len(fonts)
    maps = affine(
        height=draws.between(20 * 64, 26 * 64, count),
        stretch=draws.between(ONE * 84 // 100, ONE * 118 // 100, count),
        slant=draws.between(-ONE * 16 // 100, ONE * 16 // 100, count),
        turn=draws.between(-ONE * 14 // 100, ONE * 14 // 100, count),
    )
    shift = draws.between(-96, 96, count, 2)
    covered = np.empty((count, _SIZE, _SIZE), dtype=np.int64)
    for number, glyphs in enumerate(fonts):
        mine = np.flatnonzero(font == number)
        covered[mine] = sample(glyphs, labels[mine], maps[mine], shift[mine], _SIZE)
    blurred = blur(covered, draws.between(0, 24, count), edge="zero")
    bright = draws.between(205, 255, count)[:, None, None]
    grey = divide(blurred * bright, BLUR * COVERED)
    order = draws.order(count)
    return Split(np.ascontiguousarray(grey[order][:, None]), labels[order].astype(np.int64))
