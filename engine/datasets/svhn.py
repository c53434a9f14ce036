"""SVHN: cropped digits of house numbers from street photographs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.datasets import Data, Split, register
from engine.datasets._matlab import read
from engine.datasets._published import File, Published
from engine.errors import PlausiblyError, UsageError

_SITE = "http://ufldl.stanford.edu/housenumbers/"
_TEN = 10


@register
class Svhn(Published):
    """Digits of house numbers, 32x32 RGB; 200000 / 6000 / 26032.

    Source: Y. Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning
    (2011), the cropped digits, http://ufldl.stanford.edu/housenumbers/, with the published
    SHA-256. Files: MATLAB v5, X uint8 (32, 32, 3, N), y (N, 1) with 10 for the digit 0. Splits as
    in Ross & Doshi-Velez (2018): the first 400 of each class of the train file and the first 200
    of each class of the extra file validate; of the rest, in the order of the files, the first
    200 000 train. Colour stays: what a paper does to its input (grey, contrast normalisation) is a
    layer of the model. The whole takes about 1.5 GB of memory as bytes.

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
        parts = [self._part("train", self.valid_per_class, self.train_size)]
        if self.extra:
            left = self.train_size - len(parts[0][0])
            parts.append(self._part("extra", self.valid_per_class_extra, left))
        train, valid = (
            Split(
                np.concatenate([part[which].pixels for part in parts]),
                np.concatenate([part[which].labels for part in parts]),
            )
            for which in (0, 1)
        )
        return Data(train, valid, self._read("test"), tuple("0123456789"))

    def _part(self, part: str, per_class: int, most: int) -> tuple[Split, Split]:
        """Return (what trains, at most `most`; what validates) of one file."""
        whole = self._read(part)
        chosen = np.zeros(len(whole), dtype=bool)
        for label in range(10):
            of_class = np.flatnonzero(whole.labels == label)
            if len(of_class) < per_class:
                raise UsageError(
                    f"svhn: the {part} file has {len(of_class)} images of digit {label}, fewer "
                    f"than the {per_class} that are to validate"
                )
            chosen[of_class[:per_class]] = True
        rest = np.flatnonzero(~chosen)[:most]
        return (
            Split(whole.pixels[rest], whole.labels[rest]),
            Split(whole.pixels[chosen], whole.labels[chosen]),
        )

    def _read(self, part: str) -> Split:
        path = self.path(f"{part}_32x32.mat")
        arrays = read(path)
        images, marks = arrays["X"], arrays["y"].reshape(-1)
        if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(marks)) or not len(marks):
            raise PlausiblyError(
                f"{path} has X {images.dtype} {images.shape} for {len(marks)} labels; "
                "expected uint8 (32, 32, 3, N)"
            )
        if not ((marks >= 1) & (marks <= _TEN)).all():
            raise PlausiblyError(
                f"{path} has labels from {marks.min()} to {marks.max()}; expected 1 to 10"
            )
        pixels: NDArray[np.uint8] = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
        return Split(pixels, (marks % _TEN).astype(np.int64))
