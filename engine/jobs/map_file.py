"""Kind `map_file`: maps of one's own, taken in from an NPZ file with their check.

The recipe holds the file's SHA-256 and not its path. Here are all arrays of the file, as float32 in
blocks; `imported_maps` are those of one model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from engine import datasets
from engine.artifacts import (
    Artifact,
    ArtifactStore,
    Blocks,
    Recipe,
    Role,
    write_arrays,
    write_blocks,
    write_json,
)
from engine.components import Document, meant
from engine.datasets import Data
from engine.errors import PlausiblyError, UsageError
from engine.jobs import _npz, _subset
from engine.jobs import maps as maps_kind
from engine.jobs._kinds import Reader
from engine.jobs._npz import Npz
from engine.jobs._requests import Asking, Label, Request, Section
from engine.jobs.examples import CLEAN
from engine.jobs.examples import SECTION as ATTACKS

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 1
STAGE = "explain"
RECORDS = "maps.json"
_INDICES = "indices.npz"
_SHA256 = r"^[0-9a-f]{64}$"
_SMALLEST = 2
_MOST_NAMED = 5
NOT_TOLD = "value that a file brought; what it is, and how its sign reads, was not told"


Adopt: TypeAlias = Callable[[Recipe, ArtifactStore], Artifact]
"""Stores what a recipe stands for, from a file that it knows."""


class MapFile(Document):
    """Maps of one's own, of the models of the experiment.

    Attributes:
        title: their name for readers; default: the label.
        file: path of the NPZ file, from the working directory.
        file_sha256: its SHA-256. Filled in; where it is given, the file must have it.
        quantity: what the maps are, and how their sign reads.
    """

    title: str = ""
    file: str
    file_sha256: str | None = Field(None, pattern=_SHA256, validate_default=True)
    quantity: str = Field(NOT_TOLD, min_length=1)

    @field_validator("file_sha256")
    @classmethod
    def _is_that_of_the_file(cls, given: str | None, info: ValidationInfo) -> str | None:
        path = info.data.get("file")
        if path is None:  # which has been complained of
            return given
        try:
            found = _npz.sha256_of(path)
        except UsageError as error:
            raise ValueError(str(error)) from None
        if given not in (None, found):
            raise ValueError(
                f"file {path!r} has SHA-256 {found}, file_sha256 is {given}; give the file that is "
                "meant, or leave file_sha256 out"
            )
        return found


def _from_path(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


def _titled(section: dict[str, MapFile]) -> dict[str, MapFile]:
    return {
        label: spec if spec.title else spec.model_copy(update={"title": label})
        for label, spec in section.items()
    }


SomeMaps = Annotated[MapFile, BeforeValidator(_from_path, json_schema_input_type=str | MapFile)]
SECTION = Section(
    "maps",
    Annotated[dict[Label, SomeMaps], AfterValidator(_titled)],
    titles_under=maps_kind.SECTION.name,
)


def problems(section: Mapping[str, MapFile], runs: Sequence[Asking]) -> Iterator[str]:
    """Yield what is wrong with the section, and with the names in the files."""
    for label, spec in section.items():
        place = f"{SECTION.name}.{label}"
        if label in runs[0].section(maps_kind.SECTION.name):
            yield f"{place}: {label!r} is also the label of a method in saliency; choose another"
        if len(runs) > 1:
            yield (
                f"{place}: a file has the maps of one dataset, and the experiment has {len(runs)}; "
                "make an experiment of its own for it"
            )
            continue
        try:
            with _npz.opened(spec.file, spec.file_sha256) as held:
                unknown = [name for name in held.names if not _is_known(name, runs[0])]
        except UsageError as error:
            yield f"{place}: {error}"
            continue
        if unknown:
            yield f"{place}: {_unknown(spec.file, unknown, runs[0])}"


def _is_known(name: str, run: Asking) -> bool:
    model, image, *rest = [*name.split("/"), ""]
    known = model in run.labels and image in _images(run)
    return known and rest in ([""], [_subset.INDICES, ""])


def _images(run: Asking) -> list[str]:
    return [CLEAN, *run.section(ATTACKS.name)]


def _unknown(path: str, unknown: Sequence[str], run: Asking) -> str:
    possible = [f"{model}/{image}" for model in run.labels for image in _images(run)]
    more = len(unknown) - _MOST_NAMED
    named = ", ".join(map(repr, unknown[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
    return (
        f"{path!r} has {named}{meant(unknown[0], possible)}; an array is called MODEL/IMAGE, of "
        f"the models {', '.join(run.labels)} and the images {', '.join(_images(run))}, and which "
        f"test images it has MODEL/IMAGE/{_subset.INDICES}"
    )


def image_notes(section: Mapping[str, MapFile], data: Data) -> Iterator[str]:
    """Look at shapes and types before anything is made; there is nothing to be said.

    Raises:
        UsageError: maps do not fit the dataset's test images.
    """
    for label, spec in section.items():
        with _npz.opened(spec.file) as held:
            for name in _of_maps(held):
                try:
                    _checked(held, name, data)
                except UsageError as error:
                    raise UsageError(f"{SECTION.name}.{label}: {error}") from None
    yield from ()


def adopted(run: Asking) -> Iterator[tuple[Request, Adopt]]:
    """Yield what is taken in before the tasks of a run begin, with what does it."""
    for label, spec in run.section(SECTION.name).items():
        role = Role("map_file", label)
        config = {"file_sha256": spec.file_sha256}
        yield Request(role, f"take in the maps {label}", config, seeded=False), partial(adopt, spec)


def adopt(spec: MapFile, recipe: Recipe, store: ArtifactStore) -> Artifact:
    """Store the arrays of a file as the artifact of `recipe`, or return it when it is there.

    Not in a worker: what workers get holds the file's hash and not where it lies.

    Raises:
        UsageError: it cannot be read, or an array does not fit or is not finite.
    """
    stored = store.find(recipe)
    if stored is not None:
        return stored
    data = datasets.registry.from_config(recipe.config["dataset"]).load()
    records: dict[str, Any] = {}
    indices: dict[str, NDArray[np.int64]] = {}
    with store.draft(recipe) as draft:
        with _npz.opened(spec.file, recipe.config["file_sha256"]) as held:
            for number, name in enumerate(_of_maps(held)):
                own = _checked(held, name, data)
                values = held.array(name).astype(np.float32)
                if not np.isfinite(values).all():
                    count = int((~np.isfinite(values)).sum())
                    raise UsageError(
                        f"{spec.file!r}: {name!r} has {count} values that are NaN or infinite in "
                        "float32; every value of a map must be a number"
                    )
                records[name] = write_blocks(draft / f"{number:04}.npy", values)
                if own is not None:
                    indices[name] = own
        write_arrays(draft / _INDICES, indices)
        write_json(draft / RECORDS, records)
    return store.get(recipe.kind, recipe.key)


def make(job: Job) -> None:
    """Cannot be done by a worker.

    Raises:
        PlausiblyError: always.
    """
    raise PlausiblyError(
        "maps of one's own come from their file, which only the experiment file names; run the "
        "experiment again"
    )


class Brought:
    """The arrays of a file, by MODEL/IMAGE.

    Args:
        artifact: where they are stored.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._records: dict[str, Any] = artifact.json(RECORDS)
        self._indices = artifact.arrays(_INDICES)

    def images(self, model: str) -> list[str]:
        """Return the image kinds of which it has maps of a model, sorted."""
        found = (name.split("/") for name in self._records)
        return sorted(image for of, image in found if of == model)

    def size(self, model: str, image: str) -> tuple[int, int]:
        """Return (h, w) of maps."""
        height, width = self._records[f"{model}/{image}"]["shape"][2:]
        return height, width

    def maps(self, model: str, image: str) -> NDArray[np.float32]:
        """Return maps (N, C or 1, h, w)."""
        return Blocks(self._artifact, self._records[f"{model}/{image}"]).all()

    def indices(self, model: str, image: str) -> NDArray[np.int64] | None:
        """Return which test images they are of, ascending; None for all."""
        return self._indices.get(f"{model}/{image}")


