"""The computations behind each kind of artifact, run in worker processes.

A job takes a recipe alone: everything it needs is in the recipe's configuration and parents, so the
same job can be run anywhere, and again from a manifest.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save_file
from torch import nn

from engine import (
    attacks,
    canonical,
    datasets,
    defenses,
    devices,
    inference,
    models,
    rendering,
    saliency,
    seeds,
)
from engine.artifacts import Artifact, ArtifactStore, Recipe, write_arrays, write_json
from engine.checkpoint import KEPT, Checkpoint
from engine.config import vary
from engine.datasets import Data, Split
from engine.errors import DivergedError, PlausiblyError, UsageError
from engine.inference import batches, gradient_norms, predict
from engine.metrics import features, gradients
from engine.results import (
    CANDIDATE,
    CHOSEN,
    CURVE,
    EXAMPLES,
    INDEX,
    MAPS,
    MEASURES,
    PREDICTIONS,
    RESULT,
    WEIGHTS,
    diverged,
)
from engine.training import Progress, TrainingConfig, accuracy, train

MEASURED = 1000
"""Images of a split that measures are taken on, evenly spaced, when there are more."""


def run(
    recipe: Recipe, store: ArtifactStore, progress: Progress, *, device: str = "cpu"
) -> Artifact:
    """Make the artifact of `recipe` on `device`, or return it when it is there already."""
    found = store.find(recipe)
    if found is not None:
        return found
    torch.set_num_threads(recipe.numeric_path["threads"])
    # Some backward passes have no deterministic kernel on a GPU: there it warns instead.
    on_gpu = torch.device(device).type == "cuda"
    torch.use_deterministic_algorithms(True, warn_only=on_gpu)
    with store.draft(
        recipe, seed=recipe.config.get("seed"), device=devices.describe(device)
    ) as draft:
        _JOBS[recipe.kind](_Job(recipe, store, draft, progress, torch.device(device)))
    return store.get(recipe.kind, recipe.key)


def adopt(recipe: Recipe, store: ArtifactStore, architecture: models.Architecture) -> Artifact:
    """Store a pretrained network as the artifact of `recipe`, or return it when it is there.

    Raises:
        UsageError: its weights cannot be read or do not fit.
    """
    found = store.find(recipe)
    if found is not None:
        return found
    data = datasets.registry.from_config(recipe.config["dataset"]).load()
    network = architecture.build(data.shape, len(data.class_names), seed=0).eval()
    with store.draft(recipe, seed=recipe.config["seed"]) as draft:
        save_file(network.state_dict(), draft / WEIGHTS)
        _write_curve(draft, network, data, [])
    return store.get(recipe.kind, recipe.key)


def load_model(artifact: Artifact, *, step: int | None = None) -> nn.Module:
    """Return the trained network of a model artifact, in evaluation mode.

    Args:
        artifact: of kind "model".
        step: one of the steps whose weights were kept; None means the finished training.

    Raises:
        PlausiblyError: the training diverged, so that there are no weights.
    """
    if diverged(artifact):
        raise PlausiblyError(artifact.json(CURVE)["diverged"]["message"])
    config = artifact.recipe.config
    weights = load(artifact.read(WEIGHTS if step is None else KEPT.format(step=step)))
    network = models.registry.from_config(config["architecture"]).build(
        tuple(config["shape"]), config["classes"], seed=0
    )
    network.load_state_dict(weights)
    return network.eval()


@dataclass(frozen=True)
class _Job:
    """One artifact in the making.

    Attributes:
        recipe: what to make.
        store: where its parents are.
        draft: the folder to write into.
        progress: called now and then.
        device: where networks run.
    """

    recipe: Recipe
    store: ArtifactStore
    draft: Path
    progress: Progress
    device: torch.device

    @property
    def config(self) -> dict[str, Any]:
        return self.recipe.config

    def parent(self, role: str) -> Artifact:
        parent = self.recipe.parents[role]
        return self.store.get(parent.kind, parent.key)

    def model(self, role: str, *, step: int | None = None) -> nn.Module:
        return load_model(self.parent(role), step=step).to(self.device)

    def models(self) -> dict[str, nn.Module]:
        """Return the networks of the roles `model:LABEL`, by label."""
        roles = [role for role in self.recipe.parents if role.startswith("model:")]
        return {role.removeprefix("model:"): self.model(role) for role in roles}

    def data(self) -> Data:
        data = _load_data(canonical.dumps(self.config["dataset"]))
        if data.sha256 != self.recipe.data_sha256:
            raise UsageError(
                f"dataset {self.config['dataset']['name']} has checksum {data.sha256[:12]}…, "
                f"the recipe wants {str(self.recipe.data_sha256)[:12]}…"
            )
        return data

    def attack(
        self,
        attack: attacks.Attack,
        network: nn.Module,
        split: Split,
        classes: int,
        progress: Progress,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return examples (N, C, H, W) for every image of `split`, and the targets (N,).

        An image's seed is derived from its place in `split`.
        """
        aim = attacks.next_class(torch.from_numpy(split.labels), classes).numpy()
        image_seeds = np.array(
            [seeds.derive(self.config["seed"], attack.name, i) for i in range(len(split))]
        )
        made = []
        parts = zip(
            *map(batches, (split.images, split.labels, aim, image_seeds)),  # type: ignore[arg-type]
            strict=True,
        )
        for part in parts:
            x, y, target, image_seed = (torch.from_numpy(a).to(self.device) for a in part)
            made.append(attack(network, x, y, target, seeds=image_seed).cpu().numpy())
            progress({"step": sum(map(len, made)), "steps": len(split)})
        return np.concatenate(made), aim


