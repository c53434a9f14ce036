"""Artifacts as they were stored before, read and, to verify them, made again. All of it is here.

A kind's version stands in the recipe's `versions`. Of `examples`, `maps` and `curve` version 1 was
stored otherwise:

- examples: the source images, their labels and the model's answers to them lay in every artifact;
- maps: all in one compressed file, without scales, and its parents were called by the attack alone;
- maps, up to version 2: each of the true label alone, without a word on whether the method applies;
- curve: predictions lay beside the labels, under the model's label alone.

Before the versions in `_IN_THE_BALL` examples were rounded to 8 bits by going to the nearest level,
up to half a level out of the ball, and answers before rounding were stored by `examples` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine import rendering
from engine.artifacts import (
    Artifact,
    Recipe,
    Role,
    labels_of,
    write_arrays,
    write_blocks,
    write_json,
)
from engine.datasets import spread
from engine.jobs import _subset
from engine.jobs._kinds import Reader
from engine.jobs._maps import summarise
from engine.jobs.answers import Answers
from engine.jobs.source import Source
from engine.rendering import pixels_sha256
from engine.saliency import SaliencyMethod, Target

if TYPE_CHECKING:
    from engine.datasets import Split
    from engine.jobs.context import Job

Arrays = dict[str, NDArray[Any]]

_IN_THE_BALL = {"curve": 3, "examples": 3, "grid": 2, "selection": 2, "training_time": 2}
"""The version of each kind from which on 8-bit examples are kept in their ball."""


def is_old(recipe: Recipe) -> bool:
    """Say whether an artifact of examples, maps or curves has the layout of version 1."""
    return recipe.versions.get(recipe.kind, 1) == 1


def leaves_the_ball(recipe: Recipe) -> bool:
    """Say whether 8-bit examples go to the nearest level, and answers before are not stored."""
    return recipe.versions.get(recipe.kind, 1) < _IN_THE_BALL.get(recipe.kind, 1)


def examples(arrays: Arrays, split: Split, answers: tuple[Any, Any]) -> Arrays:
    """Return what version 1 stored of examples, in its order."""
    before_label, before_confidence = answers
    whole = {
        "clean": split.pixels,
        "pixels": arrays["pixels"],
        "true_label": split.labels,
        "target": arrays["target"],
        "before_label": before_label,
        "before_confidence": before_confidence,
    }
    return whole | {name: array for name, array in arrays.items() if name not in whole}


def split_examples(
    artifact: Artifact, arrays: Arrays, reader: Reader
) -> tuple[Source, Answers, Arrays]:
    """Return the images, the answers to them, and what is left of an artifact's arrays."""
    own = dict(arrays)
    clean, labels = own.pop("clean"), own.pop("true_label")

    def source() -> Source:
        return Source(clean, labels, tuple(pixels_sha256(image) for image in clean))

    before = Answers(own.pop("before_label"), own.pop("before_confidence"))
    # Every artifact on these data has the same images: one copy is kept of them.
    return reader.once(("source", artifact.recipe.data_sha256), source), before, own


def without_source(roles: Iterable[str], label: str | None = None) -> Role:
    """Return a role of examples, with `label` of this defense.

    It is asked of runs whose images and answers lie in their examples alone.
    """
    found = (Role.parse(role) for role in sorted(roles))
    return next(r for r in found if r.kind == "examples" and label in (None, r.label))


def explains_labels(recipe: Recipe) -> bool:
    """Say whether maps explain true labels, with nothing said of method and network."""
    return recipe.versions.get("maps", 1) < 3


def make_maps(job: Job, method: SaliencyMethod) -> None:
    """Make maps as versions 1 and 2 stored them."""
    from engine.jobs import examples

    source, network, old = job.source(), job.model(Role("model")), is_old(job.recipe)
    chosen = spread(source.labels, job.config.get("images"))
    split = _subset.some(source, chosen)
    found = {"clean": method.attribute(network, split.images, Target(split.labels)).maps}
    indices = {"clean": chosen}
    if old:
        attacked = {role: Role(role) for role in job.recipe.parents if role != "model"}
    else:
        known = labels_of("examples", job.recipe.parents)
        attacked = {label: Role("examples", label) for label in known}
    for attack, role in sorted(attacked.items()):
        made = job.parent(role).arrays(examples.FILE)
        both, rows, _ = np.intersect1d(examples.indices(made), chosen, return_indices=True)
        images, labels = rendering.to_images(made["pixels"][rows]), source.labels[both]
        found[attack] = method.attribute(network, images, Target(labels)).maps
        indices[attack] = both
    said = {"quantity": _quantity(method)}
    if old:
        write_arrays(job.draft / "maps.npz", found)
        write_json(job.draft / "result.json", {**said, "images": sorted(found)})
        return
    summaries, records = {}, {}
    for image, maps in found.items():
        records[image] = write_blocks(job.draft / f"{image}.npy", maps)
        for name, value in vars(summarise(maps)).items():
            if name != "negative":
                summaries[f"{name}/{image}"] = np.asarray(value)
        for name, array in _subset.stored(indices[image], len(source)).items():
            summaries[f"{name}/{image}"] = array
    write_arrays(job.draft / "summary.npz", summaries)
    write_json(job.draft / "result.json", {**said, "images": records})


def _quantity(method: SaliencyMethod) -> str:
    """Return what input gradients, the only maps then, were said to be."""
    if not method.explains_a_class:
        return method.quantity("")
    return (
        "gradient of the true label's log-probability log p(y): where it is positive, brightening "
        "the pixel speaks for the true label"
    )


def predictions(arrays: Arrays) -> Arrays:
    """Return the predictions of a curve by label."""
    return {name: array for name, array in arrays.items() if name != "labels"}
