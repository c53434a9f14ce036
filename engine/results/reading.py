"""Reading a finished experiment: by defense, attack and saliency label, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Artifact, ArtifactStore, Role, labels_of
from engine.errors import UsageError
from engine.results.names import (
    EXAMPLES,
    GRID,
    INDEX,
    LADDER,
    MAPS,
    MEASURES,
    MINIMUM_NORM,
    PREDICTED,
    PREDICTIONS,
    RESULT,
    WEIGHTS,
)
from engine.robustness.doubt import Ladder


@dataclass(frozen=True)
class Examples:
    """What one attack made of every test image of one model; arrays of length N.

    Prediction, confidence and norms are those of the rounded 8-bit pixels on the original model.

    Attributes:
        artifact: where they are stored.
        clean, pixels: uint8 (N, C, H, W), before and after.
        true_label: the dataset's label.
        target: the class aimed at, or for an untargeted attack the class it ended in.
        before_label, before_confidence: the model's answer to the clean image.
        label, confidence: the model's answer to the example.
        unrounded_label: its answer before rounding.
        linf, l2: norms of the change, in units of the pixel range; l0: number of changed pixels.
    """

    artifact: Artifact
    clean: NDArray[np.uint8]
    pixels: NDArray[np.uint8]
    true_label: NDArray[np.int64]
    target: NDArray[np.int64]
    before_label: NDArray[np.int64]
    before_confidence: NDArray[np.float32]
    label: NDArray[np.int64]
    confidence: NDArray[np.float32]
    unrounded_label: NDArray[np.int64]
    linf: NDArray[np.float64]
    l2: NDArray[np.float64]
    l0: NDArray[np.int64]

    @property
    def mistakes(self) -> NDArray[np.bool_]:
        """(N,) whether the example is a mistake stimulus: prediction = target, not the truth."""
        hit: NDArray[np.bool_] = (self.label == self.target) & (self.label != self.true_label)
        return hit


@dataclass(frozen=True)
class Grid:
    """What one attack made of some test images of one model, with every class as the target.

    Answers and norms are those of the rounded 8-bit pixels on the original model. Where the target
    is the true class stands the clean image.

    Attributes:
        clean: uint8 (M, C, H, W), equally many of each class, in the order of classes.
        true_label: (M,).
        pixels: uint8 (M, K, C, H, W), by target.
        label, confidence: the model's answers, (M, K).
        linf, l2: norms of the change, in units of the pixel range; l0: number of changed pixels.
    """

    clean: NDArray[np.uint8]
    true_label: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    label: NDArray[np.int64]
    confidence: NDArray[np.float32]
    linf: NDArray[np.float64]
    l2: NDArray[np.float64]
    l0: NDArray[np.int64]

    @property
    def hit(self) -> NDArray[np.bool_]:
        """(M, K) whether the answer is the target, and that is not the truth."""
        target = np.arange(self.label.shape[1])
        hit: NDArray[np.bool_] = (self.label == target) & (target != self.true_label[:, None])
        return hit


@dataclass(frozen=True)
class MinimumNorm:
    """The smallest disturbance found that makes one model err, image by image.

    Attributes:
        norm_name: "linf" or "l2".
        split: whose images.
        labels: true labels (N,).
        norm: before rounding, in units of the pixel range; 0 where the model errs undisturbed, inf
            where nothing was found.
        rounded_away: (N,) whether rounding to 8 bits undoes it.
    """

    norm_name: str
    split: str
    labels: NDArray[np.int64]
    norm: NDArray[np.float64]
    rounded_away: NDArray[np.bool_]

    def share_within(self, eps: Iterable[float]) -> NDArray[np.float64]:
        """Return the share of images with an adversarial example within each eps."""
        return np.array([(self.norm <= each).mean() for each in eps])


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


def diverged(model: Artifact) -> bool:
    """Whether a model artifact stands for a training that ended in NaN, and has no weights."""
    return WEIGHTS not in model.manifest["files"]


class Results:
    """The artifacts of one finished run of an experiment.

    Args:
        store: where its artifacts lie.
        index: its `experiment` artifact.
    """

    def __init__(self, store: ArtifactStore, index: Artifact) -> None:
        self._store = store
        self.index = index
        self._examples = cache(self._load_examples)
        self._maps = cache(self._load_maps)
        self._curves = cache(self._load_curve)
        self._measures = cache(self._load_measures)
        self._ladders = cache(self._load_ladder)
        self._grids = cache(self._load_grid)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Name, title, dataset, seed, class_names, and titles by label in the experiment's order:
        defenses, attacks, curves, grids, minimum_norms, saliency."""
        config: dict[str, Any] = self.index.json(INDEX)
        return {
            **config,
            **{noun: dict(config[noun]) for noun in ("defenses", "attacks", "saliency")},
            **{noun: dict(config.get(noun, [])) for noun in ("curves", "grids", "minimum_norms")},
        }

    @property
    def name(self) -> str:
        """The experiment's name."""
        return str(self.config["name"])

    @property
    def class_names(self) -> list[str]:
        """Labels in words, by class."""
        return list(self.config["class_names"])

    @property
    def data_sha256(self) -> str:
        """Checksum of the dataset."""
        return str(self.index.recipe.data_sha256)

    def artifact(self, role: Role) -> Artifact:
        """Return an artifact by its role in the run: Role("measures", "none").

        Raises:
            UsageError: the run has no such role; the message lists those it has.
        """
        parents = self.index.recipe.parents
        parent = parents.get(str(role))
        if parent is None:
            raise UsageError(
                f"experiment {self.name!r} has no '{role}'; it has: {', '.join(sorted(parents))}"
            )
        return self._store.get(parent.kind, parent.key)

    def model(self, defense: str) -> Artifact:
        """Return the model artifact of `defense`."""
        return self.artifact(Role("model", defense))

    def evaluation(self) -> dict[str, Any]:
        """Return clean accuracies, shares of zero gradients, and the transfer matrices."""
        result: dict[str, Any] = self.artifact(Role("evaluation")).json(RESULT)
        return result

    def curve(self, curve: str, source: str) -> Predictions:
        """Return the predictions on the examples of a swept attack on the model `source`."""
        return self._curves(curve, source)

    def grid(self, defense: str, grid: str) -> Grid:
        """Return the examples for every class as the target, made for the model with `defense`."""
        return self._grids(defense, grid)

    def minimum_norm(self, curve: str, defense: str) -> MinimumNorm:
        """Return the smallest disturbances found for the model with `defense`."""
        artifact = self.artifact(Role("minimum_norm", curve, defense))
        config = artifact.recipe.config
        return MinimumNorm(
            config["attack"]["norm"], config["split"], **artifact.arrays(MINIMUM_NORM)
        )

    def ladder(self, defense: str) -> Ladder | None:
        """Return the answers of the model with `defense` on every rung, those on FGSM examples
        made for the other models included; None where the experiment doubts nothing."""
        return self._ladders(defense)

    def doubts(self, defense: str) -> dict[str, Any]:
        """Return the `reasons` to doubt the robustness of the model with `defense`, and all
        `checks` (`engine.robustness.doubt.Doubt`) as JSON; both empty where nothing is doubted."""
        found: dict[str, Any] = self.evaluation()["models"][defense].get(
            "doubt", {"reasons": [], "checks": []}
        )
        return found

    def measures(self, defense: str) -> dict[str, NDArray[Any]]:
        """Return what was measured of the model with `defense`, as arrays by name."""
        return self._measures(defense)

    def training_time(self, defense: str) -> dict[str, NDArray[np.int64]]:
        """Return the kept `steps` (S,) and predictions (S, N) with their weights.

        `clean`, `white_box`, and `transferred` from the reference model; `labels` (N,).
        """
        return self.artifact(Role("training_time", defense)).arrays(PREDICTIONS)

    def selection(self, defense: str) -> dict[str, Any] | None:
        """Return how a swept defense's model was chosen; None where there was nothing to choose."""
        role = Role("selection", defense)
        if str(role) not in self.index.recipe.parents:
            return None
        result: dict[str, Any] = self.artifact(role).json(RESULT)
        return result

    def examples(self, defense: str, attack: str) -> Examples:
        """Return the examples that `attack` made for the model with `defense`."""
        return self._examples(defense, attack)

    def maps(self, defense: str, method: str) -> tuple[str, dict[str, NDArray[np.float32]]]:
        """Return the quantity, and signed maps (N, C, H, W) by image: "clean" or an attack."""
        return self._maps(defense, method)

    def _load_examples(self, defense: str, attack: str) -> Examples:
        artifact = self.artifact(Role("examples", defense, attack))
        return Examples(artifact, **artifact.arrays(EXAMPLES))

    def _load_curve(self, curve: str, source: str) -> Predictions:
        artifact = self.artifact(Role("curve", curve, source))
        (values,) = artifact.recipe.config["over"].values()
        arrays = artifact.arrays(PREDICTIONS)
        start = PREDICTED.format(label="")
        # Version 1 kept them beside the labels.
        tested = {name.removeprefix(start): arrays[name] for name in set(arrays) - {"labels"}}
        return Predictions(list(values), arrays["labels"], tested)

    def _load_measures(self, defense: str) -> dict[str, NDArray[Any]]:
        return self.artifact(Role("measures", defense)).arrays(MEASURES)

    def _load_grid(self, defense: str, grid: str) -> Grid:
        return Grid(**self.artifact(Role("grid", grid, defense)).arrays(GRID))

    def _load_ladder(self, defense: str) -> Ladder | None:
        sources = labels_of("ladder", self.index.recipe.parents)
        if not sources:
            return None
        by_source = {each: self.artifact(Role("ladder", each)).arrays(LADDER) for each in sources}
        return climbed(by_source, defense)

    def _load_maps(self, defense: str, method: str) -> tuple[str, dict[str, NDArray[np.float32]]]:
        artifact = self.artifact(Role("maps", defense, method))
        return artifact.json(RESULT)["quantity"], artifact.arrays(MAPS)