def _train(job: _Job) -> None:
    config, data = job.config, job.data()
    if config["training"] is None:
        raise PlausiblyError(
            "a network of one's own comes from its weights, which only the experiment file names; "
            "run the experiment again"
        )
    architecture = models.registry.from_config(config["architecture"])
    network = architecture.build(
        data.shape, len(data.class_names), seed=seeds.derive(config["seed"], "weights")
    ).to(job.device)
    checkpoint = Checkpoint(job.store.scratch(job.recipe))
    try:
        curve = train(
            network,
            defenses.from_config(config["defense"]),
            data,
            TrainingConfig(**config["training"]),
            seed=config["seed"],
            required={role: job.model(role) for role in job.recipe.parents},
            progress=job.progress,
            checkpoint=checkpoint,
            closed_form=job.recipe.numeric_path["mode"] == "closed_form",
        )
    except DivergedError as error:
        # A result like any other: the sweep goes on, and no one trains it again to see the same.
        record = {"term": error.term, "value": error.value, "step": error.step}
        write_json(job.draft / CURVE, {"diverged": {**record, "message": str(error)}})
        return
    save_file(network.state_dict(), job.draft / WEIGHTS)
    for kept in checkpoint.kept():
        shutil.copyfile(kept, job.draft / kept.name)
    _write_curve(job.draft, network, data, curve)


def _write_curve(draft: Path, network: nn.Module, data: Data, points: list[dict[str, Any]]) -> None:
    final = {"valid": accuracy(network, data.valid), "test": accuracy(network, data.test)}
    write_json(draft / CURVE, {"points": points, "accuracy": final})


def _select(job: _Job) -> None:
    """Choose one candidate of a sweep on the validation images; see `config.Selection`."""
    config, data = job.config, job.data()
    valid = evenly(data.valid, MEASURED)
    strengths = [attacks.create("fgsm", eps=eps, space=config["space"]) for eps in config["eps"]]

    def examples(network: nn.Module) -> list[Split]:
        made = [
            job.attack(attack, network, valid, len(data.class_names), lambda _event: None)[0]
            for attack in strengths
        ]
        return [Split(rendering.to_pixels(images), valid.labels) for images in made]

    def mean_accuracy(network: nn.Module, splits: list[Split]) -> float:
        return float(np.mean([accuracy(network, split) for split in splits]))

    reference = job.model("reference")
    transferred = examples(reference)
    floor = accuracy(reference, valid) - config["clean_drop"]
    table: list[dict[str, Any]] = []
    for done, value in enumerate(config["values"]):
        role = CANDIDATE.format(number=done)
        artifact = job.parent(role)
        if diverged(artifact):
            table.append({"value": value, "diverged": artifact.json(CURVE)["diverged"]["message"]})
            continue
        network = job.model(role)
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
    allowed = [row for row in table if row.get("allowed")]
    if not allowed:
        seen = ", ".join(f"{row['value']:g}: {row.get('clean', 'diverged')}" for row in table)
        raise PlausiblyError(
            f"no {config['parameter']} keeps a clean validation accuracy of {floor:.3f} "
            f"({seen}); sweep smaller values, or raise selection.clean_drop"
        )
    # Of equals the smallest value.
    chosen = max(allowed, key=lambda row: (row["transferred"], -row["value"]))
    write_json(
        job.draft / RESULT,
        {CHOSEN: chosen["value"], "clean_floor": floor, "candidates": table, "images": len(valid)},
    )


