"""Kind `maps`: how one saliency method explains one model, on clean and on attacked test images.

The maps of each image kind ("clean", or an attack) are a file of blocks, so that one map is read
without the rest (`engine.artifacts.blocks`). Beside them lies what galleries and studies ask of
all: scales, largest values, strengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import WithJsonSchema

from engine import rendering, saliency
from engine.artifacts import (
    Artifact,
    Blocks,
    Role,
    labels_of,
    write_arrays,
    write_blocks,
    write_json,
)
from engine.components import Document, member
from engine.datasets import Data, spread
from engine.jobs import _old_layouts, _subset, examples
from engine.jobs._kinds import Reader
from engine.jobs._requests import Asking, Label, Request, Section
from engine.jobs.examples import CLEAN
from engine.rendering import scale_of

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 2
"""2: one file per image kind, read in blocks, with scales beside; roles name the parents."""
STAGE = "explain"
ABOUT = "result.json"
SUMMARY = "summary.npz"
OLD_FILE = "maps.npz"

Values = NDArray[np.float32]


class SaliencySpec(Document):
    """One saliency method, computed for every model on clean images and on its own examples.

    Attributes:
        title: its name for readers.
        method: the component.
        images: how many test images, spread over the classes; None means all. Of examples those
            of the images that were also attacked.
    """

    title: str
    method: Annotated[
        saliency.SaliencyMethod, member(saliency.registry), WithJsonSchema({"member": "saliency"})
    ]
    images: _subset.SomeImages = None


SECTION = Section("saliency", dict[Label, SaliencySpec])


@dataclass(frozen=True)
class Summary:
    """What is known of the N maps of one image kind, of their values summed over channels.

    Attributes:
        scale: (N,) for each map on its own, the |value| that full colour stands for.
        model_scale: the same for all of them together: see `summarise`.
        largest: (N,) the largest |value|.
        strength: (N,) the mean |value|, to order maps by.
        zero_share: (N,) the share of pixels that are exactly zero.
        blank: (N,) whether every value of every channel is zero.
    """

    scale: NDArray[np.float64]
    model_scale: float
    largest: NDArray[np.float64]
    strength: NDArray[np.float64]
    zero_share: NDArray[np.float64]
    blank: NDArray[np.bool_]


def summarise(values: Values) -> Summary:
    """Return what is known of maps (N, C, H, W).

    `scale: model` of studies and of the gallery is `model_scale`: the 99th percentile of |value|
    over every pixel of all test images' maps that there are, by the same model and method, of the
    same image kind. One pixel in a hundred is then in full colour over all, which a median of the
    maps' own scales does not give.
    """
    drawn = values.sum(axis=1)
    size = np.abs(drawn).reshape(len(drawn), -1)
    return Summary(
        scale=np.array([scale_of(each) for each in drawn], np.float64),
        model_scale=scale_of(drawn),
        largest=size.max(1).astype(np.float64),
        strength=size.mean(1, dtype=np.float64),
        zero_share=(size == 0).mean(1),
        blank=(values == 0).all(axis=(1, 2, 3)),
    )


class Stored(Protocol):
    """The maps (N, C, H, W) of one image kind."""

    def __len__(self) -> int: ...

    def row(self, index: int) -> Values:
        """Return one map."""

    def all(self) -> Values:
        """Return every map."""


class Maps:
    """Signed maps of one model by one method, by image kind: "clean" or the label of an attack.

    Args:
        artifact: where they are stored.
        quantity: what they are, with the reading of their sign.
        stored: by image kind.
        summary: returns that of an image kind.
        indices: which of the test images were explained, ascending, by image kind; those that are
            left out are of all.
    """

    def __init__(
        self,
        artifact: Artifact,
        quantity: str,
        stored: Mapping[str, Stored],
        summary: Callable[[str], Summary],
        indices: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> None:
        self.artifact = artifact
        self.quantity = quantity
        self._stored = stored
        self._summary = summary
        self._indices = indices or {}

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
        """Return the map (C, H, W) of test image `index`; only its block is read."""
        return self._stored[image].row(self.row(image, index))

    def all(self, image: str) -> Values:
        """Return the maps (N, C, H, W) of all explained pictures of a kind."""
        return self._stored[image].all()

    def summary(self, image: str) -> Summary:
        """Return scales, sizes and the like of a kind's maps (`row`); no map is read for it."""
        return self._summary(image)


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the maps of the model `label` by every method."""
    for method, spec in run.section(SECTION.name).items():
        attacked = {
            Role("examples", attack): Role("examples", label, attack)
            for attack in run.section(examples.SECTION.name)
        }
        yield Request(
            Role("maps", label, method),
            f"explain {label} by {method}",
            {"saliency": spec.method.config(), "split": "test", **_subset.said(spec.images)},
            {Role("model"): Role("model", label), Role("source"): Role("source"), **attacked},
            spec.method.versions(),
            gathers=tuple(attacked),
        )


def image_notes(section: Mapping[str, SaliencySpec], data: Data) -> Iterator[str]:
    """Yield what is to be said of the images that methods ask for."""
    yield from _subset.notes_by_label(SECTION.name, section, data)


def make(job: Job) -> None:
    """Explain the model on the clean test images and on the examples made for it."""
    source = job.source()
    chosen = spread(source.labels, job.config.get("images"))
    split = _subset.some(source, chosen)
    network = job.model(Role("model"))
    method = saliency.registry.from_config(job.config["saliency"])
    old = _old_layouts.is_old(job.recipe)
    if old:
        attacked = _old_layouts.explained(job.recipe)
    else:
        labels = labels_of("examples", job.recipe.parents)
        attacked = {label: Role("examples", label) for label in labels}

    indices = {CLEAN: chosen}

    def explained() -> Iterator[tuple[str, Values]]:
        yield CLEAN, method.attribute(network, split.images, split.labels)
        for done, (attack, role) in enumerate(sorted(attacked.items())):
            made = job.parent(role).arrays(examples.FILE)
            both, rows, _ = np.intersect1d(examples.indices(made), chosen, return_indices=True)
            indices[attack] = both
            images = rendering.to_images(made["pixels"][rows])
            yield attack, method.attribute(network, images, source.labels[both])
            job.progress({"step": done + 2, "steps": len(attacked) + 1})

    if old:
        found = dict(explained())
        write_arrays(job.draft / OLD_FILE, found)
        write_json(job.draft / ABOUT, {"quantity": method.quantity, "images": sorted(found)})
    else:
        write(job.draft, method.quantity, explained(), indices, len(source))


def write(
    folder: Path,
    quantity: str,
    maps: Iterable[tuple[str, Values]],
    indices: Mapping[str, NDArray[np.int64]] | None = None,
    of: int = 0,
) -> None:
    """Write the files of the artifact, one image kind after the other.

    Where maps are not those of all `of` test images, `indices` says by image kind which; an entry
    has to be there when its maps have been taken.
    """
    records: dict[str, Any] = {}
    summaries: dict[str, NDArray[Any]] = {}
    for image, values in maps:
        records[image] = write_blocks(folder / f"{image}.npy", values)
        for name, value in vars(summarise(values)).items():
            summaries[f"{name}/{image}"] = np.asarray(value)
        if indices is not None:
            for name, array in _subset.stored(indices[image], of).items():
                summaries[f"{name}/{image}"] = array
    write_arrays(folder / SUMMARY, summaries)
    write_json(folder / ABOUT, {"quantity": quantity, "images": records})


def read(artifact: Artifact, reader: Reader) -> Maps:
    """Return the maps, none of which is read yet."""
    about = artifact.json(ABOUT)
    if _old_layouts.is_old(artifact.recipe):
        whole = {k: _Whole(v) for k, v in artifact.arrays(OLD_FILE).items()}
        return Maps(artifact, about["quantity"], whole, lambda image: whole[image].summary)
    stored = {image: Blocks(artifact, record) for image, record in about["images"].items()}
    summaries = artifact.arrays(SUMMARY)

    def summary(image: str) -> Summary:
        own: dict[str, Any] = {
            field.name: summaries[f"{field.name}/{image}"] for field in fields(Summary)
        }
        return Summary(**{**own, "model_scale": float(own["model_scale"])})

    indices = {
        image: summaries[f"{_subset.INDICES}/{image}"]
        for image in stored
        if f"{_subset.INDICES}/{image}" in summaries
    }
    return Maps(artifact, about["quantity"], stored, summary, indices)


class _Whole:
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
