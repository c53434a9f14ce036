"""The computations behind each kind of artifact, run in worker processes.

A job takes a recipe alone: everything it needs is in the recipe's configuration and parents, so the
same job can be run anywhere, and again from a manifest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from engine import attacks, datasets, defenses, models, rendering, saliency, seeds
from engine.artifacts import (
    Artifact,
    ArtifactStore,
    Recipe,
    Role,
    labels_of,
    write_arrays,
    write_json,
)
from engine.datasets import Data, Split, evenly
from engine.errors import DivergedError, PlausiblyError
from engine.jobs import evaluation, ladder
from engine.jobs.context import MEASURED, Job
from engine.networks import devices
from engine.networks.inference import predict
from engine.results import (
    CANDIDATE,
    CHOSEN,
    CURVE,
    EXAMPLES,
    INDEX,
    MAPS,
    RESULT,
    WEIGHTS,
    diverged,
)
from engine.training.checkpoint import Checkpoint
from engine.training.loop import Progress, TrainingConfig, accuracy, train


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
    # Does what torch.use_deterministic_algorithms does, without importing torch's compiler: that
    # takes two seconds in every worker, and nothing here is compiled.
    torch.set_deterministic_debug_mode("warn" if on_gpu else "error")
    with store.draft(
        recipe, seed=recipe.config.get("seed"), device=devices.describe(device)
    ) as draft:
        _JOBS[recipe.kind](Job(recipe, store, draft, progress, torch.device(device)))
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


def _train(job: Job) -> None:
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
            required={role: job.model(Role(role)) for role in job.recipe.parents},
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


def _select(job: Job) -> None:
    """Choose one candidate of a sweep on the validation images; see `config.Selection`."""
    config, data = job.config, job.data()
    valid = evenly(data.valid, MEASURED)
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
        role = Role(CANDIDATE, f"{done:02}")
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


def _attack(job: Job) -> None:
    """Attack every test image; what is stored is measured on the 8-bit pixels."""
    data = job.data()
    network = job.model(Role("model"))
    attack = attacks.registry.from_config(job.config["attack"])
    clean, labels = data.test.pixels, data.test.labels
    examples, aim = job.attack(attack, network, data.test, progress=job.progress)
    pixels = rendering.to_pixels(examples)
    before, before_confidence = predict(network, data.test.images)
    unrounded, _ = predict(network, examples)
    after, after_confidence = predict(network, rendering.to_images(pixels))
    write_arrays(
        job.draft / EXAMPLES,
        {
            "clean": clean,
            "pixels": pixels,
            "true_label": labels,
            "target": aim if attack.targeted else after,
            "before_label": before,
            "before_confidence": before_confidence,
            "label": after,
            "confidence": after_confidence,
            "unrounded_label": unrounded,
            **evaluation.norms(pixels, clean),
        },
    )


def _explain(job: Job) -> None:
    """Explain the model on the clean test images and on the examples made for it."""
    data = job.data()
    network = job.model(Role("model"))
    method = saliency.registry.from_config(job.config["saliency"])
    maps = {"clean": method.attribute(network, data.test.images, data.test.labels)}
    for attack in sorted(labels_of("examples", job.recipe.parents)):
        made = job.parent(Role("examples", attack)).arrays(EXAMPLES)
        images = rendering.to_images(made["pixels"])
        maps[attack] = method.attribute(network, images, data.test.labels)
        job.progress({"step": len(maps), "steps": len(job.recipe.parents)})
    write_arrays(job.draft / MAPS, maps)
    write_json(job.draft / RESULT, {"quantity": method.quantity, "images": sorted(maps)})


def _write_index(job: Job) -> None:
    write_json(job.draft / INDEX, job.config)


def _linear_theory(job: Job) -> None:
    from engine.theory import linear

    linear.make(linear.LinearTheory(**job.config), job.draft)


_JOBS: dict[str, Callable[[Job], None]] = {
    "model": _train,
    "selection": _select,
    "examples": _attack,
    "maps": _explain,
    "measures": evaluation.measure,
    "curve": evaluation.curve,
    "minimum_norm": evaluation.minimum_norm,
    "grid": evaluation.grid,
    "ladder": ladder.make,
    "training_time": evaluation.training_time,
    "evaluation": evaluation.evaluate,
    "experiment": _write_index,
    "linear_theory": _linear_theory,
}