def _attack(job: _Job) -> None:
    """Attack every test image; what is stored is measured on the 8-bit pixels."""
    data = job.data()
    network = job.model("model")
    attack = attacks.registry.from_config(job.config["attack"])
    clean, labels = data.test.pixels, data.test.labels
    examples, aim = job.attack(attack, network, data.test, len(data.class_names), job.progress)
    pixels = rendering.to_pixels(examples)
    before, before_confidence = predict(network, data.test.images)
    unrounded, _ = predict(network, examples)
    after, after_confidence = predict(network, rendering.to_images(pixels))
    difference = (pixels.astype(np.int64) - clean.astype(np.int64)).reshape(len(labels), -1)
    write_arrays(
        job.draft / EXAMPLES,
        clean=clean,
        pixels=pixels,
        true_label=labels,
        target=aim if attack.targeted else after,
        before_label=before,
        before_confidence=before_confidence,
        label=after,
        confidence=after_confidence,
        unrounded_label=unrounded,
        linf=np.abs(difference).max(1) / 255,
        l2=np.sqrt(np.square(difference).sum(1)) / 255,
        l0=(difference.reshape(clean.shape) != 0).any(1).reshape(len(labels), -1).sum(1),
    )


def _explain(job: _Job) -> None:
    """Explain the model on the clean test images and on the examples made for it."""
    data = job.data()
    network = job.model("model")
    method = saliency.registry.from_config(job.config["saliency"])
    maps = {"clean": method.attribute(network, data.test.images, data.test.labels)}
    for role in sorted(set(job.recipe.parents) - {"model"}):
        images = rendering.to_images(job.parent(role).arrays(EXAMPLES)["pixels"])
        maps[role] = method.attribute(network, images, data.test.labels)
        job.progress({"step": len(maps), "steps": len(job.recipe.parents)})
    write_arrays(job.draft / MAPS, **maps)
    write_json(job.draft / RESULT, {"quantity": method.quantity, "images": sorted(maps)})


def _measure(job: _Job) -> None:
    """Measure one model on clean images.

    Of the test images: `labels` (N,), `log_probabilities` and `gradient_norms` (N, K), the
    latter of the cross-entropy with every label; `zero_gradient` (N,): the true label's is exactly
    zero in every pixel, so that FGSM returns the image as it was, which is gradient masking and
    not robustness (Carlini et al. 2019); `smoothness` and `edge_alignment` (N,) of the paper's
    map, the gradient of the summed log-probabilities. Of train and test images: the penultimate
    features' `singular_values` (D,) and the head's `margins` (N,).
    """
    data = job.data()
    network = job.model("model")
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
    write_arrays(
        job.draft / MEASURES,
        labels=test.labels,
        log_probabilities=inference.logits(network, test.images).log_softmax(1).numpy(),
        gradient_norms=norms,
        zero_gradient=norms[np.arange(len(test)), test.labels] == 0,
        smoothness=gradients.smoothness(maps),
        edge_alignment=gradients.edge_alignment(maps, test.images),
        **layers,
    )