def climbed(by_source: Mapping[str, Mapping[str, NDArray[Any]]], defense: str) -> Ladder:
    """Return one model's ladder from the arrays that are stored for every model."""
    own = {k: v for k, v in by_source[defense].items() if not k.startswith("transferred_")}
    eps = [float(each) for each in own.pop("eps")]
    transferred = {
        source: arrays[f"transferred_{defense}"]
        for source, arrays in by_source.items()
        if source != defense
    }
    return Ladder(eps, **own, transferred=transferred)


def find(store: ArtifactStore, name: str) -> Results:
    """Return the newest finished run of the experiment `name`.

    Raises:
        UsageError: it has not been run here.
    """
    runs = everything(store)
    if name not in runs:
        known = ", ".join(sorted(runs)) or "none yet"
        raise UsageError(f"experiment {name!r} has not been run here; finished: {known}")
    return runs[name]


def everything(store: ArtifactStore) -> dict[str, Results]:
    """Return the newest finished run of every experiment, by name."""
    runs = (Results(store, index) for index in store.all("experiment"))
    return {results.name: results for results in runs}


def doubted(runs: Iterable[Results], defense: str) -> set[str]:
    """Return the reasons to doubt the models with `defense` that any of the runs found."""
    return {reason for results in runs for reason in results.doubts(defense)["reasons"]}


def by_dataset(runs: Iterable[Results]) -> dict[str, list[Results]]:
    """Return the runs of an experiment by the label of their dataset, "" where it has one only."""
    grouped: dict[str, list[Results]] = {}
    for results in runs:
        grouped.setdefault(results.config["dataset_label"], []).append(results)
    return grouped
