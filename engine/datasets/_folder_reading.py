"""Reads the image files of a folder, and keeps account of what was left out and changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.datasets._folder_files import Classes, Layout, Part, require_few
from engine.datasets._folder_notes import Account
from engine.datasets._folder_pixels import (
    Colour,
    Picture,
    RangeNeededError,
    Reading,
    is_grey,
    read,
)
from engine.datasets._images import UnreadableError, count
from engine.errors import UsageError

_DARK = 64
"""Pixels below it: 16-bit images without a brighter one use less than a quarter of their range."""


@dataclass(frozen=True)
class Item:
    """An image.

    Attributes:
        key: SHA-256 (hex) of its shape and pixels.
        path: the file where it was found first.
        pixels: uint8 (C, H, W).
    """

    key: str
    path: Path
    pixels: NDArray[np.uint8]


Images: TypeAlias = dict[str, list[Item]]
"""By class, in the order of their keys."""


class Reader:
    """Reads images and accounts for them.

    Args:
        reading: how files become pixels.
        account: where it is noted what was left out and changed.
    """

    def __init__(self, reading: Reading, account: Account) -> None:
        self._reading = reading
        self._account = account
        self._deep: list[tuple[float, float]] = []
        self._brightest = 0
        self._lacking: dict[Path, tuple[float, float]] = {}

    def read(self, folder: Path, classes: Classes) -> Images:
        """Return the images of the classes that have folders in `folder`.

        Raises:
            UsageError: in one class more than one file in ten would be left out for a reason that
                has a remedy.
        """
        found = {}
        for name, paths in classes.items():
            images: dict[str, Item] = {}
            for path, picture in self._pictures(paths):
                pixels = picture.pixels
                key = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
                if key in images:
                    self._account.skip("repeated", path)
                else:
                    images[key] = Item(key, path, pixels)
            self._require_few(folder / name, len(paths))
            found[name] = sorted(images.values(), key=lambda item: item.key)
        return found

    def finish(self) -> None:
        """Note what only all images together say."""
        span = self._reading.range
        if span is not None and not self._deep:
            self._account.further.append(
                f"range {list(span)} was not used: no grey image has more than 8 bits"
            )
        if span is None and self._deep and self._brightest < _DARK:
            low, high = _extremes(self._deep)
            self._account.further.append(
                f"{count(len(self._deep), 'image')} of 16 bits, with values from {low:g} to "
                f"{high:g}, became dark, and most grey levels were lost; give range: "
                f"[{low:g}, {high:g}] to keep them"
            )

    def _pictures(self, paths: Iterable[Path]) -> Iterator[tuple[Path, Picture]]:
        for path in paths:
            try:
                picture = read(path.read_bytes(), self._reading)
            except RangeNeededError as error:
                self._lacking[path] = error.values
                self._account.skip("range", path)
                continue
            except UnreadableError as error:
                self._account.skip(error.fault, path)
                continue
            except OSError:
                self._account.skip("closed", path)
                continue
            for trait in picture.traits:
                self._account.mark(trait, path)
            if picture.values is not None:
                self._deep.append(picture.values)
                self._brightest = max(self._brightest, int(picture.pixels.max()))
            yield path, picture

    def _require_few(self, folder: Path, files: int) -> None:
        lacking = self._account.within("range", folder)
        if lacking:
            low, high = _extremes(self._lacking[path] for path in lacking)
            require_few(
                lacking,
                files,
                f"have 32-bit values, here from {low:g} to {high:g}, of which none is black or "
                "white by itself; give range: [low, high], the values that become black and white",
                self._account,
            )


def are_grey(layout: Layout, background: Colour) -> bool:
    """Say whether all images are grey, by their headers alone."""
    from PIL import Image

    for path in (path for classes in layout.files.values() for p in classes.values() for path in p):
        try:
            with Image.open(path) as image:
                if not is_grey(image, background):
                    return False
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue
    return True


def require_one_size(root: Path, found: Mapping[Part, Images]) -> None:
    """Refuse images of several sizes."""
    sizes = sorted({item.pixels.shape[1:] for item in _items(found)})
    if len(sizes) > 1:
        shown = ", ".join(f"{height}x{width}" for height, width in sizes[:4])
        raise UsageError(
            f"folder: {root} has images of {len(sizes)} sizes ({shown}"
            f"{', …' if len(sizes) > 4 else ''}); give size: [height, width] to scale them"
        )


def require_apart(root: Path, found: Mapping[Part, Images]) -> None:
    """Refuse one image in two classes or splits."""
    places: dict[str, Path] = {}
    for item in _items(found):
        before = places.setdefault(item.key, item.path)
        if before == item.path:
            continue
        both = f"{before.relative_to(root)} and {item.path.relative_to(root)}"
        colour = item.pixels[:, 0, 0]
        if (item.pixels == colour[:, None, None]).all():
            raise UsageError(
                f"folder: {both} have the same colour all over, {colour.tolist()}, once they are "
                "read as 8 bits: no image tells their classes or splits apart; look at both files, "
                "and at range where they are deeper than 8 bits"
            )
        raise UsageError(
            f"folder: the same image is in two classes or splits, as {both}; keep it in one"
        )


def _items(found: Mapping[Part, Images]) -> Iterator[Item]:
    return (item for images in found.values() for items in images.values() for item in items)


def _extremes(values: Iterable[tuple[float, float]]) -> tuple[float, float]:
    lows, highs = zip(*values, strict=True)
    return min(lows), max(highs)
