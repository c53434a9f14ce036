"""Kind `grid`: one attack on one model with every class as the target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from engine import attacks
from engine.artifacts import Artifact, Role, write_arrays
from engine.components import Document
from engine.datasets import Split, evenly
from engine.jobs import _old_layouts
from engine.jobs._kinds import Reader
from engine.jobs._measuring import EXCESS, norms
from engine.jobs._requests import Asking, Label, Request, Section, SomeAttack

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 2
"""2: 8-bit pixels are kept in the attack's ball, and labels before rounding are stored."""
STAGE = "measure"
FILE = "grid.npz"


class GridSpec(Document):
    """A targeted attack with every class as the target, of some test images of every class.

    Attributes:
        title: its name for readers.
        attack: the component.
        per_class: how many images of each class, evenly spaced; all models see the same.
    """

    title: str
    attack: SomeAttack
    per_class: int = Field(5, ge=1)

    @field_validator("attack")
    @classmethod
    def _aims(cls, attack: attacks.Attack) -> attacks.Attack:
        if not attack.targeted or attack.control:
            raise ValueError(f"{attack.name} aims at no class; a grid needs a targeted attack")
        return attack


SECTION = Section("grids", dict[Label, GridSpec])


@dataclass(frozen=True)
class Grid:
    """What one attack made of some test images of one model, with every class as the target.

    Answers and norms are those of the 8-bit pixels on the original model. Where the target
    is the true class stands the clean image.

    Attributes:
        clean: uint8 (M, C, H, W), equally many of each class, in the order of classes.
        true_label: (M,).
        pixels: uint8 (M, K, C, H, W), by target.
        label, confidence: the model's answers, (M, K).
        linf, l2: norms of the change, in units of the pixel range; l0: number of changed pixels.
        unrounded_label: the answers before rounding, (M, K); None of runs from before these
            were stored.
        excess: (M, K), see `Examples.excess`.
    """

    clean: NDArray[np.uint8]
    true_label: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    label: NDArray[np.int64]
    confidence: NDArray[np.float32]
    linf: NDArray[np.float64]
    l2: NDArray[np.float64]
    l0: NDArray[np.int64]
    unrounded_label: NDArray[np.int64] | None = None
    excess: NDArray[np.float64] | None = None

    @property
    def hit(self) -> NDArray[np.bool_]:
        """(M, K) whether the answer is the target, and that is not the truth."""
        target = np.arange(self.label.shape[1])
        hit: NDArray[np.bool_] = (self.label == target) & (target != self.true_label[:, None])
        return hit


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for every grid of the model `label`."""
    for grid, spec in run.section(SECTION.name).items():
        yield Request(
            Role("grid", grid, label),
            f"grid {grid} of {label}",
            {"attack": spec.attack.config(), "split": "test", "per_class": spec.per_class},
            {Role("model"): Role("model", label)},
            spec.attack.versions(),
        )


def make(job: Job) -> None:
    """Aim at every class, from the same test images for every model; see `Grid`."""
    from engine.networks.inference import predict

    config, data = job.config, job.data()
    classes = len(data.class_names)
    split = _of_every_class(data.test, classes, config["per_class"])
    repeated = Split(
        np.repeat(split.pixels, classes, axis=0), np.repeat(split.labels, classes, axis=0)
    )
    target = np.tile(np.arange(classes), len(split))
    attack = attacks.registry.from_config(config["attack"])
    network = job.model(Role("model"))
    examples, _ = job.attack(attack, network, repeated, target=target, progress=job.progress)
    own = target == repeated.labels
    examples[own] = repeated.images[own]
    eight_bit = job.eight_bit(attack, network, repeated, examples)
    label, confidence = predict(network, eight_bit.images)
    arrays: dict[str, NDArray[Any]] = {
        "pixels": eight_bit.pixels,
        "label": label,
        "confidence": confidence,
    }
    arrays |= norms(eight_bit.pixels, repeated.pixels)
    if not _old_layouts.leaves_the_ball(job.recipe):
        arrays["unrounded_label"] = predict(network, examples)[0]
    if eight_bit.excess is not None:
        arrays[EXCESS] = eight_bit.excess
    by_target = {k: v.reshape(len(split), classes, *v.shape[1:]) for k, v in arrays.items()}
    write_arrays(job.draft / FILE, {"clean": split.pixels, "true_label": split.labels, **by_target})


def read(artifact: Artifact, reader: Reader) -> Grid:
    """Return the examples."""
    return Grid(**artifact.arrays(FILE))


def _of_every_class(split: Split, classes: int, per_class: int) -> Split:
    """Return equally many images of every class, evenly spaced, in the order of classes."""
    parts = []
    for label in range(classes):
        own = np.flatnonzero(split.labels == label)
        parts.append(evenly(Split(split.pixels[own], split.labels[own]), per_class))
    return Split(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
