"""What a dataset is: three splits of images with labels, and a checksum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.components import Component
from engine.rendering import to_images

SplitName: TypeAlias = Literal["train", "valid", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class Split:
    """Images and labels of one split.

    Arrays of another memory layout are copied into C order: a network is then given what PyTorch
    calls contiguous, whose `view` works, and equal pixels train to equal bits.

    Attributes:
        pixels: uint8 (N, C, H, W), C-contiguous, exactly what a stimulus of the clean image shows.
        labels: int64 (N,), C-contiguous.

    Raises:
        TypeError: pixels or labels of another type.
        ValueError: of another shape, or not as many labels as images.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name, dtype, axes in (("pixels", np.uint8, 4), ("labels", np.int64, 1)):
            array = getattr(self, name)
            if array.dtype != dtype:
                raise TypeError(f"{name} of a split must be {dtype.__name__}, not {array.dtype}")
            if array.ndim != axes:
                raise ValueError(f"{name} of a split must have {axes} axes, not {array.shape}")
            object.__setattr__(self, name, np.ascontiguousarray(array))
        if len(self.pixels) != len(self.labels):
            raise ValueError(f"{len(self.pixels)} images have {len(self.labels)} labels")

    @property
    def images(self) -> NDArray[np.float32]:
        """Pixels in [0, 1] as float32 (N, C, H, W): what models and attacks take."""
        return to_images(self.pixels)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """A loaded dataset.

    Attributes:
        train, valid, test: its splits; they share no image.
        class_names: the label in words, by class index.
        notes: what was left out, in words; no part of the checksum.
    """

    train: Split
    valid: Split
    test: Split
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image: channels, height, width."""
        channels, height, width = self.train.pixels.shape[1:]
        return channels, height, width

    def split(self, name: SplitName) -> Split:
        """Return the split of this name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}[name]

    @cached_property
    def sha256(self) -> str:
        """Checksum over the pixels, labels, shapes and class names of all splits; computed once."""
        digest = hashlib.sha256(repr(self.class_names).encode())
        for split in map(self.split, SPLITS):
            for array in (split.pixels, split.labels):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(array.data)
        return digest.hexdigest()


class Dataset(Component):
    """What can be loaded by name: see `Data`."""

    expected_sha256: ClassVar[str | None] = None
    """Checksum of a built-in dataset with its default parameters."""

    @property
    def origin(self) -> Dataset:
        """The dataset that is read: itself, or the one whose classes it chooses."""
        return self

    def load(self) -> Data:
        """Return the dataset.

        Raises:
            PlausiblyError: the data are not there or are damaged.
        """
        raise NotImplementedError
