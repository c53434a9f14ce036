"""Reading a finished experiment: its artifacts by role, and what they hold.

`Results.read` reads any kind of artifact; the methods after it are the same with a type.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import datasets
from engine.artifacts import Artifact, ArtifactStore, Role, labels_of
from engine.datasets import Publication
from engine.errors import AbsentError, UsageError
from engine.jobs import Reader, dataset, ladder, without_source
from engine.jobs import model as model_kind
from engine.jobs.answers import Answers
from engine.jobs.curve import Predictions
from engine.jobs.dataset import DataFacts
from engine.jobs.examples import Examples
from engine.jobs.grid import Grid
from engine.jobs.map_metrics import MapMetrics
from engine.jobs.maps import Maps
from engine.jobs.measures import Measures
from engine.jobs.minimum_norm import MinimumNorm
from engine.jobs.source import Source
from engine.results import naming
from engine.results.newest import shown
from engine.robustness.doubt import Ladder


class Results:
    """The artifacts of one finished run of an experiment.

    Args:
        store: where its artifacts lie.
        index: its `experiment` artifact.
    """

    def __init__(self, store: ArtifactStore, index: Artifact) -> None:
        self.store = store
        self._reader = Reader(store)
        self.index = index

    @cached_property
    def config(self) -> dict[str, Any]:
        """Name, title, dataset, seed, class_names, and titles by label.

        Titles are in the experiment's order: of defenses, and of all that a file has by label
        (`engine.jobs.experiment`).
        """
        config: dict[str, Any] = self._reader.read(self.index)
        return config

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

    @cached_property
    def data_facts(self) -> DataFacts | None:
        """What was known of the data when it was run; None where that was not recorded then."""
        found = self.store.find(dataset.recipe(self.config["dataset"], self.data_sha256))
        return None if found is None else self._reader.read(found)

    @property
    def publication(self) -> Publication:
        """Whether the data were as published when it was run."""
        if self.data_facts is not None:
            return self.data_facts.publication
        try:
            known = datasets.registry.from_config(self.config["dataset"])
        except UsageError:  # of a program that has other datasets
            return datasets.NOT_RECORDED
        return datasets.without_files(known, self.data_sha256)

    def has(self, role: Role) -> bool:
        """Say whether the run has an artifact in this role."""
        return str(role) in self.index.recipe.parents

    @cached_property
    def missing(self) -> dict[Role, str]:
        """What is not there since what makes it failed, with the sentence of the failure."""
        told: dict[str, str] = self.config["missing"]
        return {Role.parse(role): reason for role, reason in told.items()}

    @property
    def whole_models(self) -> dict[str, str]:
        """Titles by label, in the experiment's order, of the models that are there and answer."""
        titles: dict[str, str] = self.config["defenses"]
        return {k: v for k, v in titles.items() if self.absence(k) is None}

    def absence(self, defense: str) -> str | None:
        """Return why there is no such model, or none that answers; None where it is there."""
        found = (self.missing.get(Role(kind, defense)) for kind in ("model", "answers"))
        return next(filter(None, found), None)

    def require(self, defense: str) -> None:
        """Check that this model is there and answers.

        Raises:
            AbsentError: it failed.
        """
        self.refuse_failed(Role("model", defense))
        self.refuse_failed(Role("answers", defense))

    def refuse_failed(self, role: Role) -> None:
        """Check that this artifact did not fail; one that nobody asked for did not.

        Raises:
            AbsentError: it did.
        """
        if role in self.missing:
            whole = Role("model", naming.defense_of(role))
            if whole in self.missing:
                role = whole  # it says more than its parts
            what = f"experiment {self.name!r}: {naming.in_words(role, self.config)}"
            raise AbsentError(what, self.missing[role])

    def refuse_unfit(self, defense: str, method: str) -> None:
        """Check that `method` applies to the model with `defense`, so that there are maps.

        Raises:
            AbsentError: it does not, with the reasons, or what makes the maps failed.
        """
        fit = self.maps(defense, method).fit
        if fit.verdict == "refused":
            named = naming.in_words(Role("maps", defense, method), self.config)
            reasons = "; ".join(reason.says for reason in fit.reasons if reason.refuses)
            raise AbsentError(
                f"experiment {self.name!r}: {named}", reasons, "take another method or model"
            )

    def labels(self, kind: str) -> list[str]:
        """Return the labels that the run has artifacts of this kind for."""
        return labels_of(kind, self.index.recipe.parents)

    def artifact(self, role: Role) -> Artifact:
        """Return an artifact by its role in the run: Role("measures", "none").

        Raises:
            AbsentError: what makes it failed.
            UsageError: the run has no such role; the message lists those it has.
        """
        self.refuse_failed(role)
        parents = self.index.recipe.parents
        parent = parents.get(str(role))
        if parent is None:
            raise UsageError(
                f"experiment {self.name!r} has no '{role}'; it has: {', '.join(sorted(parents))}"
            )
        return self.store.parent(parent)

    def read(self, role: Role) -> Any:
        """Return what the artifact in this role holds, as its kind reads it; each is read once."""
        return self._reader.once(role, lambda: self._reader.read(self.artifact(role)))

    def model(self, defense: str) -> Artifact:
        """Return the model artifact of `defense`."""
        return self.artifact(Role("model", defense))

    def notes(self, defense: str) -> tuple[str, ...]:
        """Return what people should know of the network with `defense`, in sentences."""
        found: tuple[str, ...] = self._reader.once(
            ("notes", defense), lambda: model_kind.notes(self.model(defense))
        )
        return found

    @property
    def source(self) -> Source:
        """The test images with their labels and ids."""
        if not self.has(Role("source")):
            return self._some_examples().source()
        source: Source = self.read(Role("source"))
        return source

    def answers(self, defense: str) -> Answers:
        """Return what the model with `defense` says of the clean test images."""
        self.require(defense)
        if not self.has(Role("answers", defense)):
            return self._some_examples(defense).before()
        answers: Answers = self.read(Role("answers", defense))
        return answers

    def _some_examples(self, defense: str | None = None) -> Examples:
        """Return examples, of this defense, of a run that has images and answers in these alone."""
        examples: Examples = self.read(without_source(self.index.recipe.parents, defense))
        return examples

    def examples(self, defense: str, attack: str) -> Examples:
        """Return the examples that `attack` made for the model with `defense`."""
        examples: Examples = self.read(Role("examples", defense, attack))
        return examples

    def maps(self, defense: str, method: str) -> Maps:
        """Return the signed maps by `method` of the model with `defense`."""
        maps: Maps = self.read(Role("maps", defense, method))
        return maps

    def map_metrics(self, defense: str, method: str) -> MapMetrics:
        """Return what the metrics say of the maps by `method` of the model with `defense`."""
        found: MapMetrics = self.read(Role("map_metrics", defense, method))
        return found

    def evaluation(self) -> dict[str, Any]:
        """Return clean accuracies, shares of zero gradients, and the transfer matrices."""
        result: dict[str, Any] = self.read(Role("evaluation"))
        return result

    def doubts(self, defense: str) -> dict[str, Any]:
        """Return the `reasons` to doubt the robustness of a model, and all `checks`, as JSON.

        A check is an `engine.robustness.doubt.Doubt`; `notes` are what they say of the attacks.
        All are empty where it could not be examined (`missing` says why).
        """
        nothing: dict[str, Any] = {"reasons": [], "notes": [], "checks": []}
        found: dict[str, Any] = self.evaluation()["models"].get(defense, {}).get("doubt", nothing)
        return found

    def curve(self, curve: str, source: str) -> Predictions:
        """Return the predictions on the examples of a swept attack on the model `source`."""
        predictions: Predictions = self.read(Role("curve", curve, source))
        return predictions

    def grid(self, defense: str, grid: str) -> Grid:
        """Return the examples for every class as the target, made for the model with `defense`."""
        made: Grid = self.read(Role("grid", grid, defense))
        return made

    def minimum_norm(self, curve: str, defense: str) -> MinimumNorm:
        """Return the smallest disturbances found for the model with `defense`."""
        found: MinimumNorm = self.read(Role("minimum_norm", curve, defense))
        return found

    def ladder(self, defense: str) -> Ladder | None:
        """Return the answers of a model on every rung; None where the experiment doubts nothing.

        Those on examples made for the other models are included.
        """
        by_source = {each: self.read(Role("ladder", each)) for each in self.labels("ladder")}
        return ladder.climbed(by_source, defense) if by_source else None

    def measures(self, defense: str) -> Measures:
        """Return what was measured of the model with `defense`, and why the rest was not."""
        measures: Measures = self.read(Role("measures", defense))
        return measures

    def training_time(self, defense: str) -> dict[str, NDArray[np.int64]]:
        """Return the kept `steps` (S,) and predictions (S, N) with their weights.

        `clean`, `white_box`, and `transferred` from the reference model; `labels` (N,). Likewise
        `valid_white_box` with `valid_labels`, of validation images; earlier versions have none.
        """
        found: dict[str, NDArray[np.int64]] = self.read(Role("training_time", defense))
        return found

    def selection(self, defense: str) -> dict[str, Any] | None:
        """Return how a swept defense's model was chosen; None where there was nothing to choose."""
        role = Role("selection", defense)
        return self.read(role) if self.has(role) else None


