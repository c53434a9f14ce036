"""Measuring models and testing them on adversarial examples: the jobs that evaluate.

Whatever is predicted of an adversarial example is predicted of its rounded 8-bit pixels, by the
original model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from engine import attacks, defenses, rendering, saliency
from engine.artifacts import Role, labels_of, write_arrays, write_json
from engine.attacks import vary
from engine.datasets import Split, evenly
from engine.jobs.context import MEASURED, Job
from engine.metrics import smoothness_and_edges
from engine.networks import features, inference
from engine.networks.inference import gradient_norms, predict
from engine.results import (
    EXAMPLES,
    GRID,
    LADDER,
    MEASURES,
    MINIMUM_NORM,
    PREDICTED,
    PREDICTIONS,
    RESULT,
    climbed,
)
from engine.robustness import doubt
from engine.training.loop import accuracy

_ORDERS = {"linf": np.inf, "l2": 2}


def measure(job: Job) -> None:
    """Measure one model on clean images.

    Of the test images: `labels` (N,), `log_probabilities` and `gradient_norms` (N, K), the
    latter of the cross-entropy with every label; `zero_gradient` (N,): the true label's is exactly
    zero in every pixel, so that FGSM returns the image as it was, which is gradient masking and
    not robustness (Carlini et al. 2019); `smoothness` and `edge_alignment` (N,) of the paper's
    map, the gradient of the summed log-probabilities. Of train and test images: the penultimate
    features' `singular_values` (D,) and the head's `margins` (N,).
    """
    data = job.data()
    network = job.model(Role("model"))
    test = evenly(data.test, MEASURED)
    norms = gradient_norms(network, test.images)
    job.progress({"step": 1, "steps": 3})
    maps = saliency.create("input_gradient").attribute(network, test.images, test.labels)
    job.progress({"step": 2, "steps": 3})
    layer = inference.head(network)
    weight, bias = (
        np.zeros(layer.out_features) if part is None else part.detach().cpu().numpy()
        for part in (layer.weight, layer.bias)
    )
    layers: dict[str, NDArray[np.float64]] = {}
    for name, split in (("train", evenly(data.train, MEASURED)), ("test", test)):
        phi = features.penultimate(network, split.images)
        layers[f"singular_values_{name}"] = features.singular_values(phi)
        layers[f"margins_{name}"] = features.margins(phi, split.labels, weight, bias)
    arrays = {
        "labels": test.labels,
        "log_probabilities": inference.logits(network, test.images).log_softmax(1).numpy(),
        "gradient_norms": norms,
        "zero_gradient": norms[np.arange(len(test)), test.labels] == 0,
        "smoothness": smoothness_and_edges.smoothness(maps),
        "edge_alignment": smoothness_and_edges.edge_alignment(maps, test.images),
    }
    write_arrays(job.draft / MEASURES, arrays | layers)


def curve(job: Job) -> None:
    """Test models on the examples made for one, as a parameter of the attack grows.

    Predictions are those of the rounded 8-bit pixels: (values, N) by label of the model tested.
    """
    config, data = job.config, job.data()
    split = evenly(getattr(data, config["split"]), config["images"])
    ((parameter, values),) = config["over"].items()
    attack = attacks.registry.from_config(config["attack"])
    source, tested = job.model(Role("source")), job.models()
    found: dict[str, list[NDArray[np.int64]]] = {label: [] for label in tested}
    for done, value in enumerate(values):
        changed = vary(attack, parameter, value)
        made, _ = job.attack(changed, source, split)
        images = _rounded(made)
        for label, network in tested.items():
            found[label].append(predict(network, images)[0])
        job.progress({"step": done + 1, "steps": len(values)})
    write_arrays(
        job.draft / PREDICTIONS,
        {
            "labels": split.labels,
            **{PREDICTED.format(label=label): np.stack(parts) for label, parts in found.items()},
        },
    )


def training_time(job: Job) -> None:
    """Test the kept weights of one training: clean, under attack, and on the reference's examples.

    As if the training had ended there, so that the defense finishes them too.

    `steps` (S,), and predictions (S, N) as `clean`, `white_box` and `transferred`, of the rounded
    8-bit pixels.
    """
    config, data = job.config, job.data()
    split = evenly(data.test, config["images"])
    attack = attacks.registry.from_config(config["attack"])
    artifact = job.parent(Role("model"))
    steps = sorted(
        int(name.removeprefix("weights-").removesuffix(".safetensors"))
        for name in artifact.manifest["files"]
        if name.startswith("weights-")
    )

    def examples(network: nn.Module) -> NDArray[np.float32]:
        made, _ = job.attack(attack, network, split)
        return _rounded(made)

    transferred = examples(job.model(Role("reference")))
    found: dict[str, list[NDArray[np.int64]]] = {"clean": [], "white_box": [], "transferred": []}
    defense = defenses.from_config(artifact.recipe.config["defense"])
    for done, step in enumerate(steps):
        network = job.model(Role("model"), step=step)
        defense.finalize(network, data.train)
        found["clean"].append(predict(network, split.images)[0])
        found["white_box"].append(predict(network, examples(network))[0])
        found["transferred"].append(predict(network, transferred)[0])
        job.progress({"step": done + 1, "steps": len(steps)})
    write_arrays(
        job.draft / PREDICTIONS,
        {
            "labels": split.labels,
            "steps": np.array(steps),
            **{name: np.stack(parts) for name, parts in found.items()},
        },
    )


def minimum_norm(job: Job) -> None:
    """Find the smallest disturbance that makes a model err, for some images of a split.

    `labels` (N,); `norm` (N,) before rounding, 0 where the model errs undisturbed, inf where
    nothing was found; `rounded_away` (N,): the model is right again on the rounded 8-bit pixels.
    """
    config, data = job.config, job.data()
    split = evenly(getattr(data, config["split"]), config["images"])
    attack = attacks.registry.from_config(config["attack"])
    network = job.model(Role("model"))
    examples, _ = job.attack(attack, network, split, progress=job.progress)
    wrong = predict(network, examples)[0] != split.labels
    change = (examples.astype(np.float64) - split.images).reshape(len(split), -1)
    size = np.linalg.norm(change, ord=_ORDERS[config["attack"]["norm"]], axis=1)
    right_again = predict(network, _rounded(examples))[0] == split.labels
    write_arrays(
        job.draft / MINIMUM_NORM,
        {
            "labels": split.labels,
            "norm": np.where(wrong, size, np.inf),
            "rounded_away": wrong & right_again,
        },
    )


def grid(job: Job) -> None:
    """Aim at every class, from the same test images for every model; see `engine.results.Grid`."""
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
    pixels = np.where(own[:, None, None, None], repeated.pixels, rendering.to_pixels(examples))
    label, confidence = predict(network, rendering.to_images(pixels))
    arrays = {"pixels": pixels, "label": label, "confidence": confidence}
    arrays |= norms(pixels, repeated.pixels)
    write_arrays(
        job.draft / GRID,
        {
            "clean": split.pixels,
            "true_label": split.labels,
            **{k: v.reshape(len(split), classes, *v.shape[1:]) for k, v in arrays.items()},
        },
    )


def norms(
    pixels: NDArray[np.uint8], clean: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    """Return the size of a change of 8-bit images (N, C, H, W), each (N,).

    `linf` and `l2` in units of the pixel range; `l0`: how many pixels differ in any channel.
    """
    difference = pixels.astype(np.int64) - clean.astype(np.int64)
    flat = difference.reshape(len(difference), -1)
    return {
        "linf": np.abs(flat).max(1) / 255,
        "l2": np.sqrt(np.square(flat).sum(1)) / 255,
        "l0": (difference != 0).any(1).reshape(len(difference), -1).sum(1),
    }


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


def _rounded(images: NDArray[np.float32]) -> NDArray[np.float32]:
    return rendering.to_images(rendering.to_pixels(images))


def evaluate(job: Job) -> None:
    """Test every model on the clean images and on the examples made for every model."""
    data = job.data()
    labels = data.test.labels
    result: dict[str, Any] = {"images": len(labels), "models": {}, "examples": {}}
    networks = job.models()
    ladders = {
        label: job.parent(Role("ladder", label)).arrays(LADDER)
        for label in labels_of("ladder", job.recipe.parents)
    }
    for label, network in networks.items():
        measures = job.parent(Role("measures", label)).arrays(MEASURES)
        result["models"][label] = {
            "clean_accuracy": accuracy(network, data.test),
            "zero_gradient_share": float(measures["zero_gradient"].mean()),
        }
        if ladders:
            found = doubt.examine(climbed(ladders, label), measures["zero_gradient"])
            result["models"][label]["doubt"] = doubt.summary(found)
    roles = [Role.parse(role) for role in job.recipe.parents]
    sources = [role for role in roles if role.kind == "examples"]
    for done, role in enumerate(sources):
        made = job.parent(role).arrays(EXAMPLES)
        images = rendering.to_images(made["pixels"])
        tested = {}
        for label, network in networks.items():
            predicted, _ = predict(network, images)
            tested[label] = {
                "accuracy": float((predicted == labels).mean()),
                "hit": float(((predicted == made["target"]) & (predicted != labels)).mean()),
            }
        result["examples"].setdefault(role.further, {})[role.label] = {
            "tested": tested,
            "rounded_away": int(
                ((made["unrounded_label"] != labels) & (made["label"] == labels)).sum()
            ),
            "median_linf": float(np.median(made["linf"])),
            "median_l2": float(np.median(made["l2"])),
        }
        job.progress({"step": done + 1, "steps": len(sources)})
    write_json(job.draft / RESULT, result)
