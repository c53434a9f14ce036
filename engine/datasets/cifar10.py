"""CIFAR-10: small colour photographs of ten things, from its binary version."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.datasets import Data, Split, register
from engine.datasets._published import File, Published, damaged
from engine.errors import PlausiblyError, UsageError

ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
TRAINING = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST = "test_batch.bin"
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


@register
class Cifar10(Published):
    """60000 photographs in ten classes, 32x32 RGB; 45000 / 5000 / 10000.

    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009),
    https://www.cs.toronto.edu/~kriz/cifar.html, the binary version (no pickle), with the published
    SHA-256. A record is one byte of label and 3072 of pixels: red, green, blue plane, row by row.
    The last 5000 training images are the validation split. Two classes make a binary task:
    `cifar10:airplane,horse`.

    Attributes:
        valid_size: how many of the training images validate.
    """

    files: ClassVar[tuple[File, ...]] = (
        File(
            ARCHIVE,
            "https://www.cs.toronto.edu/~kriz/" + ARCHIVE,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            tuple(
                tuple(File(folder + name) for name in (*TRAINING, TEST))
                for folder in ("", f"{FOLDER}/")
            ),
        ),
    )

    valid_size: int = Field(5000, ge=1)

    def load(self) -> Data:
        """Return the dataset, from the archive or from what was unpacked from it.

        Raises:
            PlausiblyError: the archive is missing, truncated, or lacks a batch; a batch is no
                whole number of records, or has a label above 9.
            UsageError: fewer training images than `valid_size`.
        """
        paths = self.paths(self.files[0])
        if len(paths) == 1:
            content = _from_archive(paths[0])
        else:
            content = {path.name: path.read_bytes() for path in paths}
        batches = [_records(name, content[name]) for name in TRAINING]
        pixels = np.concatenate([p for p, _ in batches])
        labels = np.concatenate([y for _, y in batches])
        train = len(labels) - self.valid_size
        if train < 1:
            raise UsageError(
                f"cifar10: valid_size = {self.valid_size}, but there are {len(labels)} "
                "training images"
            )
        return Data(
            Split(pixels[:train], labels[:train]),
            Split(pixels[train:], labels[train:]),
            Split(*_records(TEST, content[TEST])),
            _CLASSES,
        )


def _from_archive(path: Path) -> dict[str, bytes]:
    """Return the batches in the archive by name."""
    content = {}
    with (
        damaged(path, "a gzipped tar", tarfile.TarError, EOFError, OSError, zlib.error),
        tarfile.open(path, "r:gz") as archive,
    ):
        for member in archive:
            name = member.name.rpartition("/")[2]
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None and name in (*TRAINING, TEST):
                content[name] = stream.read()
    missing = [name for name in (*TRAINING, TEST) if name not in content]
    if missing:
        raise PlausiblyError(
            f"{path} lacks {', '.join(missing)}; is it the binary version of CIFAR-10?"
        )
    return content


def _records(name: str, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if not content or len(content) % _RECORD:
        raise PlausiblyError(
            f"cifar10: {name} has {len(content)} bytes, not a whole number of records of {_RECORD}:"
            " truncated, or not the binary version"
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD)
    if records[:, 0].max() > 9:
        raise PlausiblyError(f"cifar10: {name} has label {records[:, 0].max()}; expected 0 to 9")
    return records[:, 1:].reshape(-1, *_SHAPE), records[:, 0].astype(np.int64)
