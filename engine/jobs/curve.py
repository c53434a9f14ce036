"""Kind `curve`: models tested on the examples made for one, as a parameter of the attack grows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from engine import attacks
from engine.artifacts import Artifact, Role, write_arrays
from engine.attacks import TargetRule, vary
from engine.components import Document
from engine.datasets import evenly
from engine.errors import UsageError
from engine.jobs import _old_layouts
from engine.jobs._kinds import Reader
from engine.jobs._measuring import rounded
from engine.jobs._requests import (
    Asking,
    Label,
    Request,
    Section,
    SomeAttack,
    SomeSplit,
    aimed,
    answering,
)

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 2
"""2: predictions have names of their own, so that a label may be any word."""
STAGE = "measure"
FILE = "predictions.npz"
_LABELS, _TESTED = "labels", "predictions/"


class CurveSpec(Document):
    """Accuracy as one parameter of an attack grows, of every model on examples for every model.

    Attributes:
        title: its name for readers.
        attack: the component.
        over: the parameter and the values it takes, `{eps: [0, 0.1, 0.2]}` or
            `{eps: [0, 8/255]}`.
        target: which class a targeted one aims at.
        split: whose images are attacked.
        images: how many of them, evenly spaced; None means all.
        transfer: test every model on the examples; else only the one they were made for.
    """

    title: str
    attack: SomeAttack
    over: dict[str, list[attacks.Number]] = Field(
        json_schema_extra={"minProperties": 1, "maxProperties": 1}
    )
    target: TargetRule = "next_class"
    split: SomeSplit = "test"
    images: int | None = Field(None, ge=1)
    transfer: bool = True

    @field_validator("over")
    @classmethod
    def _one_parameter(
        cls, over: dict[str, list[float]], info: ValidationInfo
    ) -> dict[str, list[float]]:
        if len(over) != 1 or not next(iter(over.values())):
            raise ValueError("takes one parameter with its values, as in {eps: [0, 0.1, 0.2]}")
        attack = info.data.get("attack")
        if attack is not None:
            for value in next(iter(over.values())):
                try:
                    vary(attack, next(iter(over)), value)
                except UsageError as error:
                    raise ValueError(str(error)) from None
        return over


SECTION = Section("curves", dict[Label, CurveSpec])


@dataclass(frozen=True)
class Predictions:
    """What models say of the examples made for one of them, as a parameter of the attack grows.

    Attributes:
        values: what the parameter takes.
        labels: true labels (N,).
        tested: predictions (values, N) by label of the model tested.
    """

    values: list[float]
    labels: NDArray[np.int64]
    tested: dict[str, NDArray[np.int64]]


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for every swept attack on the model `label`."""
    for curve, spec in run.section(SECTION.name).items():
        others = [each for each in run.labels if spec.transfer and each != label]
        tested = {
            Role("model", each): answering(each) if each in others else Role("model", each)
            for each in (run.labels if spec.transfer else (label,))
        }
        yield Request(
            Role("curve", curve, label),
            f"curve {curve} of {label}",
            {
                **aimed(spec.attack, spec.target),
                "over": spec.over,
                "split": spec.split,
                "images": spec.images,
            },
            {
                Role("source"): Role("model", label),
                **tested,
            },
            spec.attack.versions(),
            gathers=[Role("model", each) for each in others],
        )


def make(job: Job) -> None:
    """Attack one model at every value; predictions are those of the rounded 8-bit pixels."""
    from engine.networks.inference import predict

    config = job.config
    split = evenly(job.split(), config["images"])
    ((parameter, values),) = config["over"].items()
    attack = attacks.registry.from_config(config["attack"])
    source, tested = job.model(Role("source")), job.models()
    found: dict[str, list[NDArray[np.int64]]] = {label: [] for label in tested}
    for done, value in enumerate(values):
        made, _ = job.attack(vary(attack, parameter, value), source, split)
        images = rounded(made)
        for label, network in tested.items():
            found[label].append(predict(network, images)[0])
        job.progress({"step": done + 1, "steps": len(values)})
    start = "" if _old_layouts.is_old(job.recipe) else _TESTED
    write(job.draft / FILE, split.labels, {k: np.stack(v) for k, v in found.items()}, start)


def write(
    path: Path,
    labels: NDArray[np.int64],
    tested: Mapping[str, NDArray[np.int64]],
    start: str = _TESTED,
) -> None:
    """Write the file of the artifact; `start` stands before the models' labels."""
    write_arrays(path, {_LABELS: labels, **{f"{start}{k}": array for k, array in tested.items()}})


def read(artifact: Artifact, reader: Reader) -> Predictions:
    """Return the predictions."""
    arrays = artifact.arrays(FILE)
    (values,) = artifact.recipe.config["over"].values()
    if _old_layouts.is_old(artifact.recipe):
        return Predictions(list(values), arrays[_LABELS], _old_layouts.predictions(arrays))
    tested = {k.removeprefix(_TESTED): v for k, v in arrays.items() if k.startswith(_TESTED)}
    return Predictions(list(values), arrays[_LABELS], tested)
