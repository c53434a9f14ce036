"""Kind `selection`: which candidate of a sweep is taken, on the validation images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from engine import attacks, rendering
from engine.artifacts import Artifact, Role, write_json
from engine.components import Document
from engine.datasets import Data, Split
from engine.errors import PlausiblyError
from engine.jobs import _subset, model
from engine.jobs._kinds import Reader
from engine.jobs._measuring import measured
from engine.jobs._requests import Label
from engine.preprocessing import Space

if TYPE_CHECKING:
    from torch import nn

    from engine.jobs.context import Job

VERSION = 1
FILE = "result.json"
CHOSEN = "chosen"
"""Key of the result: the value of the parameter."""


class SelectionSpec(Document):
    """How one model of a sweep is chosen, on the validation images.

    The best mean accuracy on FGSM examples *transferred from the reference model*, among the
    candidates whose clean accuracy is close to the reference's. Choosing by white-box accuracy
    would reward gradient masking; it is recorded beside.

    Attributes:
        reference: label of the undefended model.
        eps: FGSM's, whose accuracies are averaged.
        space: the space of eps; see `engine.attacks.GradientAttack`.
        clean_drop: how far below the reference's clean accuracy a candidate may be.
        images: how many validation images, spread over the classes; None means 1000 evenly spaced
            ones, or all where there are fewer.
    """

    model_config = ConfigDict(json_schema_extra=attacks.describe_pixels)

    reference: Label = "none"
    eps: list[attacks.Eps] = Field([0.1, 0.2, 0.3], min_length=1)
    space: Space = "pixels"
    clean_drop: float = Field(0.05, ge=0, le=1)
    images: _subset.SomeImages = None

    @model_validator(mode="after")
    def _eps_within_pixels(self) -> SelectionSpec:
        if self.space == "pixels":
            attacks.require_within_pixels({f"eps.{at}": eps for at, eps in enumerate(self.eps)})
        return self


def notes_on(spec: SelectionSpec, data: Data) -> Iterator[str]:
    """Yield what is to be said of the images that are asked for.

    Raises:
        UsageError: they are too few.
    """
    yield from _subset.notes("selection", spec.images, data, ("valid",))


def candidate(number: int) -> Role:
    """Return the role of a candidate, by its place among the values."""
    return Role("candidate", f"{number:02}")


def make(job: Job) -> None:
    """Choose one candidate; see `SelectionSpec`."""
    from engine.training.loop import accuracy

    config = job.config
    valid = measured(job.data().valid, config.get("images"))
    strengths = [attacks.create("fgsm", eps=eps, space=config["space"]) for eps in config["eps"]]

    def examples(network: nn.Module) -> list[Split]:
        made = [job.attack(attack, network, valid)[0] for attack in strengths]
        return [Split(rendering.to_pixels(images), valid.labels) for images in made]

    def mean_accuracy(network: nn.Module, splits: list[Split]) -> float:
        return float(np.mean([accuracy(network, split) for split in splits]))

    reference = job.model(Role("reference"))
    transferred = examples(reference)
    floor = accuracy(reference, valid) - config["clean_drop"]
    table: list[dict[str, Any]] = []
    for done, value in enumerate(config["values"]):
        artifact = job.parent(candidate(done))
        if model.diverged(artifact):
            table.append({"value": value, "diverged": model.divergence(artifact)})
            continue
        network = job.model(candidate(done))
        clean = accuracy(network, valid)
        table.append(
            {
                "value": value,
                "clean": clean,
                "transferred": mean_accuracy(network, transferred),
                "white_box": mean_accuracy(network, examples(network)),
                "allowed": clean >= floor,
            }
        )
        job.progress({"step": done + 1, "steps": len(config["values"])})
    result = {"clean_floor": floor, "candidates": table, "images": len(valid)}
    write_json(job.draft / FILE, {CHOSEN: _best(table, floor, config["parameter"]), **result})


def read(artifact: Artifact, reader: Reader) -> dict[str, Any]:
    """Return the chosen value, the floor, and a row for every candidate."""
    result: dict[str, Any] = artifact.json(FILE)
    return result


def _best(table: list[dict[str, Any]], floor: float, parameter: str) -> Any:
    """Return the value of the best allowed candidate; of equals the smallest."""
    allowed = [row for row in table if row.get("allowed")]
    if not allowed:
        seen = ", ".join(f"{row['value']:g}: {row.get('clean', 'diverged')}" for row in table)
        raise PlausiblyError(
            f"no {parameter} keeps a clean validation accuracy of {floor:.3f} "
            f"({seen}); sweep smaller values, or raise selection.clean_drop"
        )
    return max(allowed, key=lambda row: (row["transferred"], -row["value"]))["value"]