def read(artifact: Artifact, reader: Reader) -> Brought:
    """Return the arrays, none of which is read yet."""
    return Brought(artifact)


def _of_maps(held: Npz) -> list[str]:
    """Return the names of the arrays of maps, MODEL/IMAGE."""
    return [name for name in held.names if name.count("/") == 1]


def _checked(held: Npz, name: str, data: Data) -> NDArray[np.int64] | None:
    """Return which test images an array has maps of, None for all.

    Raises:
        UsageError: it does not fit the test images.
    """
    header, beside = held.header(name), f"{name}/{_subset.INDICES}"
    own = _indices(held, beside, len(data.test)) if beside in held.names else None
    channels, height, width = data.shape
    count = len(data.test) if own is None else len(own)
    wanted = (
        f"({count}, {channels} or 1, {_SMALLEST} to {height}, {_SMALLEST} to {width})"
        if channels > 1
        else f"({count}, 1, {_SMALLEST} to {height}, {_SMALLEST} to {width})"
    )
    if header.dtype.kind != "f":
        raise UsageError(
            f"{name!r} has the type {header.dtype}, maps are floats; store float32 or float64"
        )
    shape = header.shape
    fits = (
        len(shape) == 4
        and shape[0] == count
        and shape[1] in (1, channels)
        and all(
            _SMALLEST <= side <= most for side, most in zip(shape[2:], (height, width), strict=True)
        )
    )
    if not fits:
        of = "one per test image" if own is None else f"one per entry of {beside!r}"
        raise UsageError(f"{name!r} has the shape {shape}, it must be {wanted}: {of}")
    return own


def _indices(held: Npz, name: str, most: int) -> NDArray[np.int64]:
    """Return indices of test images (M,).

    Raises:
        UsageError: they are none.
    """
    header = held.header(name)
    if header.dtype.kind not in "iu" or len(header.shape) != 1 or not 0 < header.shape[0] <= most:
        raise UsageError(
            f"{name!r} has the shape {header.shape} and the type {header.dtype}, it must be of "
            f"integers, one dimension and 1 to {most} entries"
        )
    found = held.array(name).astype(np.int64)
    if found[0] < 0 or found[-1] >= most or (np.diff(found) <= 0).any():
        raise UsageError(
            f"{name!r} must be ascending, each test image once, from 0 to {most - 1}; it goes from "
            f"{found.min()} to {found.max()}"
        )
    return found
