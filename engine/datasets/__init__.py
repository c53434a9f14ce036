"""Datasets: fixed splits of images with labels and a checksum. One file per dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import SerializeAsAny

from engine.components import Component, Registry
from engine.errors import UsageError
from engine.rendering import to_images

SplitName: TypeAlias = Literal["train", "valid", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class Split:
    """Images and labels of one split.

    Attributes:
        pixels: uint8 (N, C, H, W), exactly what a stimulus of the clean image shows.
        labels: int64 (N,).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

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

    @property
    def sha256(self) -> str:
        """Checksum over the pixels, labels, shapes and class names of all splits."""
        digest = hashlib.sha256(repr(self.class_names).encode())
        for split in map(self.split, SPLITS):
            for array in (split.pixels, split.labels):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


class Dataset(Component):
    """What can be loaded by name: see `Data`."""

    expected_sha256: ClassVar[str | None] = None
    """Checksum of a built-in dataset with its default parameters."""

    def load(self) -> Data:
        """Return the dataset.

        Raises:
            PlausiblyError: the data are not there or are damaged.
        """
        raise NotImplementedError


class Pair(Dataset):
    """Two classes of another dataset as a binary task; written `cifar10:airplane,horse`.

    Attributes:
        base: the dataset.
        classes: names of the two classes; they become labels 0 and 1.
    """

    base: SerializeAsAny[Dataset]
    classes: tuple[str, str]

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration: the base's, with the classes in the name."""
        base = self.base.config()
        return {**base, "name": f"{base['name']}:{','.join(self.classes)}"}

    def __repr__(self) -> str:
        """Return the call that rebuilds this component."""
        return repr(self.base).replace(repr(self.base.name), repr(self.config()["name"]), 1)

    __str__ = __repr__

    def load(self) -> Data:
        """Return the images of the two classes, in the base's order and splits.

        Raises:
            UsageError: the base has no such class.
            PlausiblyError: see the base's `load`.
        """
        data = self.base.load()
        for name in self.classes:
            if name not in data.class_names:
                known = ", ".join(data.class_names)
                raise UsageError(
                    f"dataset {self.base.name!r} has no class {name!r}; known: {known}"
                )
        first, second = (data.class_names.index(name) for name in self.classes)

        def split(whole: Split) -> Split:
            kept = np.isin(whole.labels, (first, second))
            return Split(whole.pixels[kept], (whole.labels[kept] == second).astype(np.int64))

        train, valid, test = (split(part) for part in (data.train, data.valid, data.test))
        return Data(train, valid, test, self.classes, data.notes)


class DatasetRegistry(Registry[Dataset]):
    """The datasets, and any two classes of one: `NAME:CLASS,CLASS`."""

    def create(self, name: str, /, **params: Any) -> Dataset:
        """Return the dataset `name`, or the pair that it names; see `Registry.create`."""
        base, colon, pair = name.partition(":")
        if not colon:
            return super().create(name, **params)
        classes = tuple(part.strip() for part in pair.split(","))
        if len(classes) != 2 or not all(classes) or classes[0] == classes[1]:
            raise UsageError(f"{name!r} must name two classes, as in 'digits:3,8'")
        return Pair(base=super().create(base, **params), classes=classes)


registry = DatasetRegistry("dataset", __name__)
register = registry.register


def create(name: str, **params: Any) -> Dataset:
    """Return the dataset `name` with `params`; see `DatasetRegistry.create`."""
    return registry.create(name, **params)


def evenly(split: Split, count: int | None) -> Split:
    """Return `count` images of a split, evenly spaced, or all of them when there are not more."""
    if count is None or count >= len(split):
        return split
    chosen = np.linspace(0, len(split) - 1, count).round().astype(np.int64)
    return Split(split.pixels[chosen], split.labels[chosen])