def find(store: ArtifactStore, name: str) -> Results:
    """Return the run of the experiment `name` that readers are shown: see `newest.shown`.

    Raises:
        UsageError: it has not been run here.
    """
    runs = everything(store)
    if name not in runs:
        known = ", ".join(sorted(runs)) or "none yet"
        raise UsageError(f"experiment {name!r} has not been run here; finished: {known}")
    return runs[name]


def of_experiment(store: ArtifactStore, name: str, seeds: int = 1) -> list[Results]:
    """Return the newest finished runs of the experiment `name`, or the run with this name.

    Args:
        store: where they lie.
        name: that stands in the experiment's file, or that a run has ("penalties_digits_seed1").
        seeds: how many seeds, from the file's on; every dataset with each.

    Raises:
        UsageError: none has been run here, or not with so many seeds.
    """
    runs = everything(store)
    first = {
        run.name: int(run.config["seed"])
        for run in runs.values()
        if run.config.get("experiment") == name
        and run.name == "_".join(filter(None, (name, run.config["dataset_label"])))
    }
    if not first and name in runs:
        first = {name: int(runs[name].config["seed"])}
    if not first:
        known = sorted({str(run.config.get("experiment", run.name)) for run in runs.values()})
        listed = ", ".join(known) or "none yet"
        raise UsageError(
            f"experiment {name!r} has not been run here; finished: {listed}; or name a YAML file"
        )
    wanted = [
        f"{run}_seed{seed + offset}" if offset else run
        for offset in range(seeds)
        for run, seed in first.items()
    ]
    missing = [run for run in wanted if run not in runs]
    if missing:
        raise UsageError(
            f"experiment {name!r} has not been run here with {seeds} seeds: {', '.join(missing)} "
            f"is missing; run its file with --seeds {seeds}"
        )
    return [runs[run] for run in wanted]


def everything(store: ArtifactStore) -> dict[str, Results]:
    """Return the run of every experiment that readers are shown, by name: see `newest.shown`."""
    by_name: dict[str, list[Artifact]] = {}
    for index in store.all("experiment"):
        by_name.setdefault(Results(store, index).name, []).append(index)
    return {name: Results(store, shown(indexes, store)) for name, indexes in by_name.items()}


def doubted(runs: Iterable[Results], defense: str) -> set[str]:
    """Return the reasons to doubt the models with `defense` that any of the runs found."""
    return {reason for results in runs for reason in results.doubts(defense)["reasons"]}


def by_dataset(runs: Iterable[Results]) -> dict[str, list[Results]]:
    """Return the runs of an experiment by the label of their dataset, "" where it has one only."""
    grouped: dict[str, list[Results]] = {}
    for results in runs:
        grouped.setdefault(results.config["dataset_label"], []).append(results)
    return grouped
