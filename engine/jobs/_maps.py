"""Stored maps, read one by one; see `engine.jobs.maps`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine import saliency
from engine.artifacts import Artifact
from engine.jobs import _subset
from engine.rendering import scale_of

Values = NDArray[np.float32]
K = TypeVar("K")


@dataclass(frozen=True)
class Summary:
    """What is known of the N maps of one image kind, at the size of their images.

    Of their values summed over channels.

    Attributes:
        scale: (N,) for each map on its own, the |value| that full colour stands for.
        model_scale: the same for all of them together: see `summarise`.
        largest: (N,) the largest |value|.
        strength: (N,) the mean |value|, to order maps by.
        zero_share: (N,) the share of pixels that are exactly zero.
        blank: (N,) whether every value of every channel is zero.
        negative: (N,) whether some value is below zero and none above; None where maps are from
            before that was stored.
    """

    scale: NDArray[np.float64]
    model_scale: float
    largest: NDArray[np.float64]
    strength: NDArray[np.float64]
    zero_share: NDArray[np.float64]
    blank: NDArray[np.bool_]
    negative: NDArray[np.bool_] | None = None


def summarise(values: Values) -> Summary:
    """Return what is known of maps (N, C, H, W).

    `scale: model` of studies and of the gallery is `model_scale`: the 99th percentile of |value|
    over every pixel of all test images' maps that there are, by the same model and method, of the
    same image kind. One pixel in a hundred is then in full colour over all, which a median of the
    maps' own scales does not give.
    """
    drawn = values.sum(axis=1)
    size = np.abs(drawn).reshape(len(drawn), -1)
    blank = (values == 0).all(axis=(1, 2, 3))
    return Summary(
        scale=np.array([scale_of(each) for each in drawn], np.float64),
        model_scale=scale_of(drawn),
        largest=size.max(1).astype(np.float64),
        strength=size.mean(1, dtype=np.float64),
        zero_share=(size == 0).mean(1),
        blank=blank,
        negative=(drawn <= 0).all(axis=(1, 2)) & (size > 0).any(1),
    )


class Stored(Protocol):
    """The maps (N, C, h, w) of one image kind."""

    def __len__(self) -> int: ...

    def row(self, index: int) -> Values:
        """Return one map."""

    def all(self) -> Values:
        """Return every map."""


@dataclass(frozen=True)
class About:
    """What is said of all maps of an artifact.

    Attributes:
        quantity: what they are, with the reading of their sign.
        size: (H, W) of the images; None where maps are from before methods had a size of their
            own.
        upsampling: how maps get that size.
        explains: the scalar in words: "the logit of the true label".
        baseline: the name of the baseline, where the method uses one.
        fit: whether the method applies to the network.
    """

    quantity: str
    size: tuple[int, int] | None = None
    upsampling: saliency.Upsampling = "none"
    explains: str = "the true label"
    baseline: saliency.BaselineName | None = None
    fit: saliency.Fit = field(default_factory=saliency.Fit)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**vars(self), "size": self.size and list(self.size), "fit": self.fit.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> About:
        """Return what `to_json` gave."""
        size, fit = tuple(value["size"]), saliency.Fit.from_json(value["fit"])
        return cls(**{**value, "size": size, "fit": fit})


IMPORTED = "imported"
"""Code of the reason that maps were brought from a file, and what their method is called."""


class Maps:
    """Signed maps of one model by one method, by image kind: "clean" or the label of an attack.

    Where the method does not apply to the network (`about.fit` refuses), there are none.

    Args:
        artifact: where they are stored.
        about: what is said of all.
        stored: by image kind.
        summary: returns that of an image kind.
        facts: what is known of each map, by name and image kind: `class` and `against`, which were
            explained, -1 for nothing; `delta` and `steps` where the method has them.
        indices: which of the test images were explained, ascending, by image kind; those that are
            left out are of all.
    """

    def __init__(
        self,
        artifact: Artifact,
        about: About,
        stored: Mapping[str, Stored],
        summary: Callable[[str], Summary],
        facts: Mapping[tuple[str, str], NDArray[Any]] | None = None,
        indices: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> None:
        self.artifact = artifact
        self.about = about
        self._stored = stored
        self._summary = summary
        self._facts = facts or {}
        self._indices = indices or {}

    @property
    def quantity(self) -> str:
        """What they are, with the reading of their sign."""
        return self.about.quantity

    @property
    def fit(self) -> saliency.Fit:
        """Whether the method applies to the network; fits where that was not asked then."""
        return self.about.fit

    @property
    def imported(self) -> bool:
        """Whether they were brought from a file, so that nobody asked whether they fit."""
        return any(reason.code == IMPORTED for reason in self.fit.reasons)

    @property
    def images(self) -> tuple[str, ...]:
        """The image kinds that have maps, sorted."""
        return tuple(sorted(self._stored))

    def indices(self, image: str) -> NDArray[np.int64]:
        """Return which of the test images have maps (N,), ascending; none for unknown kinds."""
        if image in self._indices:
            return self._indices[image]
        return np.arange(len(self._stored[image]) if image in self._stored else 0)

    def row(self, image: str, index: int) -> int:
        """Return the place of test image `index` among the maps and summaries of a kind.

        Raises:
            UsageError: it was not explained.
        """
        name = self.artifact.recipe.config["saliency"]["name"]
        return _subset.row(self.indices(image), index, f"method {name!r}, of {image!r},")

    def map(self, image: str, index: int) -> Values:
        """Return the map (C, H, W) of test image `index`, at its size; one block is read."""
        one: Values = self._at_size(self.native(image, index)[None])[0]
        return one

    def native(self, image: str, index: int) -> Values:
        """Return the map (C, h, w) of test image `index` in the resolution of its method."""
        return self._stored[image].row(self.row(image, index))

    def all(self, image: str) -> Values:
        """Return the maps (N, C, H, W) of all explained pictures of a kind, at their size."""
        return self._at_size(self._stored[image].all())

    def summary(self, image: str) -> Summary:
        """Return scales, sizes and the like of a kind's maps (`row`); no map is read for it."""
        return self._summary(image)

    def facts(self, image: str) -> dict[str, NDArray[Any]]:
        """Return what is known of each map of a kind (N,), by name; see the class."""
        return {name: self._facts[name, kind] for name, kind in self._facts if kind == image}

    def marked(self, image: str) -> NDArray[np.bool_]:
        """Return which maps (N,) do not add up to what they explain, by more than `DELTA`."""
        delta = self.facts(image).get("delta")
        if delta is None:
            return np.zeros(len(self.indices(image)), bool)
        off: NDArray[np.bool_] = ~(delta <= saliency.DELTA)
        return off

    def _at_size(self, maps: Values) -> Values:
        size = self.about.size
        return maps if size is None else saliency.upsampled(maps, size, self.about.upsampling)


class Named(Mapping[K, NDArray[Any]]):
    """Stored arrays under other names; each is read when it is first asked for.

    Args:
        arrays: as they are stored.
        names: what each is stored as.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], names: Mapping[K, str]) -> None:
        self._arrays = arrays
        self._names = names

    def __getitem__(self, name: K) -> NDArray[Any]:
        """Return an array."""
        return self._arrays[self._names[name]]

    def __contains__(self, name: object) -> bool:
        """Say whether there is such an array, without reading it."""
        return name in self._names

    def __iter__(self) -> Iterator[K]:
        """Go through the names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._names)


class Whole:
    """Maps that were stored all in one, as they are in memory."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def row(self, index: int) -> Values:
        """Return one map."""
        one: Values = self._values[index]
        return one

    def all(self) -> Values:
        """Return every map."""
        return self._values

    @cached_property
    def summary(self) -> Summary:
        """Computed now, since nothing was stored of it."""
        return summarise(self._values)
