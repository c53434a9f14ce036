"""MNIST: handwritten digits, from its four IDX files."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from engine.datasets import Data, Split, register
from engine.datasets._idx import read
from engine.datasets._published import File, Published
from engine.errors import PlausiblyError, UsageError

_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"


def _idx(name: str, *, packed: str, unpacked: str) -> File:
    """Return a file with the SHA-256 of its gzip and of what is in it."""
    return File(f"{name}.gz", f"{_MIRROR}{name}.gz", packed, ((File(name, sha256=unpacked),),))


@register
class Mnist(Published):
    """70000 handwritten digits, 28x28 grey, light on dark; 55000 / 5000 / 10000.

    Source: Y. LeCun, C. Cortes and C. Burges, http://yann.lecun.com/exdb/mnist/ (which no longer
    serves the files; they come from PyTorch's mirror, with the published SHA-256). Files: IDX,
    gzipped or unpacked. Splits as in Ross & Doshi-Velez (2018): the first 5000 training images are
    the validation split, the other 55 000 train; the test file is the test split.

    Attributes:
        valid_size: how many of the training images validate.
    """

    files: ClassVar[tuple[File, ...]] = (
        _idx(
            "train-images-idx3-ubyte",
            packed="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            unpacked="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        _idx(
            "train-labels-idx1-ubyte",
            packed="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            unpacked="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        _idx(
            "t10k-images-idx3-ubyte",
            packed="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            unpacked="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        _idx(
            "t10k-labels-idx1-ubyte",
            packed="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            unpacked="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    )

    valid_size: int = Field(5000, ge=1)

    def load(self) -> Data:
        """Return the dataset.

        Raises:
            PlausiblyError: a file is missing, truncated, of another format, or does not fit the
                other.
            UsageError: fewer training images than `valid_size`.
        """
        rest, test = self._read("train"), self._read("t10k")
        if len(rest) <= self.valid_size:
            raise UsageError(
                f"mnist: valid_size = {self.valid_size}, but there are {len(rest)} training images"
            )
        valid = Split(rest.pixels[: self.valid_size], rest.labels[: self.valid_size])
        train = Split(rest.pixels[self.valid_size :], rest.labels[self.valid_size :])
        return Data(train, valid, test, tuple("0123456789"))

    def _read(self, part: str) -> Split:
        images, labels = (
            path
            for file in self.files
            if file.name.startswith(f"{part}-")
            for path in self.paths(file)
        )
        pixels, classes = read(images, 3), read(labels, 1)
        if pixels.shape[1:] != (28, 28) or len(pixels) != len(classes) or len(pixels) == 0:
            raise PlausiblyError(
                f"{images} has images {pixels.shape} for {len(classes)} labels in {labels.name}; "
                "expected (N, 28, 28) for N labels"
            )
        if classes.max() > 9:
            raise PlausiblyError(f"{labels} has label {classes.max()}; expected 0 to 9")
        return Split(pixels[:, None], classes.astype(np.int64))
