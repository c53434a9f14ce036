"""The computations behind each kind of artifact, run in worker processes.

A job takes a recipe alone: everything it needs is in the recipe's configuration and parents, so the
same job can be run anywhere, and again from a manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from engine import attacks, datasets, defenses, models, rendering, saliency, seeds
from engine.artifacts import Artifact, ArtifactStore, Recipe, write_arrays, write_json
from engine.checkpoint import Checkpoint
from engine.datasets import Data
from engine.errors import UsageError
from engine.inference import batches, frozen, input_gradient, predict
from engine.results import CURVE, EXAMPLES, MAPS, RESULT, WEIGHTS
from engine.training import Progress, TrainingConfig, accuracy, train


def run(recipe: Recipe, store: ArtifactStore, progress: Progress) -> Artifact:
    """Make the artifact of `recipe`, or return it when it is there already."""
    found = store.find(recipe)
    if found is not None:
        return found
    torch.set_num_threads(recipe.numeric_path["threads"])
    torch.use_deterministic_algorithms(True)
    with store.draft(recipe, seed=recipe.config.get("seed")) as draft:
        _JOBS[recipe.kind](recipe, store, draft, progress)
    return store.get(recipe.kind, recipe.key)


def load_model(artifact: Artifact) -> nn.Module:
    """Return the trained network of a model artifact, in evaluation mode."""
    config = artifact.recipe.config
    weights = load(artifact.read(WEIGHTS))
    network = models.registry.from_config(config["architecture"]).build(
        tuple(config["shape"]), config["classes"], seed=0
    )
    network.load_state_dict(weights)
    return network.eval()


def _train(recipe: Recipe, store: ArtifactStore, draft: Path, progress: Progress) -> None:
    config = recipe.config
    data = _data(recipe)
    architecture = models.registry.from_config(config["architecture"])
    network = architecture.build(
        data.shape, len(data.class_names), seed=seeds.derive(config["seed"], "weights")
    )
    curve = train(
        network,
        _defense(config["defense"]),
        data,
        TrainingConfig(**config["training"]),
        seed=config["seed"],
        required={role: load_model(_parent(recipe, store, role)) for role in recipe.parents},
        progress=progress,
        checkpoint=Checkpoint(store.scratch(recipe)),
    )
    save_file(network.state_dict(), draft / WEIGHTS)
    write_json(
        draft / CURVE,
        {
            "points": curve,
            "accuracy": {
                "valid": accuracy(network, data.valid),
                "test": accuracy(network, data.test),
            },
        },
    )


def _attack(recipe: Recipe, store: ArtifactStore, draft: Path, progress: Progress) -> None:
    """Attack every test image; what is stored is measured on the 8-bit pixels."""
    data = _data(recipe)
    network = load_model(_parent(recipe, store, "model"))
    attack = attacks.registry.from_config(recipe.config["attack"])
    clean, labels = data.test.pixels, data.test.labels
    image_seeds = [seeds.derive(recipe.config["seed"], attack.name, i) for i in range(len(labels))]
    aim = attacks.next_class(torch.from_numpy(labels), len(data.class_names))
    made = []
    parts = zip(
        batches(data.test.images),
        batches(labels),
        batches(aim.numpy()),
        batches(np.array(image_seeds)),
        strict=True,
    )
    for images, y, target, image_seed in parts:
        x = torch.from_numpy(images)
        arguments = (torch.from_numpy(y), torch.from_numpy(target))
        x_adv = attack(network, x, *arguments, seeds=torch.from_numpy(image_seed))
        made.append(x_adv.numpy())
        progress({"step": sum(map(len, made)), "steps": len(labels)})
    examples = np.concatenate(made)
    pixels = rendering.to_pixels(examples)
    before, before_confidence = predict(network, data.test.images)
    unrounded, _ = predict(network, examples)
    after, after_confidence = predict(network, rendering.to_images(pixels))
    targets = aim.numpy() if attack.targeted else after
    difference = (pixels.astype(np.int64) - clean.astype(np.int64)).reshape(len(labels), -1)
    write_arrays(
        draft / EXAMPLES,
        clean=clean,
        pixels=pixels,
        true_label=labels,
        target=targets,
        before_label=before,
        before_confidence=before_confidence,
        label=after,
        confidence=after_confidence,
        unrounded_label=unrounded,
        linf=np.abs(difference).max(1) / 255,
        l2=np.sqrt(np.square(difference).sum(1)) / 255,
        l0=(difference.reshape(clean.shape) != 0).any(1).reshape(len(labels), -1).sum(1),
    )


def _explain(recipe: Recipe, store: ArtifactStore, draft: Path, progress: Progress) -> None:
    """Explain the model on the clean test images and on the examples made for it."""
    data = _data(recipe)
    network = load_model(_parent(recipe, store, "model"))
    method = saliency.registry.from_config(recipe.config["saliency"])
    maps = {"clean": method.attribute(network, data.test.images, data.test.labels)}
    for role in sorted(set(recipe.parents) - {"model"}):
        pixels = _parent(recipe, store, role).arrays(EXAMPLES)["pixels"]
        images = rendering.to_images(pixels)
        maps[role] = method.attribute(network, images, data.test.labels)
        progress({"step": len(maps), "steps": len(recipe.parents)})
    write_arrays(draft / MAPS, **maps)
    write_json(draft / RESULT, {"quantity": method.quantity, "images": sorted(maps)})


def _evaluate(recipe: Recipe, store: ArtifactStore, draft: Path, progress: Progress) -> None:
    """Test every model on the clean images and on the examples made for every model."""
    data = _data(recipe)
    labels = data.test.labels
    result: dict[str, Any] = {"images": len(labels), "models": {}, "examples": {}}
    networks: dict[str, nn.Module] = {}
    for role in recipe.parents:
        kind, label = role.split(":")[:2]
        if kind == "model":
            networks[label] = load_model(_parent(recipe, store, role))
    for label, network in networks.items():
        zero = gradient_is_zero(network, data.test.images, labels)
        result["models"][label] = {
            "clean_accuracy": accuracy(network, data.test),
            "zero_gradient_share": float(zero.mean()),
        }
    sources = [role for role in recipe.parents if role.startswith("examples:")]
    for done, role in enumerate(sources):
        _, source, attack = role.split(":")
        made = _parent(recipe, store, role).arrays(EXAMPLES)
        images = rendering.to_images(made["pixels"])
        tested = {}
        for label, network in networks.items():
            predicted, _ = predict(network, images)
            tested[label] = {
                "accuracy": float((predicted == labels).mean()),
                "hit": float(((predicted == made["target"]) & (predicted != labels)).mean()),
            }
        result["examples"].setdefault(attack, {})[source] = {
            "tested": tested,
            "rounded_away": int(
                ((made["unrounded_label"] != labels) & (made["label"] == labels)).sum()
            ),
            "median_linf": float(np.median(made["linf"])),
            "median_l2": float(np.median(made["l2"])),
        }
        progress({"step": done + 1, "steps": len(sources)})
    write_json(draft / RESULT, result)


def gradient_is_zero(
    network: nn.Module, images: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return (N,) whether the cross-entropy's input gradient is exactly zero in every pixel.

    Where it is, FGSM returns the image as it was: the sign of gradient masking (Carlini et al.
    2019), not of robustness.
    """
    zero: list[Tensor] = []
    with frozen(network):
        for image_batch, label_batch in zip(batches(images), batches(labels), strict=True):
            x = torch.from_numpy(image_batch).requires_grad_(True)
            loss = F.cross_entropy(network(x), torch.from_numpy(label_batch), reduction="sum")
            zero.append((input_gradient(loss, x).flatten(1) == 0).all(1))
    return torch.cat(zero).numpy()


def _data(recipe: Recipe) -> Data:
    data = datasets.registry.from_config(recipe.config["dataset"]).load()
    if data.sha256 != recipe.data_sha256:
        raise UsageError(
            f"dataset {recipe.config['dataset']['name']} has checksum {data.sha256[:12]}…, "
            f"the recipe wants {str(recipe.data_sha256)[:12]}…"
        )
    return data


def _parent(recipe: Recipe, store: ArtifactStore, role: str) -> Artifact:
    parent = recipe.parents[role]
    return store.get(parent.kind, parent.key)


def _defense(config: Mapping[str, Any]) -> defenses.Defense:
    return defenses.combine(config.get("parts", [config]))


_JOBS: dict[str, Callable[[Recipe, ArtifactStore, Path, Progress], None]] = {
    "model": _train,
    "examples": _attack,
    "maps": _explain,
    "evaluation": _evaluate,
}
