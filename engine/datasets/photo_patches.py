"""Colour patches of two photographs: a real-image binary task that needs no download."""

from __future__ import annotations

import hashlib
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.datasets import Data, Dataset, Split, _scikit_learn, register
from engine.datasets._draws import Draws
from engine.errors import PlausiblyError
from engine.seeds import derive

_SIZE = 32
_STRIDE = 4
_DETAIL = 12
_BLOCK = (71, 80)
_SHAPE = (427, 640, 3)
_PHOTOGRAPHS = {
    "temple": ("china.jpg", "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29"),
    "flower": ("flower.jpg", "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638"),
}
_PARTS = ("train",) * 6 + ("valid", "test", "test")


@register
class PhotoPatches(Dataset):
    """Patches of a photograph of a temple and of one of a flower, 32x32 RGB; two classes, balanced.

    Source: the two photographs that scikit-learn carries (`load_sample_images`, 427x640 each;
    CC BY 2.0, china.jpg by danielbuechele, flower.jpg from vultilion's album on Flickr). Each is
    cut into 6 x 8 blocks of 71x80 pixels; a block belongs to one split, drawn at random (about
    6 : 1 : 2). Patches lie inside their block, every 4 pixels, so no pixel is in two splits; those
    without detail (sky, blur: a standard deviation below 12) and the surplus of the larger class
    are left out: 3222 / 628 / 542. Patches of one block overlap: they are not independent, and
    figures on them say little about photographs at large. Stands in for a pair of CIFAR-10's
    classes.

    The files' hashes are checked; their pixels come from Pillow's JPEG decoder, whose last bits
    could differ in a future version, which the checksum of the data would show.
    """

    expected_sha256: ClassVar[str | None] = (
        "23b1016d98616a83bae547a879e0a09046c2fac12c38579cb5950cd452fa256a"
    )

    def load(self) -> Data:
        """Return the dataset; needs no download.

        Raises:
            PlausiblyError: scikit-learn's photographs are missing or changed.
        """
        patches: dict[str, list[NDArray[np.uint8]]] = {"train": [], "valid": [], "test": []}
        labels: dict[str, list[int]] = {part: [] for part in patches}
        for label, (name, (file, sha256)) in enumerate(_PHOTOGRAPHS.items()):
            for part, found in _cut(name, _decode(file, sha256)).items():
                patches[part] += found
                labels[part] += [label] * len(found)
        splits = {part: _split(part, patches[part], labels[part]) for part in patches}
        return Data(splits["train"], splits["valid"], splits["test"], tuple(_PHOTOGRAPHS))


def _decode(file: str, sha256: str) -> NDArray[np.uint8]:
    from PIL import Image

    path = _scikit_learn.file(f"images/{file}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PlausiblyError(f"photograph {path} cannot be read: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise PlausiblyError(
            f"photograph {path} has SHA-256 {found}, expected {sha256}; install scikit-learn anew"
        )
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    if pixels.shape != _SHAPE:
        raise PlausiblyError(f"photograph {path} has shape {pixels.shape}, expected {_SHAPE}")
    return pixels


def _cut(name: str, photograph: NDArray[np.uint8]) -> dict[str, list[NDArray[np.uint8]]]:
    """Return the patches of each split, each pixel pattern once, all in the order of the rows."""
    corners = [
        (top, left)
        for top in range(0, photograph.shape[0] - _BLOCK[0] + 1, _BLOCK[0])
        for left in range(0, photograph.shape[1] - _BLOCK[1] + 1, _BLOCK[1])
    ]
    found: dict[str, list[NDArray[np.uint8]]] = {part: [] for part in _PARTS}
    seen: set[bytes] = set()
    for place, which in enumerate(Draws(derive(0, "photo_patches", name)).order(len(corners))):
        top, left = corners[which]
        for y in range(top, top + _BLOCK[0] - _SIZE + 1, _STRIDE):
            for x in range(left, left + _BLOCK[1] - _SIZE + 1, _STRIDE):
                patch = photograph[y : y + _SIZE, x : x + _SIZE]
                if _has_detail(patch) and patch.tobytes() not in seen:
                    seen.add(patch.tobytes())
                    found[_PARTS[place % len(_PARTS)]].append(patch.transpose(2, 0, 1))
    return found


def _has_detail(patch: NDArray[np.uint8]) -> bool:
    """Whether the standard deviation of the channels' mean reaches _DETAIL; in integers."""
    grey = patch.sum(axis=2, dtype=np.int64)
    variance_times_n2 = grey.size * int((grey**2).sum()) - int(grey.sum()) ** 2
    return bool(variance_times_n2 >= (3 * _DETAIL * grey.size) ** 2)


def _split(part: str, patches: list[NDArray[np.uint8]], labels: list[int]) -> Split:
    """Shuffle the patches and leave out the surplus of the larger class."""
    classes = np.array(labels, dtype=np.int64)
    order = Draws(derive(0, "photo_patches", part)).order(len(patches))
    size = int(np.bincount(classes).min())
    rank = np.empty(len(classes), dtype=np.int64)
    for label in range(len(_PHOTOGRAPHS)):
        mine = order[classes[order] == label]
        rank[mine] = np.arange(len(mine))
    kept = order[rank[order] < size]
    return Split(np.ascontiguousarray(np.stack(patches)[kept]), classes[kept])
