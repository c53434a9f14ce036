"""Kind `imported_maps`: maps of one's own, of one model; they read as `engine.jobs.maps` do.

They stand in the role `maps:MODEL:LABEL`, so that whoever reads maps takes them, too. Whether they
fit the network is not examined, which their verdict says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Artifact, Role, labels_of
from engine.errors import UsageError
from engine.jobs import examples, map_file, maps
from engine.jobs._kinds import Reader
from engine.jobs._maps import IMPORTED, About, Maps
from engine.jobs._requests import Asking, Request
from engine.jobs.examples import CLEAN
from engine.jobs.map_file import Brought
from engine.saliency import Attribution, Fit, Reason, Upsampling

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 1
STAGE = "explain"
_FILE = Role("map_file")
_NOT_EXAMINED = Reason(
    IMPORTED,
    "brought from a file and not made here: whether they explain this network was not examined",
    refuses=False,
)
_OTHER_SEED = Reason(
    "other_seed",
    "the file has maps of the models of the experiment's own seed, and this model is of another",
)


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the maps of the model `label` from every file."""
    for method, spec in run.section(map_file.SECTION.name).items():
        attacked = {
            Role("examples", attack): Role("examples", label, attack)
            for attack in run.section(examples.SECTION.name)
        }
        config = {
            "saliency": {"name": IMPORTED, "file_sha256": spec.file_sha256},
            "split": "test",
            "label": method,
            "defense": label,
            "quantity": spec.quantity,
            "of_this_seed": not run.is_further_seed,
        }
        parents = {
            Role("model"): Role("model", label),
            Role("source"): Role("source"),
            _FILE: Role("map_file", method),
            **attacked,
        }
        role, task = Role("maps", label, method), f"take the maps {method} of {label}"
        yield Request(role, task, config, parents, gathers=tuple(attacked))


def make(job: Job) -> None:
    """Store the maps of the model, with the verdict that nothing was examined."""
    config, source = job.config, job.source()
    brought: Brought = Reader(job.store).read(job.parent(_FILE))
    asked = (CLEAN, *sorted(labels_of("examples", job.recipe.parents)))
    held = brought.images(config["defense"])
    there = [image for image in asked if image in held]
    size = (source.pixels.shape[2], source.pixels.shape[3])
    about = About(
        config["quantity"],
        size,
        explains="what was not told",
        fit=_fit(there, asked, of_this_seed=config["of_this_seed"]),
    )
    if about.fit.verdict == "refused":
        maps.write(job.draft, about, ())
        return
    indices: dict[str, NDArray[np.int64]] = {}
    # One rule for all: bilinear changes nothing where maps have the size of their images.
    small = any(brought.size(config["defense"], image) != size for image in there)
    rule: Upsampling = "bilinear" if small else "none"

    def taken() -> Iterator[tuple[str, Attribution, dict[str, NDArray[Any]]]]:
        for image in there:
            indices[image] = _indices(job, brought, image, len(source))
            values = brought.maps(config["defense"], image)
            nothing = np.full(len(values), -1)
            yield image, Attribution(values, rule), {"class": nothing, "against": nothing}

    maps.write(job.draft, about, taken(), indices, len(source))


def read(artifact: Artifact, reader: Reader) -> Maps:
    """Return the maps, none of which is read yet."""
    return maps.current(artifact)


def _fit(there: list[str], asked: tuple[str, ...], *, of_this_seed: bool) -> Fit:
    """Return what is to be said of them."""
    if not of_this_seed:
        return Fit((_NOT_EXAMINED, _OTHER_SEED))
    lacking = ", ".join(image for image in asked if image not in there)
    if not there:
        return Fit((_NOT_EXAMINED, Reason("not_brought", "the file has no maps of this model")))
    if not lacking:
        return Fit((_NOT_EXAMINED,))
    said = f"the file has no maps of: {lacking}"
    return Fit((_NOT_EXAMINED, Reason("not_brought", said, refuses=False)))


def _indices(job: Job, brought: Brought, image: str, images: int) -> NDArray[np.int64]:
    """Return which test images the maps are of.

    Raises:
        UsageError: some of them have no picture of this kind.
    """
    name = f"{job.config['defense']}/{image}"
    found = brought.indices(job.config["defense"], image)
    found = np.arange(images) if found is None else found
    if image == CLEAN:
        return found
    made = examples.indices(job.parent(Role("examples", image)).arrays(examples.FILE))
    extra = np.setdiff1d(found, made)
    if len(extra):
        raise UsageError(
            f"maps.{job.config['label']}: {name!r} has maps of {len(found)} test images, of which "
            f"{len(extra)} were not attacked, {extra[0]} for one; give those of the {len(made)} "
            f"attacked ones, and which they are in {name + '/indices'!r}"
        )
    return found
