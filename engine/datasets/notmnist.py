"""notMNIST: letters A-J of many fonts, from its two tars of PNG files."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from engine.datasets import SPLITS, Data, Split, SplitName, register
from engine.datasets._decoded import Empty
from engine.datasets._draws import Draws
from engine.datasets._images import UnreadableError, count, decode
from engine.datasets._published import File, Published, damaged
from engine.errors import PlausiblyError
from engine.seeds import derive

_CLASSES = "ABCDEFGHIJ"
_SHAPE = (28, 28)
_SITE = "http://yaroslavvb.com/upload/notMNIST/"
_LARGE, _SMALL = "notMNIST_large.tar.gz", "notMNIST_small.tar.gz"
_DECODER = 2
_SMALL_SIZES = {"train_per_class": 800, "valid_per_class": 200, "test_per_class": 400}
"""What the small tar is enough for, also for I, whose images repeat each other most."""


@register
class Notmnist(Published):
    """Letters A-J rendered from fonts found on the web, 28x28 grey; 200000 / 10000 / 10000.

    Source: Y. Bulatov, notMNIST (2011), http://yaroslavvb.com/upload/notMNIST/: tars with one
    folder of PNG files per class. Their SHA-256 come from one public repository that keeps both
    with Git LFS, with the published sizes. Sizes and balance of the splits as in Ross & Doshi-Velez
    (2018): training and validation from the large tar, test from the small one. Within a class the
    files come in the order of their names' SHA-256; an image of exactly the pixels of one in a
    split before (test, validation, training) is left out, as are files that are damaged (a few
    are) or not 28x28. Both are counted in the notes.

    Decoding takes minutes, so its result is kept beside the tars, named by their content.

    Attributes:
        train_per_class, valid_per_class, test_per_class: images of each letter.
        large: read the large tar; without it all splits are from the small one, whose 1872 images
            of a letter are enough for 800 / 200 / 400, which are the sizes then.
    """

    files: ClassVar[tuple[File, ...]] = (
        File(
            _LARGE,
            _SITE + _LARGE,
            "1e8261b75484b520dc76027f5c22af50fe608e3bb16277caec086eb928f9b61c",
            without="large: false, which takes 8000 / 2000 / 4000 images from " + _SMALL,
        ),
        File(
            _SMALL,
            _SITE + _SMALL,
            "76b2ef7ccc56452964780569db37b279c9cbe1bf442c3b38be784752683b3cec",
        ),
    )

    train_per_class: int = Field(20_000, ge=1)
    valid_per_class: int = Field(1000, ge=1)
    test_per_class: int = Field(1000, ge=1)

    large: bool = True

    @model_validator(mode="before")
    @classmethod
    def _size_without_large(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("large") is False:
            return {**_SMALL_SIZES, **given}
        return given

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration as JSON.

        `large` came later and stands in it only where it is false: the keys of models that were
        trained before stay what they were.
        """
        config = super().config()
        return {name: value for name, value in config.items() if name != "large" or not value}

    def wanted(self) -> tuple[File, ...]:
        """Return the files that this configuration reads."""
        return self.files if self.large else self.files[1:]

    def load(self) -> Data:
        """Return the dataset.

        Raises:
            PlausiblyError: a tar is missing or truncated, or has too few good images of a letter.
        """
        return self.kept(_DECODER, self._decode)

    def _decode(self, empty: Empty) -> Data:
        sizes: dict[SplitName, int] = {
            "test": self.test_per_class,
            "valid": self.valid_per_class,
            "train": self.train_per_class,
        }
        (small,) = self.paths(self.files[1])
        notes: list[str] = []
        if self.large:
            (large,) = self.paths(self.files[0])
            taken: set[bytes] = set()
            found = _take(small, {"test": sizes.pop("test")}, taken, notes)
            found |= _take(large, sizes, taken, notes)
        else:
            found = _take(small, sizes, set(), notes)
            notes.append(
                f"all splits are from {small.name} (large: false): they are not those of Ross & "
                "Doshi-Velez (2018), and figures on them do not compare with theirs"
            )
        train, valid, test = (_split(part, found[part], empty) for part in SPLITS)
        return Data(train, valid, test, tuple(_CLASSES), tuple(notes))


