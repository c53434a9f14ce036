"""Kind `ladder`: one model on a ladder of attacks, and the others on its FGSM examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from engine import attacks
from engine.artifacts import Artifact, Role, write_arrays
from engine.components import Document, versions_of
from engine.datasets import evenly
from engine.jobs._kinds import Reader
from engine.jobs._requests import Asking, Request, Section, answering
from engine.robustness.doubt import Ladder

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 1
STAGE = "measure"
FILE = "ladder.npz"
_TRANSFERRED = "transferred_"


class LadderSpec(Document):
    """The ladder of attacks that every model's robustness is doubted by; see `engine.robustness`.

    Attributes:
        eps: L-inf, in pixels, ascending; the last should be 1, where every image is in reach.
        images: how many test images, evenly spaced.
        steps: PGD's.
        restarts: how often PGD starts, on each loss; once on scaled logits.
    """

    eps: list[Annotated[attacks.PixelEps, Field(gt=0)]] = Field([0.03, 0.1, 0.3, 1.0], min_length=1)
    images: int = Field(200, ge=1)
    steps: int = Field(20, ge=1)
    restarts: int = Field(3, ge=1)

    @field_validator("eps")
    @classmethod
    def _ascending(cls, eps: list[float]) -> list[float]:
        if eps != sorted(set(eps)):
            raise ValueError(f"must ascend, each once, not {eps}")
        return eps


SECTION = Section("doubt", LadderSpec | None, LadderSpec(), labelled=False)


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the ladder of the model `label`, unless the file doubts nothing."""
    spec = run.section(SECTION.name)
    if spec is not None:
        others = {Role("model", each): answering(each) for each in run.labels if each != label}
        yield Request(
            Role("ladder", label),
            f"doubt {label}",
            spec.model_dump(mode="json"),
            {Role("source"): Role("model", label), **others},
            versions_of(attacks.registry.get("fgsm"), attacks.registry.get("pgd")),
            gathers=tuple(others),
        )


def make(job: Job) -> None:
    """Put one model to the ladder; test the others on its FGSM examples."""
    from engine.robustness.climbing import climb

    config = job.config
    arrays = climb(
        job.model(Role("source")),
        evenly(job.data().test, config["images"]),
        eps=config["eps"],
        steps=config["steps"],
        restarts=config["restarts"],
        seed=config["seed"],
        others=job.models(),
        progress=job.progress,
    )
    write_arrays(job.draft / FILE, arrays)


def read(artifact: Artifact, reader: Reader) -> dict[str, NDArray[Any]]:
    """Return the answers on every rung as arrays by name; see `climbed`."""
    return artifact.arrays(FILE)


def climbed(by_source: Mapping[str, Mapping[str, NDArray[Any]]], label: str) -> Ladder:
    """Return one model's ladder from the arrays that are stored for every model."""
    own = {k: v for k, v in by_source[label].items() if not k.startswith(_TRANSFERRED)}
    eps = [float(each) for each in own.pop("eps")]
    transferred: dict[str, NDArray[np.int64]] = {
        source: arrays[f"{_TRANSFERRED}{label}"]
        for source, arrays in by_source.items()
        if source != label
    }
    return Ladder(eps, **own, transferred=transferred)
