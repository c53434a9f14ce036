"""Kind `answers`: what a model says of the clean test images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Artifact, Role, write_arrays
from engine.jobs._kinds import Reader
from engine.jobs._requests import Asking, Request

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 1
STAGE = "attack"
FILE = "answers.npz"


@dataclass(frozen=True)
class Answers:
    """A model's answers to the clean test images, each (N,).

    Attributes:
        label: the predicted class.
        confidence: its probability, float32.
    """

    label: NDArray[np.int64]
    confidence: NDArray[np.float32]


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the answers of the model `label`."""
    parents = {Role("model"): Role("model", label), Role("source"): Role("source")}
    yield Request(Role("answers", label), f"ask {label}", {"split": "test"}, parents)


def make(job: Job) -> None:
    """Ask the model about every test image."""
    from engine.networks.inference import predict

    label, confidence = predict(job.model(Role("model")), job.source().images)
    write_arrays(job.draft / FILE, {"label": label, "confidence": confidence})


def read(artifact: Artifact, reader: Reader) -> Answers:
    """Return the answers."""
    return Answers(**artifact.arrays(FILE))
