"""Datasets: fixed splits of images with labels and a checksum. One file per dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import SerializeAsAny

from engine.components import Registry
from engine.datasets._counts import class_counts, describe_counts, doubt_counts
from engine.datasets._dataset import SPLITS, Data, Dataset, Split, SplitName
from engine.datasets._publication import NOT_RECORDED, Publication, publication, without_files
from engine.datasets._published import (
    AS_PUBLISHED,
    MISSING,
    NOT_AS_PUBLISHED,
    UNKNOWN,
    Check,
    File,
    Progress,
    Published,
)
from engine.datasets._spread import spread
from engine.errors import UsageError

__all__ = [
    "AS_PUBLISHED",
    "MISSING",
    "NOT_AS_PUBLISHED",
    "NOT_RECORDED",
    "SPLITS",
    "UNKNOWN",
    "Check",
    "Data",
    "Dataset",
    "DatasetRegistry",
    "File",
    "Pair",
    "Progress",
    "Publication",
    "Published",
    "Split",
    "SplitName",
    "class_counts",
    "create",
    "describe_counts",
    "doubt_counts",
    "evenly",
    "publication",
    "register",
    "registry",
    "spread",
    "without_files",
]


class Pair(Dataset):
    """Two classes of another dataset as a binary task; written `cifar10:airplane,horse`.

    Attributes:
        base: the dataset.
        classes: names of the two classes; they become labels 0 and 1.
    """

    base: SerializeAsAny[Dataset]
    classes: tuple[str, str]

    @property
    def origin(self) -> Dataset:
        """The base."""
        return self.base

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
