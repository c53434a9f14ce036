"""notMNIST: letters A-J of many fonts, from its two tars of PNG files."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zipfile
import zlib
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.datasets import SPLITS, Data, Split, register
from engine.datasets._draws import Draws
from engine.datasets._images import UnreadableError, count, decode
from engine.datasets._published import File, Published, damaged
from engine.errors import PlausiblyError
from engine.seeds import derive

_CLASSES = "ABCDEFGHIJ"
_SHAPE = (28, 28)
_SITE = "http://yaroslavvb.com/upload/notMNIST/"
_LARGE, _SMALL = "notMNIST_large.tar.gz", "notMNIST_small.tar.gz"
_DECODER = 1


@register
class Notmnist(Published):
    """Letters A-J rendered from fonts found on the web, 28x28 grey; 200000 / 10000 / 10000.

    Source: Y. Bulatov, notMNIST (2011), http://yaroslavvb.com/upload/notMNIST/: tars with one
    folder of PNG files per class. No SHA-256 was published with certainty: the size is compared,
    and the hash at the first download is kept beside the file. Sizes and balance of the splits as
    in Ross & Doshi-Velez (2018): training and validation from the large tar, test from the small
    one. Within a class the files come in the order of their names' SHA-256; an image of exactly
    the pixels of one in a split before (test, validation, training) is left out, as are files that
    are damaged (a few are) or not 28x28. Both are counted in the notes.

    Decoding takes minutes, so its result is kept beside the tars, named by their content.

    Attributes:
        train_per_class, valid_per_class, test_per_class: images of each letter.
    """

    files: ClassVar[tuple[File, ...]] = (
        File(_LARGE, _SITE + _LARGE, size=247_336_696),
        File(_SMALL, _SITE + _SMALL, size=8_458_043),
    )

    train_per_class: int = Field(20_000, ge=1)
    valid_per_class: int = Field(1000, ge=1)
    test_per_class: int = Field(1000, ge=1)

    def load(self) -> Data:
        """Return the dataset.

        Raises:
            PlausiblyError: a tar is missing or truncated, or has too few good images of a letter.
        """
        large, small = self.path(_LARGE), self.path(_SMALL)
        kept = self.folder / f"decoded-{self._key(large, small)}.npz"
        data = _restore(kept)
        if data is None:
            data = self._decode(large, small)
            _keep(kept, data)
        return data

    def _key(self, *paths: Path) -> str:
        sizes = (self.train_per_class, self.valid_per_class, self.test_per_class)
        digest = hashlib.sha256(f"{_DECODER} {sizes}".encode())
        for path in paths:
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()[:16]

    def _decode(self, large: Path, small: Path) -> Data:
        taken: set[bytes] = set()
        notes: list[str] = []
        test = _take(small, [self.test_per_class], taken, notes)
        rest = _take(large, [self.valid_per_class, self.train_per_class], taken, notes)
        test_split, valid, train = (
            _split(part, images)
            for part, images in zip(("test", "valid", "train"), [*test, *rest], strict=True)
        )
        return Data(train, valid, test_split, tuple(_CLASSES), tuple(notes))


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
    path: Path, sizes: list[int], taken: set[bytes], notes: list[str]
) -> list[list[NDArray[np.uint8]]]:
    """Return for every size the images of each class; `taken` holds the splits before.

    Raises:
        PlausiblyError: too few good images.
    """
    splits: list[list[NDArray[np.uint8]]] = [[] for _ in sizes]
    unreadable = repeated = 0
    for letter, files in _members(path).items():
        waiting = iter(files)
        for split, size in zip(splits, sizes, strict=True):
            images: list[NDArray[np.uint8]] = []
            own: set[bytes] = set()
            for _, content in waiting:
                try:
                    image = decode(content)
                except UnreadableError:
                    unreadable += 1
                    continue
                if image.size != _SHAPE:
                    unreadable += 1
                    continue
                pixels = np.asarray(image.convert("L"))
                if pixels.tobytes() in taken:
                    repeated += 1
                    continue
                own.add(pixels.tobytes())
                images.append(pixels)
                if len(images) == size:
                    break
            if len(images) < size:
                raise PlausiblyError(
                    f"{path} has {len(images)} good images of {letter} left where {size} are "
                    f"wanted ({count(unreadable, 'file')} could not be read); is it truncated?"
                )
            taken |= own
            split.append(np.stack(images))
    if unreadable:
        notes.append(f"{path.name}: skipped {count(unreadable, 'file')} that cannot be read")
    if repeated:
        notes.append(f"{path.name}: skipped {count(repeated, 'image')} of another split")
    return splits


def _split(part: str, images: list[NDArray[np.uint8]]) -> Split:
    labels = np.repeat(np.arange(len(images), dtype=np.int64), len(images[0]))
    order = Draws(derive(0, "notmnist", part)).order(len(labels))
    return Split(np.concatenate(images)[order][:, None], labels[order])


def _restore(path: Path) -> Data | None:
    """Return what `_keep` wrote, or None where it is missing or damaged."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            splits = [Split(arrays[f"{part}_pixels"], arrays[f"{part}_labels"]) for part in SPLITS]
            notes = json.loads(str(arrays["notes"]))
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile):
        return None
    return Data(splits[0], splits[1], splits[2], tuple(_CLASSES), tuple(notes))


def _keep(path: Path, data: Data) -> None:
    """Write the decoded data; where that cannot be done, the next load decodes again."""
    draft = path.with_name(f".{path.stem}-{os.getpid()}.npz")
    arrays: dict[str, Any] = {"notes": np.array(json.dumps(data.notes))}
    for part in SPLITS:
        split = data.split(part)
        arrays |= {f"{part}_pixels": split.pixels, f"{part}_labels": split.labels}
    try:
        np.savez(draft, **arrays)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
