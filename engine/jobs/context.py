"""What a job has at hand: its recipe, its parents, its data and the folder it writes into."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import nn

from engine import attacks, canonical, datasets, models, rendering, seeds
from engine.artifacts import Artifact, ArtifactStore, Recipe, Role, labels_of
from engine.attacks import eight_bit
from engine.datasets import Data, Split
from engine.errors import ChangedCodeError, PlausiblyError, UsageError
from engine.jobs import _old_layouts, model
from engine.jobs._kinds import Reader
from engine.jobs._measuring import EightBit
from engine.jobs._requests import TARGET_OF
from engine.jobs.source import Source
from engine.networks import inference
from engine.training.checkpoint import KEPT
from engine.training.loop import Progress


def _ignore(_event: object) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Job:
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
        """What the recipe says, as plain JSON values."""
        return self.recipe.config

    def parent(self, role: Role) -> Artifact:
        """Return the artifact that the recipe has as `role`."""
        return self.store.parent(self.recipe.parents[str(role)])

    def model(self, role: Role, *, step: int | None = None) -> nn.Module:
        """Return the network of a parent, on the job's device; see `load_model`."""
        return load_model(self.parent(role), step=step).to(self.device)

    def models(self) -> dict[str, nn.Module]:
        """Return the networks of the roles `model:LABEL`, by label."""
        labels = labels_of("model", self.recipe.parents)
        return {label: self.model(Role("model", label)) for label in labels}

    def data(self) -> Data:
        """Return the dataset, kept for the next job of this process.

        Raises:
            UsageError: it is not the one that the recipe was made for.
        """
        config = canonical.dumps(self.config["dataset"])
        data = _load_data(config)
        if data.sha256 != self.recipe.data_sha256:  # the files may have changed since
            _load_data.cache_clear()
            data = _load_data(config)
        if data.sha256 != self.recipe.data_sha256:
            raise UsageError(
                f"dataset {self.config['dataset']['name']} has checksum {data.sha256[:12]}…, "
                f"the recipe wants {str(self.recipe.data_sha256)[:12]}…"
            )
        return data

    def split(self) -> Split:
        """Return the images of the dataset's split that the recipe names."""
        return self.data().split(self.config["split"])

    def source(self) -> Split:
        """Return the test images from the recipe's source; earlier recipes have none."""
        role = Role("source")
        if str(role) not in self.recipe.parents:
            return self.split()
        found: Source = Reader(self.store).read(self.parent(role))
        return Split(found.pixels, found.labels)

    def attack(
        self,
        attack: attacks.Attack,
        network: nn.Module,
        split: Split,
        *,
        target: NDArray[np.int64] | None = None,
        places: NDArray[np.int64] | None = None,
        progress: Progress = _ignore,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return examples (N, C, H, W) for every image of `split`, and the targets (N,).

        An image's seed is derived from its place in `split`, or from that in `places` (N,). Without
        `target` the configuration's rule chooses it, by default the next class.
        """
        aim = self._aim(network, split, places) if target is None else target
        image_seeds = np.array(
            [
                seeds.derive(self.config["seed"], attack.name, int(place))
                for place in (range(len(split)) if places is None else places)
            ]
        )
        images = split.images
        # Once, and not for every batch.
        network = attack.prepared(network, torch.from_numpy(images[:2]).to(self.device))
        made = []
        arrays = (images, split.labels, aim, image_seeds)
        for part in inference.parts(network, *arrays, work="attacks"):
            x, y, t, image_seed = (torch.from_numpy(each).to(self.device) for each in part)
            made.append(attack(network, x, y, t, seeds=image_seed).cpu().numpy())
            progress({"step": sum(map(len, made)), "steps": len(split)})
        return np.concatenate(made), aim

    def eight_bit(
        self,
        attack: attacks.Attack,
        network: nn.Module,
        split: Split,
        examples: NDArray[np.float32],
    ) -> EightBit:
        """Return `examples` (N, C, H, W) as their 8-bit pixels are, kept in the attack's ball.

        Args:
            attack: what made them.
            network: for which.
            split: the images that they were made from.
            examples: as `attack` returned them.
        """
        if _old_layouts.leaves_the_ball(self.recipe):
            return EightBit(rendering.to_pixels(examples), None)
        ball = attack.pixel_ball
        pixels = rendering.to_pixels(eight_bit.rounded_images(examples, split.images, ball))
        limit = attack.budget() if ball is None else None
        if limit is None:
            return EightBit(pixels, None)
        found = [
            eight_bit.excess(network, torch.from_numpy(before), torch.from_numpy(after), limit)
            for before, after in inference.parts(network, split.pixels, pixels, work="answers")
        ]
        return EightBit(pixels, torch.cat(found).numpy())

    def _aim(
        self, network: nn.Module, split: Split, places: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        rule = self.config.get("target", "next_class")
        if rule == "random":
            labels = split.labels if places is None else self.source().labels
            classes = inference.logits(network, split.images[:1]).shape[1]
            seed = seeds.derive(self.config["seed"], "target", self.config[TARGET_OF])
            drawn = attacks.random_targets(labels, classes, seed)
            return drawn if places is None else drawn[places]
        answers = inference.logits(network, split.images)
        chosen: NDArray[np.int64] = attacks.choose_target(
            rule, torch.from_numpy(split.labels), answers
        ).numpy()
        return chosen


def load_model(artifact: Artifact, *, step: int | None = None) -> nn.Module:
    """Return the trained network of a model artifact, in evaluation mode.

    Args:
        artifact: of kind "model".
        step: one of the steps whose weights were kept; None means the finished training.

    Raises:
        PlausiblyError: the training diverged, so that there are no weights.
        UsageError: the code of a network of one's own is not what it was.
    """
    if model.diverged(artifact):
        raise PlausiblyError(model.divergence(artifact))
    config = artifact.recipe.config
    weights = load(artifact.read(model.WEIGHTS if step is None else KEPT.format(step=step)))
    try:
        architecture = models.registry.from_config(config["architecture"])
    except ChangedCodeError as error:
        changed = ", ".join(models.changes(model.code(artifact), error.files))
        raise UsageError(
            f"model/{artifact.key[:12]}… was made with other code: {changed} changed since (last "
            f"written: {error.last_changed}); put it back as it was, or run the experiment file "
            "again: changed code is another model"
        ) from None
    network = architecture.build(tuple(config["shape"]), config["classes"], seed=0)
    network.load_state_dict(weights)
    return network.eval()


@lru_cache(maxsize=2)
def _load_data(config: str) -> Data:
    return datasets.registry.from_config(json.loads(config)).load()
