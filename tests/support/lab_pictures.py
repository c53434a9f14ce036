"""Pictures as labs have them: 16 bit, transparent, turned by EXIF, with a palette, any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("bar", "cross", "disc", "ring")
BACKGROUND = 255


def drawn(name: str, rng: np.random.Generator) -> Image.Image:
    """A dark figure on white, grey, (H, W) of 28 to 48 pixels a side."""
    side = int(rng.integers(28, 49))
    image = Image.new("L", (side, side), BACKGROUND)
    draw = ImageDraw.Draw(image)
    ink, low = int(rng.integers(0, 90)), side * 0.2
    dx, dy = rng.uniform(-3, 3, size=2)
    box = [low + dx, low + dy, side - low + dx, side - low + dy]
    if name == "disc":
        draw.ellipse(box, fill=ink)
    elif name == "ring":
        draw.ellipse(box, outline=ink, width=3)
    elif name == "bar":
        draw.line([side / 2 + dx, box[1], side / 2 + dx, box[3]], fill=ink, width=6)
    else:
        draw.line(box, fill=ink, width=4)
        draw.line([box[0], box[3], box[2], box[1]], fill=ink, width=4)
    return image


def _sixteen_bit(image: Image.Image, path: Path) -> None:
    grey = np.asarray(image).astype(np.uint16) * 257
    Image.fromarray(grey).save(path.with_suffix(".png"))


def _transparent(image: Image.Image, path: Path) -> None:
    """Black everywhere, the figure in the alpha channel: dropped alpha leaves one colour."""
    alpha = Image.fromarray(255 - np.asarray(image))
    made = Image.new("RGBA", image.size, (0, 0, 0, 0))
    made.putalpha(alpha)
    made.save(path.with_suffix(".png"))


def _turned(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise when shown
    turned = image.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    turned.save(path.with_suffix(".jpg"), exif=exif, quality=95)


def _palette(image: Image.Image, path: Path) -> None:
    image.convert("P", palette=Image.Palette.ADAPTIVE).save(path.with_suffix(".gif"))


KINDS: tuple[Callable[[Image.Image, Path], None], ...] = (
    _sixteen_bit,
    _transparent,
    _turned,
    _palette,
)


def write(root: Path, per_class: int, seed: int = 0) -> dict[str, list[Image.Image]]:
    """Write `per_class` pictures of each class, every kind in turn, into a folder per class.

    Returns what they show, grey, by class.
    """
    rng = np.random.default_rng(seed)
    shown: dict[str, list[Image.Image]] = {name: [] for name in CLASSES}
    for name, images in shown.items():
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            images.append(drawn(name, rng))
            KINDS[number % len(KINDS)](images[-1], root / name / f"{number:03d}")
    return shown
