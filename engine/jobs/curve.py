"""Kind `curve`: models tested on the examples made for one, as a parameter of the attack grows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
from engine.jobs._measuring import EXCESS
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

VERSION = 3
"""2: predictions have names of their own, so that a label may be any word. 3: 8-bit pixels are kept
in the attack's ball, and predictions before rounding are stored."""
STAGE = "measure"
FILE = "predictions.npz"
_LABELS, _TESTED, _UNROUNDED = "labels", "predictions/", "unrounded/"


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
        tested: predictions (values, N) by label of the model tested, of 8-bit pixels.
        unrounded: the same before rounding; None of runs from before it was stored.
        excess: (values,) the largest that rounding left of the ball where the attack worked behind
            the network's preprocessing, see `Examples.excess`; None where it did not.
    """

    values: list[float]
    labels: NDArray[np.int64]
    tested: dict[str, NDArray[np.int64]]
    unrounded: dict[str, NDArray[np.int64]] | None = None
    excess: NDArray[np.float64] | None = None


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
                **aimed(spec.attack, spec.target, curve),
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
    """Attack one model at every value; models are asked before and after rounding to 8 bits."""
    from engine.networks.inference import predict

    config = job.config
    split = evenly(job.split(), config["images"])
    ((parameter, values),) = config["over"].items()
    attack = attacks.registry.from_config(config["attack"])
    source, tested = job.model(Role("source")), job.models()
    before = not _old_layouts.leaves_the_ball(job.recipe)
    start = "" if _old_layouts.is_old(job.recipe) else _TESTED
    found: dict[str, list[NDArray[np.int64]]] = defaultdict(list)
    excess: list[float] = []
    for done, value in enumerate(values):
        varied = vary(attack, parameter, value)
        made, _ = job.attack(varied, source, split)
        eight_bit = job.eight_bit(varied, source, split, made)
        excess += eight_bit.largest_excess().values()
        for label, network in tested.items():
            found[f"{start}{label}"].append(predict(network, eight_bit.images)[0])
            if before:
                found[f"{_UNROUNDED}{label}"].append(predict(network, made)[0])
        job.progress({"step": done + 1, "steps": len(values)})
    arrays: dict[str, NDArray[Any]] = {_LABELS: split.labels}
    arrays |= {name: np.stack(predicted) for name, predicted in found.items()}
    if excess:
        arrays[EXCESS] = np.array(excess)
    write_arrays(job.draft / FILE, arrays)


def read(artifact: Artifact, reader: Reader) -> Predictions:
    """Return the predictions."""
    arrays = artifact.arrays(FILE)
    (values,) = artifact.recipe.config["over"].values()
    if _old_layouts.is_old(artifact.recipe):
        return Predictions(list(values), arrays[_LABELS], _old_layouts.predictions(arrays))
    tested, unrounded = (
        {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
        for start in (_TESTED, _UNROUNDED)
    )
    labels = arrays[_LABELS]
    return Predictions(list(values), labels, tested, unrounded or None, arrays.get(EXCESS))
