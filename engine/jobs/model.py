"""Kind `model`: a trained network, or one of people's own."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import datasets, defenses, models, seeds
from engine.artifacts import Artifact, ArtifactStore, Recipe, Role, write_json
from engine.datasets import Data
from engine.errors import DivergedError, PlausiblyError
from engine.jobs._kinds import Reader

if TYPE_CHECKING:
    from torch import nn

    from engine.jobs.context import Job
    from engine.networks.probe import Probe

VERSION = None
WEIGHTS = "weights.safetensors"
CURVE = "curve.json"
CODE = "code.json"
"""Of a network of one's own: the SHA-256 of each file of its code."""
NOT_RECORDED = "not recorded"
PROBE = "probe.json"
"""What the network's probe has to tell; there is none where that is nothing."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def make(job: Job) -> None:
    """Probe the network and train it, or go on where an earlier process stopped."""
    from safetensors.torch import save_file

    from engine.networks.state import separate
    from engine.training.checkpoint import Checkpoint
    from engine.training.loop import TrainingConfig, train

    config, data = job.config, job.data()
    if config["training"] is None:
        raise PlausiblyError(
            "a network of one's own comes from its weights, which only the experiment file names; "
            "run the experiment again"
        )
    architecture = models.registry.from_config(config["architecture"])
    network, found = fresh(architecture, data, config["seed"])
    network.to(job.device)
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
    save_file(separate(network.state_dict()), job.draft / WEIGHTS)
    for kept in checkpoint.kept():
        shutil.copyfile(kept, job.draft / kept.name)
    _write_curve(job.draft, network, data, curve)
    _write_code(job.draft, job.recipe, architecture)
    _write_probe(job.draft, found)


def fresh(architecture: models.Architecture, data: Data, seed: int) -> tuple[nn.Module, Probe]:
    """Return the network that a training begins with, on the CPU, and what its probe found.

    Args:
        architecture: of the network.
        data: what it is trained on.
        seed: the experiment's.

    Raises:
        UsageError: the network cannot be built, or not be used; see `engine.networks.probe`.
    """
    classes = len(data.class_names)
    network = architecture.build(data.shape, classes, seed=seeds.derive(seed, "weights"))
    return network, _probed(network, architecture, data)


def adopt(recipe: Recipe, store: ArtifactStore, architecture: models.Architecture) -> Artifact:
    """Store a pretrained network as the artifact of `recipe`, or return it when it is there.

    Not in a worker: what workers get holds the weights' hash and not where they lie.

    Raises:
        UsageError: its weights cannot be read or do not fit, or the network cannot be used.
    """
    from safetensors.torch import save_file

    from engine.networks.state import separate

    stored = store.find(recipe)
    if stored is not None:
        return stored
    data = datasets.registry.from_config(recipe.config["dataset"]).load()
    network = architecture.build(data.shape, len(data.class_names), seed=0).eval()
    found = _probed(network, architecture, data)
    with store.draft(recipe, seed=recipe.config["seed"]) as draft:
        save_file(separate(network.state_dict()), draft / WEIGHTS)
        _write_curve(draft, network, data, [])
        _write_code(draft, recipe, architecture)
        _write_probe(draft, found)
    return store.get(recipe.kind, recipe.key)


def read(artifact: Artifact, reader: Reader) -> dict[str, Any]:
    """Return how the training went; `engine.jobs.context.load_model` gives the network."""
    curve: dict[str, Any] = artifact.json(CURVE)
    return curve


def notes(artifact: Artifact) -> tuple[str, ...]:
    """Return what people should know of a network, in sentences; none for most."""
    if PROBE not in artifact.manifest["files"]:
        return ()
    return tuple(artifact.json(PROBE)["notes"])


def diverged(artifact: Artifact) -> bool:
    """Whether a model artifact stands for a training that ended in NaN, and has no weights."""
    return WEIGHTS not in artifact.manifest["files"]


def divergence(artifact: Artifact) -> str:
    """Return what happened in a training that diverged, in a sentence."""
    return str(artifact.json(CURVE)["diverged"]["message"])


def weights(artifact: Artifact) -> int | None:
    """Return how many numbers a training decides; None for one that diverged.

    BatchNorm's running statistics are stored beside them and are no weights.
    """
    if diverged(artifact):
        return None
    # Of safetensors the beginning tells the shapes: eight bytes of length, then JSON.
    data = artifact.read(WEIGHTS)
    header: dict[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return sum(
        math.prod(map(int, tensor["shape"]))
        for name, tensor in header.items()
        if name != "__metadata__" and name.rpartition(".")[2] not in _STATISTICS
    )


def code(artifact: Artifact) -> dict[str, str]:
    """Return the SHA-256 of each file of the code of a network of one's own, by its path.

    None where the code was not recorded, or is all of this program.
    """
    found: dict[str, str] = artifact.json(CODE) if CODE in artifact.manifest["files"] else {}
    return found


def code_sha256(artifact: Artifact) -> str | None:
    """Return the SHA-256 of the code of a network of one's own, or that it was not recorded.

    None for a network of this program.
    """
    architecture = artifact.recipe.config.get("architecture", {})
    if architecture.get("name") != "external":
        return None
    return str(architecture.get("code_sha256") or NOT_RECORDED)


def _write_code(draft: Path, recipe: Recipe, architecture: models.Architecture) -> None:
    # A model that is made again, and was stored when code was not recorded, has none either.
    if recipe.config["architecture"].get("code_sha256") is not None:
        write_json(draft / CODE, dict(architecture.code()))


def _write_curve(draft: Path, network: nn.Module, data: Data, points: list[dict[str, Any]]) -> None:
    from engine.training.loop import accuracy

    final = {"valid": accuracy(network, data.valid), "test": accuracy(network, data.test)}
    write_json(draft / CURVE, {"points": points, "accuracy": final})


def _probed(network: nn.Module, architecture: models.Architecture, data: Data) -> Probe:
    from engine.networks.probe import probe, some

    # Without the path of its weights: what is read back from an artifact does not know it.
    stored = models.registry.from_config(architecture.config())
    classes = len(data.class_names)
    return probe(
        network,
        some(data.train),
        classes,
        name=architecture.called,
        again=lambda: stored.build(data.shape, classes, seed=0),
    )


def _write_probe(draft: Path, found: Probe) -> None:
    if found.notes:
        write_json(draft / PROBE, found.to_json())