def _members(path: Path) -> dict[str, list[tuple[bytes, bytes]]]:
    """Return (hash of the name, content) of the PNG files of each class, sorted."""
    found: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
    with (
        damaged(path, "a gzipped tar", tarfile.TarError, EOFError, OSError, zlib.error),
        tarfile.open(path, "r:gz") as archive,
    ):
        for member in archive:
            letter, _, name = member.name.rpartition("/")
            letter = letter.rpartition("/")[2]
            # Archives packed on a Mac hold its own files beside the images.
            if not (member.isfile() and letter in _CLASSES and letter and name[0] != "."):
                continue
            stream = archive.extractfile(member)
            if stream is not None and name.lower().endswith(".png"):
                key = hashlib.sha256(f"{letter}/{name}".encode()).digest()
                found[letter].append((key, stream.read()))
            # The archive remembers every member; half a million are too many.
            archive.members = []  # type: ignore[attr-defined]
    return {letter: sorted(found[letter]) for letter in _CLASSES}


def _take(
    path: Path, sizes: Mapping[SplitName, int], taken: set[bytes], notes: list[str]
) -> dict[SplitName, list[NDArray[np.uint8]]]:
    """Return for every split the images of each class; `taken` holds the splits before.

    Raises:
        PlausiblyError: too few good images; the message says what was left out.
    """
    splits: dict[SplitName, list[NDArray[np.uint8]]] = {part: [] for part in sizes}
    unreadable = repeated = 0
    for letter, files in _members(path).items():
        drawn = _Drawn(path, letter, files)
        for part, size in sizes.items():
            images = drawn.take(part, size, taken)
            # Within a split an image may repeat; in a later one it is left out.
            taken |= {image.tobytes() for image in images}
            splits[part].append(np.stack(images))
        unreadable += drawn.unreadable
        repeated += drawn.repeated
    if unreadable:
        notes.append(f"{path.name}: skipped {count(unreadable, 'file')} that cannot be read")
    if repeated:
        notes.append(f"{path.name}: skipped {count(repeated, 'image')} of another split")
    return splits


class _Drawn:
    """The images of one letter in a tar, drawn in their order, and what was left out so far.

    Args:
        path: of the tar.
        letter: the class.
        files: (hash of the name, content), sorted.
    """

    def __init__(self, path: Path, letter: str, files: Sequence[tuple[bytes, bytes]]) -> None:
        self.unreadable = self.repeated = 0
        self._path = path
        self._letter = letter
        self._files = len(files)
        self._waiting = iter(files)
        self._given: dict[SplitName, int] = {}

    def take(self, part: SplitName, size: int, taken: set[bytes]) -> list[NDArray[np.uint8]]:
        """Return the next images, none of which is `taken`.

        Raises:
            PlausiblyError: there are fewer.
        """
        images: list[NDArray[np.uint8]] = []
        while len(images) < size:
            _, content = next(self._waiting, (b"", None))
            if content is None:
                raise self._shortage(part, len(images), size)
            pixels = _pixels(content)
            if pixels is None:
                self.unreadable += 1
            elif pixels.tobytes() in taken:
                self.repeated += 1
            else:
                images.append(pixels)
        self._given[part] = size
        return images

    def _shortage(self, part: SplitName, found: int, size: int) -> PlausiblyError:
        gone = [f"{number} went to {other}" for other, number in self._given.items()]
        gone += [f"{self.unreadable} cannot be read"] if self.unreadable else []
        gone += [
            f"{self.repeated} {'repeats' if self.repeated == 1 else 'repeat'} an image of a "
            "different split"
        ] * bool(self.repeated)
        return PlausiblyError(
            f"{self._path} has {count(found, 'image')} of {self._letter} for {part} where {size} "
            f"are wanted: of its {count(self._files, 'file')} of {self._letter} "
            f"{', '.join(gone) or 'all are taken'}; give a smaller {part}_per_class"
        )


def _pixels(content: bytes) -> NDArray[np.uint8] | None:
    """Return the pixels (28, 28) of a file, or None where it cannot be read."""
    try:
        image = decode(content)
    except UnreadableError:
        return None
    return np.asarray(image.convert("L")) if image.size == _SHAPE else None


def _split(part: SplitName, images: list[NDArray[np.uint8]], empty: Empty) -> Split:
    labels = np.repeat(np.arange(len(images), dtype=np.int64), len(images[0]))
    order = Draws(derive(0, "notmnist", part)).order(len(labels))
    pixels = empty(part, (len(labels), 1, *_SHAPE))
    pixels[:, 0] = np.concatenate(images)[order]
    return Split(pixels, labels[order])
