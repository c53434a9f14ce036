"""Kind `evaluation`: every model on the clean test images and on the examples for every model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine import rendering
from engine.artifacts import Artifact, Role, labels_of, write_json
from engine.datasets import Data, class_counts
from engine.errors import PlausiblyError
from engine.jobs import examples, ladder, measures
from engine.jobs._kinds import Reader
from engine.jobs._measuring import EXCESS

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 4
FILE = "result.json"
_BY_CLASS = 3
"""The version from which on there are counts and accuracies of each class."""
_BEFORE_ROUNDING = 4
"""The version from which on there are accuracies before rounding to 8 bits, and the excess."""
READS = ("model", "examples", "measures", "ladder")
"""Kinds of artifacts of a run that it takes, as many of them as are there."""


def make(job: Job) -> None:
    """Test every model; judge its robustness where there are ladders."""
    from engine.training.loop import accuracy

    data = job.data()
    networks = job.models()
    roles = [Role.parse(role) for role in job.recipe.parents]
    sources = [role for role in roles if role.kind == "examples"]
    if not networks:
        raise PlausiblyError("no model is there to be evaluated")
    result: dict[str, Any] = {"images": len(data.test), "models": {}, "examples": {}}
    climbed = {
        label: job.parent(Role("ladder", label)).arrays(ladder.FILE)
        for label in labels_of("ladder", job.recipe.parents)
    }
    measured = labels_of("measures", job.recipe.parents)
    for label, network in networks.items():
        facts = {"clean_accuracy": accuracy(network, data.test)}
        if label in measured:
            zero = job.parent(Role("measures", label)).arrays(measures.FILE)["zero_gradient"]
            facts["zero_gradient_share"] = float(zero.mean())
            facts |= _doubts(climbed, label, zero)
        result["models"][label] = facts
    for done, role in enumerate(sources):
        of_attack = result["examples"].setdefault(role.further, {})
        of_attack[role.label] = _tested(job, role, networks, data.test.labels)
        job.progress({"step": done + 1, "steps": len(sources)})
    if job.recipe.versions.get("evaluation", 1) >= _BY_CLASS:
        _add_classes(result, data, networks)
    write_json(job.draft / FILE, result)


def read(artifact: Artifact, reader: Reader) -> dict[str, Any]:
    """Return clean accuracies, shares of zero gradients, doubts, and the transfer matrices.

    What failed is left out: a model, a share that was not measured, examples that were not made.
    From version 3 on also `class_counts` by split, and of each model `class_accuracy`, both in the
    classes' order; an accuracy is None where a class has no test image. From version 4 on also
    `accuracy_float`, beside each model's `accuracy` on the 8-bit examples that were made for it its
    accuracy on these before rounding (of transferred ones it is not known), and `excess`, the
    largest of `Examples.excess` where that is measured.
    """
    result: dict[str, Any] = artifact.json(FILE)
    return result


def _add_classes(result: dict[str, Any], data: Data, networks: dict[str, Any]) -> None:
    """Add the images of each class by split, and each model's clean accuracy on each class."""
    from engine.networks.inference import predict

    result["class_counts"] = class_counts(data)
    labels, tested = data.test.labels, np.array(result["class_counts"]["test"])
    for label, network in networks.items():
        predicted, _ = predict(network, data.test.images)
        right = np.bincount(labels[predicted == labels], minlength=len(tested))
        result["models"][label]["class_accuracy"] = [
            float(own / of) if of else None for own, of in zip(right, tested, strict=True)
        ]


def _doubts(climbed: dict[str, Any], label: str, zero: np.ndarray) -> dict[str, Any]:
    from engine.robustness import doubt

    if label not in climbed:
        return {}
    return {"doubt": doubt.summary(doubt.examine(ladder.climbed(climbed, label), zero))}


def _tested(job: Job, role: Role, networks: dict[str, Any], labels: np.ndarray) -> dict[str, Any]:
    """Return how the models do on the examples of one attack on one model."""
    from engine.networks.inference import predict

    made = job.parent(role).arrays(examples.FILE)
    attacked = examples.indices(made)
    # What says how many they are is left out where they are all.
    some = {"images": len(attacked)} if len(attacked) < len(labels) else {}
    labels = labels[attacked]
    images = rendering.to_images(made["pixels"])
    tested = {}
    for label, network in networks.items():
        predicted, _ = predict(network, images)
        tested[label] = {
            "accuracy": float((predicted == labels).mean()),
            "hit": float(((predicted == made["target"]) & (predicted != labels)).mean()),
        }
    known: dict[str, float] = {}
    if job.recipe.versions.get("evaluation", 1) >= _BEFORE_ROUNDING:
        if role.label in tested:
            right = made["unrounded_label"] == labels
            tested[role.label]["accuracy_float"] = float(right.mean())
        if EXCESS in made:
            known[EXCESS] = float(made[EXCESS].max())
    undone = (made["unrounded_label"] != labels) & (made["label"] == labels)
    return {
        **some,
        "tested": tested,
        "rounded_away": int(undone.sum()),
        "median_linf": float(np.median(made["linf"])),
        "median_l2": float(np.median(made["l2"])),
        **known,
    }