def _curve(job: _Job) -> None:
    """Test models on the examples made for one, as a parameter of the attack grows.

    Predictions are those of the rounded 8-bit pixels: (values, N) by label of the model tested.
    """
    config, data = job.config, job.data()
    split = evenly(getattr(data, config["split"]), config["images"])
    ((parameter, values),) = config["over"].items()
    attack = attacks.registry.from_config(config["attack"])
    source, tested = job.model("source"), job.models()
    found: dict[str, list[NDArray[np.int64]]] = {label: [] for label in tested}
    for done, value in enumerate(values):
        changed = vary(attack, parameter, value)
        made, _ = job.attack(changed, source, split, len(data.class_names), lambda _event: None)
        images = rendering.to_images(rendering.to_pixels(made))
        for label, network in tested.items():
            found[label].append(predict(network, images)[0])
        job.progress({"step": done + 1, "steps": len(values)})
    write_arrays(
        job.draft / PREDICTIONS,
        labels=split.labels,
        **{label: np.stack(parts) for label, parts in found.items()},
    )


def _training_time(job: _Job) -> None:
    """Test the kept weights of one training: clean, under attack, and on the reference's examples.

    As if the training had ended there, so that the defense finishes them too.

    `steps` (S,), and predictions (S, N) as `clean`, `white_box` and `transferred`, of the rounded
    8-bit pixels.
    """
    config, data = job.config, job.data()
    split = evenly(data.test, config["images"])
    attack = attacks.registry.from_config(config["attack"])
    artifact = job.parent("model")
    steps = sorted(
        int(name.removeprefix("weights-").removesuffix(".safetensors"))
        for name in artifact.manifest["files"]
        if name.startswith("weights-")
    )

    def examples(network: nn.Module) -> NDArray[np.float32]:
        made, _ = job.attack(attack, network, split, len(data.class_names), lambda _event: None)
        return rendering.to_images(rendering.to_pixels(made))

    transferred = examples(job.model("reference"))
    found: dict[str, list[NDArray[np.int64]]] = {"clean": [], "white_box": [], "transferred": []}
    defense = defenses.from_config(artifact.recipe.config["defense"])
    for done, step in enumerate(steps):
        network = job.model("model", step=step)
        defense.finalize(network, data.train)
        found["clean"].append(predict(network, split.images)[0])
        found["white_box"].append(predict(network, examples(network))[0])
        found["transferred"].append(predict(network, transferred)[0])
        job.progress({"step": done + 1, "steps": len(steps)})
    write_arrays(
        job.draft / PREDICTIONS,
        labels=split.labels,
        steps=np.array(steps),
        **{name: np.stack(parts) for name, parts in found.items()},
    )


def _evaluate(job: _Job) -> None:
    """Test every model on the clean images and on the examples made for every model."""
    data = job.data()
    labels = data.test.labels
    result: dict[str, Any] = {"images": len(labels), "models": {}, "examples": {}}
    networks = job.models()
    for label, network in networks.items():
        measures = job.parent(f"measures:{label}").arrays(MEASURES)
        result["models"][label] = {
            "clean_accuracy": accuracy(network, data.test),
            "zero_gradient_share": float(measures["zero_gradient"].mean()),
        }
    sources = [role for role in job.recipe.parents if role.startswith("examples:")]
    for done, role in enumerate(sources):
        _, source, attack = role.split(":")
        made = job.parent(role).arrays(EXAMPLES)
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
        job.progress({"step": done + 1, "steps": len(sources)})
    write_json(job.draft / RESULT, result)


def _write_index(job: _Job) -> None:
    write_json(job.draft / INDEX, job.config)


def _linear_theory(job: _Job) -> None:
    from engine import linear_theory

    linear_theory.make(linear_theory.LinearTheory(**job.config), job.draft)


def evenly(split: Split, count: int | None) -> Split:
    """Return `count` images of a split, evenly spaced, or all of them when there are not more."""
    if count is None or count >= len(split):
        return split
    chosen = np.linspace(0, len(split) - 1, count).round().astype(np.int64)
    return Split(split.pixels[chosen], split.labels[chosen])


@lru_cache(maxsize=2)
def _load_data(config: str) -> Data:
    return datasets.registry.from_config(json.loads(config)).load()


_JOBS: dict[str, Callable[[_Job], None]] = {
    "model": _train,
    "selection": _select,
    "examples": _attack,
    "maps": _explain,
    "measures": _measure,
    "curve": _curve,
    "training_time": _training_time,
    "evaluation": _evaluate,
    "experiment": _write_index,
    "linear_theory": _linear_theory,
}
