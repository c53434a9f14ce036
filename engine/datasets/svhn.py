"""SVHN: cropped digits of house numbers from street photographs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.datasets import SPLITS, Data, Split, SplitName, _matlab, register
from engine.datasets._decoded import Empty
from engine.datasets._published import File, Published
from engine.errors import PlausiblyError, UsageError

_SITE = "http://ufldl.stanford.edu/housenumbers/"
_TEN = 10
_SHAPE = (3, 32, 32)
_DECODER = 1


@register
class Svhn(Published):
    """Digits of house numbers, 32x32 RGB; 200000 / 6000 / 26032.

    Source: Y. Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning
    (2011), the cropped digits, http://ufldl.stanford.edu/housenumbers/, with the published
    SHA-256. Files: MATLAB v5, X uint8 (32, 32, 3, N), y (N, 1) with 10 for the digit 0. Splits as
    in Ross & Doshi-Velez (2018): the first 400 of each class of the train file and the first 200
    of each class of the extra file validate; of the rest, in the order of the files, the first
    200 000 train. Colour stays: what a paper does to its input (grey, contrast normalisation) is a
    layer of the model.

    Decoding takes half a minute, so its result (712 MB) is kept beside the files, or in the user's
    cache where these cannot be written to, and all processes map it.

    Attributes:
        extra: read the extra file too (531 131 images, 1.3 GB).
        train_size: at most so many images train.
        valid_per_class: images per class of the train file that validate.
        valid_per_class_extra: and of the extra file.
    """

    files: ClassVar[tuple[File, ...]] = (
        File(
            "train_32x32.mat",
            _SITE + "train_32x32.mat",
            "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        ),
        File(
            "test_32x32.mat",
            _SITE + "test_32x32.mat",
            "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        ),
        File(
            "extra_32x32.mat",
            _SITE + "extra_32x32.mat",
            "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3",
            without="extra: false, which leaves 69257 images to train",
        ),
    )

    extra: bool = True
    train_size: int = Field(200_000, ge=1)
    valid_per_class: int = Field(400, ge=1)
    valid_per_class_extra: int = Field(200, ge=0)

    def wanted(self) -> tuple[File, ...]:
        """Return the files that this configuration reads."""
        return self.files if self.extra else self.files[:2]

    def load(self) -> Data:
        """Return the dataset.

        Raises:
            PlausiblyError: a file is missing, truncated, of another format or shape, or has labels
                other than 1 to 10.
            UsageError: a class has too few images for the validation split.
        """
        return self.kept(_DECODER, self._decode)

    def _decode(self, empty: Empty) -> Data:
        parts = [self._part("train", self.valid_per_class, self.train_size)]
        if self.extra:
            left = self.train_size - len(parts[0].train)
            parts.append(self._part("extra", self.valid_per_class_extra, left))
        test = _Part(self._path("test"))
        splits: dict[SplitName, list[tuple[_Part, NDArray[np.int64]]]] = {
            "train": [(part, part.train) for part in parts],
            "valid": [(part, part.valid) for part in parts],
            "test": [(test, np.arange(len(test.labels)))],
        }
        pixels = {
            name: empty(name, (sum(len(rows) for _, rows in taken), *_SHAPE))
            for name, taken in splits.items()
        }
        begun = dict.fromkeys(splits, 0)
        for part in (*parts, test):
            wanted = {
                name: rows for name, taken in splits.items() for own, rows in taken if own is part
            }
            into = {name: pixels[name][begun[name] :][: len(rows)] for name, rows in wanted.items()}
            part.read(wanted, into)
            for name, rows in wanted.items():
                begun[name] += len(rows)
        train, valid, tested = (
            Split(
                pixels[name],
                np.concatenate([part.labels[rows] for part, rows in splits[name]]),
            )
            for name in SPLITS
        )
        return Data(train, valid, tested, tuple("0123456789"))

    def _part(self, part: str, per_class: int, most: int) -> _Part:
        """Return one file: `per_class` images of each class validate, at most `most` train."""
        found = _Part(self._path(part))
        chosen = np.zeros(len(found.labels), dtype=bool)
        for label in range(10):
            of_class = np.flatnonzero(found.labels == label)
            if len(of_class) < per_class:
                raise UsageError(
                    f"svhn: the {part} file has {len(of_class)} images of digit {label}, fewer "
                    f"than the {per_class} that are to validate"
                )
            chosen[of_class[:per_class]] = True
        found.train, found.valid = np.flatnonzero(~chosen)[:most], np.flatnonzero(chosen)
        return found

    def _path(self, part: str) -> Path:
        (file,) = (file for file in self.files if file.name.startswith(f"{part}_"))
        (path,) = self.paths(file)
        return path


class _Part:
    """One of the files.

    Attributes:
        labels: int64 (N,), the digits.
        train, valid: places of the images that train and that validate, ascending.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        marks = _matlab.labels(path)
        if len(marks) and not ((marks >= 1) & (marks <= _TEN)).all():
            raise PlausiblyError(
                f"{path} has labels from {marks.min()} to {marks.max()}; expected 1 to 10"
            )
        self.labels: NDArray[np.int64] = (marks % _TEN).astype(np.int64)
        self.train: NDArray[np.int64] = np.arange(0)
        self.valid: NDArray[np.int64] = np.arange(0)

    def read(
        self,
        wanted: Mapping[SplitName, NDArray[np.int64]],
        into: Mapping[SplitName, NDArray[np.uint8]],
    ) -> None:
        """Write the images at the places that are wanted, which ascend, into arrays."""
        start = 0
        for images in _matlab.slices(self._path, len(self.labels)):
            stop = start + len(images)
            for name, rows in wanted.items():
                first, last = np.searchsorted(rows, (start, stop))
                into[name][first:last] = images[rows[first:last] - start]
            start = stop
