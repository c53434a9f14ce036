"""Kind `selection`: which candidate of a sweep is taken, on the validation images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine import attacks
from engine.artifacts import Artifact, Role, write_json
from engine.components import Document
from engine.datasets import Data, Split
from engine.errors import PlausiblyError
from engine.jobs import _old_layouts, _subset, model
from engine.jobs._kinds import Reader
from engine.jobs._measuring import EXCESS, EightBit, measured
from engine.jobs._requests import Label
from engine.preprocessing import Space

if TYPE_CHECKING:
    from torch import nn

    from engine.jobs.context import Job

VERSION = 2
"""2: 8-bit pixels are kept in the ball, and accuracies before rounding are recorded beside."""
FILE = "result.json"
CHOSEN = "chosen"
"""Key of the result: the value of the parameter."""
_Examples: TypeAlias = tuple[NDArray[np.float32], EightBit]
"""Before and after rounding."""


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

    reference: Label = "none"
    eps: list[Annotated[float, Field(ge=0, le=1)]] = Field([0.1, 0.2, 0.3], min_length=1)
    space: Space = "pixels"
    clean_drop: float = Field(0.05, ge=0, le=1)
    images: _subset.SomeImages = None


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
    from engine.networks.inference import predict
    from engine.training.loop import accuracy

    config = job.config
    valid = measured(job.data().valid, config.get("images"))
    strengths = [attacks.create("fgsm", eps=eps, space=config["space"]) for eps in config["eps"]]

    before = not _old_layouts.leaves_the_ball(job.recipe)

    def examples(network: nn.Module) -> list[_Examples]:
        made = [(each, job.attack(each, network, valid)[0]) for each in strengths]
        return [(images, job.eight_bit(each, network, valid, images)) for each, images in made]

    def tested(network: nn.Module, name: str, made: list[_Examples]) -> dict[str, float]:
        splits = [Split(eight_bit.pixels, valid.labels) for _, eight_bit in made]
        found = {name: float(np.mean([accuracy(network, split) for split in splits]))}
        if before:
            right = [predict(network, images)[0] == valid.labels for images, _ in made]
            found[f"{name}_float"] = float(np.mean(right))
        return found

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
        clean, own = accuracy(network, valid), examples(network)
        table.append(
            {
                "value": value,
                "clean": clean,
                **tested(network, "transferred", transferred),
                **tested(network, "white_box", own),
                **_excess(own),
                "allowed": clean >= floor,
            }
        )
        job.progress({"step": done + 1, "steps": len(config["values"])})
    result = {
        "clean_floor": floor,
        "candidates": table,
        "images": len(valid),
        **_excess(transferred),
    }
    write_json(job.draft / FILE, {CHOSEN: _best(table, floor, config["parameter"]), **result})


def read(artifact: Artifact, reader: Reader) -> dict[str, Any]:
    """Return the chosen value, the floor, and a row for every candidate.

    From version 2 on a row also has the accuracies before rounding to 8 bits (`transferred_float`,
    `white_box_float`); and for `space: model_input` a row, of the candidate's own examples, and the
    whole, of those that are transferred, have the largest `excess` (`Examples.excess`).
    """
    result: dict[str, Any] = artifact.json(FILE)
    return result


def _excess(made: list[_Examples]) -> dict[str, float]:
    """Return the largest excess of examples; nothing where none is measured."""
    found = [value for _, eight_bit in made for value in eight_bit.largest_excess().values()]
    return {EXCESS: max(found)} if found else {}


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
