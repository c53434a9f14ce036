"""The setting `images`: which test images an artifact is made of, where these are not all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.datasets import Data, Split, SplitName
from engine.errors import UsageError

SomeImages: TypeAlias = Annotated[int | None, Field(ge=1)]
"""How many images, spread over the classes; None means all. See `engine.datasets.spread`."""


class _HasImages(Protocol):
    """A labelled part of the file that has the setting."""

    @property
    def images(self) -> int | None: ...


INDICES = "indices"
"""Name of the array that has them (M,), ascending; it is left out where they are all."""


def said(images: int | None) -> dict[str, int]:
    """Return the part of a configuration that says how many images; none where it is all."""
    return {} if images is None else {"images": images}


def notes(
    place: str, images: int | None, data: Data, splits: tuple[SplitName, ...] = ("test",)
) -> Iterator[str]:
    """Yield a sentence where fewer images are there than are asked for.

    Args:
        place: of the setting in the experiment file.
        images: what it says.
        data: the dataset.
        splits: those that it chooses from.

    Raises:
        UsageError: it asks for fewer than there are classes.
    """
    if images is None:
        return
    for split in splits:
        labels = data.split(split).labels
        classes = len(np.unique(labels))
        if images < classes:
            raise UsageError(
                f"{place}: {images} images are too few for one of each of the {classes} classes; "
                f"give at least {classes}"
            )
        if images > len(labels):
            yield f"{place}: {images} {split} images are asked for; all {len(labels)} are taken"


def notes_by_label(place: str, section: Mapping[str, _HasImages], data: Data) -> Iterator[str]:
    """Yield what `notes` does of every label of a section of the file, called `place`."""
    for label, spec in section.items():
        yield from notes(f"{place}.{label}", spec.images, data)


def some(split: Split, indices: NDArray[np.int64]) -> Split:
    """Return the images at `indices` (M,)."""
    return Split(split.pixels[indices], split.labels[indices])


def stored(indices: NDArray[np.int64], of: int) -> dict[str, NDArray[np.int64]]:
    """Return what is stored of `indices`: nothing where they are all `of` the images."""
    return {} if len(indices) == of else {INDICES: indices}


def row(indices: NDArray[np.int64], index: int, what: str) -> int:
    """Return the place of a test image in arrays that are made of those at `indices` (M,).

    Args:
        indices: ascending.
        index: of the test image.
        what: what was made, for the message.

    Raises:
        UsageError: it is not among them.
    """
    found = int(np.searchsorted(indices, index))
    if found == len(indices) or indices[found] != index:
        raise UsageError(
            f"{what} has no test image {index}: it was made of {len(indices)} of them; raise "
            "`images` in the experiment file, or leave it out"
        )
    return found
