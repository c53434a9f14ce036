"""Kind `minimum_norm`: the smallest disturbance that makes one model err, image by image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from engine import attacks
from engine.artifacts import Artifact, Role, write_arrays
from engine.components import Document
from engine.datasets import evenly
from engine.jobs._kinds import Reader
from engine.jobs._requests import Asking, Label, Request, Section, SomeAttack, SomeSplit

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 1
STAGE = "measure"
FILE = "minimum_norm.npz"
_ORDERS = {"linf": np.inf, "l2": 2}


class MinimumNormSpec(Document):
    """The smallest disturbance that makes a model err, image by image.

    Attributes:
        title: its name for readers.
        attack: `minimum_norm` with its parameters.
        split: whose images.
        images: how many of them, evenly spaced; None means all.
    """

    title: str
    attack: SomeAttack
    split: SomeSplit = "test"
    images: int | None = Field(None, ge=1)

    @field_validator("attack")
    @classmethod
    def _smallest(cls, attack: attacks.Attack) -> attacks.Attack:
        if attack.name != "minimum_norm":
            raise ValueError(f"{attack.name} looks for no smallest disturbance; take minimum_norm")
        return attack


SECTION = Section("minimum_norms", dict[Label, MinimumNormSpec])


@dataclass(frozen=True)
class MinimumNorm:
    """The smallest disturbance found that makes one model err, image by image.

    Attributes:
        norm_name: "linf" or "l2".
        split: whose images.
        labels: true labels (N,).
        norm: before rounding, in units of the pixel range; 0 where the model errs undisturbed, inf
            where nothing was found.
        rounded_away: (N,) whether rounding to 8 bits undoes it.
    """

    norm_name: str
    split: str
    labels: NDArray[np.int64]
    norm: NDArray[np.float64]
    rounded_away: NDArray[np.bool_]


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for every smallest norm of the model `label`."""
    for smallest, spec in run.section(SECTION.name).items():
        yield Request(
            Role("minimum_norm", smallest, label),
            f"minimum norm {smallest} of {label}",
            {"attack": spec.attack.config(), "split": spec.split, "images": spec.images},
            {Role("model"): Role("model", label)},
            spec.attack.versions(),
        )


def make(job: Job) -> None:
    """Look for the smallest disturbances; see `MinimumNorm` for what is stored."""
    from engine.networks.inference import predict

    config = job.config
    split = evenly(job.split(), config["images"])
    attack = attacks.registry.from_config(config["attack"])
    network = job.model(Role("model"))
    examples, _ = job.attack(attack, network, split, progress=job.progress)
    wrong = predict(network, examples)[0] != split.labels
    change = (examples.astype(np.float64) - split.images).reshape(len(split), -1)
    size = np.linalg.norm(change, ord=_ORDERS[config["attack"]["norm"]], axis=1)
    rounded = job.eight_bit(attack, network, split, examples).images
    right_again = predict(network, rounded)[0] == split.labels
    arrays = {
        "labels": split.labels,
        "norm": np.where(wrong, size, np.inf),
        "rounded_away": wrong & right_again,
    }
    write_arrays(job.draft / FILE, arrays)


def read(artifact: Artifact, reader: Reader) -> MinimumNorm:
    """Return the norms."""
    config = artifact.recipe.config
    return MinimumNorm(config["attack"]["norm"], config["split"], **artifact.arrays(FILE))
