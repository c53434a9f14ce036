"""Kind `training_time`: the weights that one training kept on the way, each tested."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine import attacks, defenses
from engine.artifacts import Artifact, Role, write_arrays
from engine.components import Document
from engine.datasets import evenly
from engine.jobs import _old_layouts
from engine.jobs._kinds import Reader
from engine.jobs._measuring import EXCESS, EightBit
from engine.jobs._requests import Asking, Request, Section, SomeAttack, aimed

if TYPE_CHECKING:
    from torch import nn

    from engine.jobs.context import Job

VERSION = 2
"""2: 8-bit pixels are kept in the attack's ball, and predictions before rounding are stored."""
STAGE = "measure"
FILE = "predictions.npz"


class TrainingTimeSpec(Document):
    """Robustness against training time, of the models whose schedule has `keep_every`.

    Attributes:
        title: its name for readers.
        attack: made for every kept set of weights, and for the finished reference model.
        images: how many test images, evenly spaced; None means all.
    """

    title: str
    attack: SomeAttack
    images: int | None = Field(None, ge=1)


SECTION = Section("training_time", TrainingTimeSpec | None, None, labelled=False)


NEEDS_REFERENCE = True
"""The section makes no sense without an undefended model to compare with."""


def problems(section: TrainingTimeSpec | None, runs: Sequence[Asking]) -> Iterator[str]:
    """Yield a sentence for what the section asks for and no schedule keeps."""
    if section is None:
        return
    keeping = [
        (label, run.schedule(label))
        for run in runs
        for label in run.labels
        if run.keeps_weights(label)
    ]
    for label, schedule in keeping:
        if schedule.keep_every > schedule.steps:
            yield (
                f"defenses.{label}: keep_every {schedule.keep_every} is more than its "
                f"{schedule.steps} steps, so that nothing is kept"
            )
    if runs and not keeping:
        yield (
            "training_time: no model has keep_every in its schedule; give it to those whose "
            "training is to be drawn"
        )


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the way of the model `label`, if its training keeps weights."""
    spec = run.section(SECTION.name)
    if spec is not None and run.keeps_weights(label):
        yield Request(
            Role("training_time", label),
            f"training time of {label}",
            {**aimed(spec.attack), "images": spec.images},
            {
                Role("model"): Role("model", label),
                Role("reference"): Role("model", run.reference),
            },
            spec.attack.versions(),
        )


def make(job: Job) -> None:
    """Test the kept weights: clean, under attack, and on the reference's examples.

    As if the training had ended there, so that the defense finishes them too.

    `steps` (S,), and predictions (S, N) as `clean`, `white_box` and `transferred`, of 8-bit pixels;
    of the latter two also before rounding, as `white_box_float` and `transferred_float`; `labels`
    (N,). For `space: model_input` the largest `excess` (S,) of the own examples, and of those that
    are transferred `transferred_excess`; see `Examples.excess`.
    """
    from engine.networks.inference import predict

    config, data = job.config, job.data()
    split = evenly(data.test, config["images"])
    attack = attacks.registry.from_config(config["attack"])
    artifact = job.parent(Role("model"))
    steps = sorted(
        int(name.removeprefix("weights-").removesuffix(".safetensors"))
        for name in artifact.manifest["files"]
        if name.startswith("weights-")
    )

    before = not _old_layouts.leaves_the_ball(job.recipe)
    found: dict[str, list[NDArray[np.int64]]] = defaultdict(list)
    excess: list[float] = []

    def examples(network: nn.Module) -> tuple[NDArray[np.float32], EightBit]:
        made, _ = job.attack(attack, network, split)
        return made, job.eight_bit(attack, network, split, made)

    def test(network: nn.Module, name: str, made: NDArray[np.float32], after: EightBit) -> None:
        found[name].append(predict(network, after.images)[0])
        if before:
            found[f"{name}_float"].append(predict(network, made)[0])

    transferred = examples(job.model(Role("reference")))
    defense = defenses.from_config(artifact.recipe.config["defense"])
    for done, step in enumerate(steps):
        network = job.model(Role("model"), step=step)
        defense.finalize(network, data.train)
        found["clean"].append(predict(network, split.images)[0])
        own = examples(network)
        test(network, "white_box", *own)
        excess += own[1].largest_excess().values()
        test(network, "transferred", *transferred)
        job.progress({"step": done + 1, "steps": len(steps)})
    arrays: dict[str, NDArray[Any]] = {"labels": split.labels, "steps": np.array(steps)}
    arrays |= {name: np.stack(parts) for name, parts in found.items()}
    if excess:
        arrays[EXCESS] = np.array(excess)
    for value in transferred[1].largest_excess().values():
        arrays[f"transferred_{EXCESS}"] = np.array(value)
    write_arrays(job.draft / FILE, arrays)


def read(artifact: Artifact, reader: Reader) -> dict[str, NDArray[Any]]:
    """Return the arrays by name."""
    return artifact.arrays(FILE)
