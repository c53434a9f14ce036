"""The models of one run: their trainings, the choice in a sweep, and networks of people's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from engine import attacks
from engine.artifacts import Artifact, ArtifactStore, Recipe, Role
from engine.components import versions_of
from engine.datasets import Data
from engine.defenses import Combined, Defense
from engine.errors import PlausiblyError, UsageError
from engine.execution.executor import Made
from engine.experiments.experiment_file import Run
from engine.experiments.sweeps import Derived, Sweep
from engine.experiments.tasks import Adoption, Tasks, ToCome, Training
from engine.jobs import Request, model, selection
from engine.models import Architecture

Resolve: TypeAlias = Callable[[Made], Defense]
"""Gives the defense that is meant once its value is chosen."""


class Models:
    """Plans the models of one run.

    Args:
        run: of an experiment.
        data: its dataset.
        tasks: where the tasks are added.
    """

    def __init__(self, run: Run, data: Data, tasks: Tasks) -> None:
        self.adoptions: list[Adoption] = []
        self.trainings: list[Training] = []
        self._run = run
        self._data = data
        self._tasks = tasks

    def add(self) -> None:
        """Add the tasks of every model, and note the role of each."""
        for label in self._order():
            self._tasks.roles[Role("model", label)] = self._model(label)

    def _order(self) -> list[str]:
        """Return the labels in the order of training.

        The reference comes before the sweeps, these before what takes their value; else the longest
        training comes first, since it decides when the run ends.
        """

        def rank(label: str) -> tuple[bool, bool, int]:
            derived = isinstance(self._run.experiment.defenses[label].defense, Derived)
            others = label != self._run.reference
            return derived, others, -self._run.schedule(label).steps

        return sorted(self._run.labels, key=rank)

    def _model(self, label: str) -> ToCome:
        """Add the training of a defense, or of a whole sweep and the choice; return the model."""
        defense = self._run.experiment.defenses[label].defense
        if isinstance(defense, Sweep):
            return self._sweep(label, defense)
        if isinstance(defense, Derived):
            return self._derived(label, defense)
        return _usable(self._train(label, label, defense))

    def _derived(self, label: str, defense: Derived) -> ToCome:
        """Add the training of a defense that takes the value chosen in a sweep."""
        chosen = self._tasks.roles[Role("selection", defense.of)]

        def resolve(made: Made) -> Defense:
            return defense.template.fill(_chosen(chosen, made))

        # Any value tells which roles are required; the chosen one is known when it is needed.
        source = self._run.experiment.defenses[defense.of].defense
        assert isinstance(source, Sweep)
        some = defense.template.fill(source.values[0])
        return _usable(self._train(label, label, some, resolve=resolve, also=[chosen]))

    def _sweep(self, label: str, sweep: Sweep) -> ToCome:
        """Add a training per value and the choice; return the model that will be chosen."""
        candidates = [
            self._train(f"{label} at {value:g}", label, candidate)
            for value, candidate in zip(sweep.values, sweep.candidates(), strict=True)
        ]
        rule = self._run.experiment.selection
        parents = {Role("reference"): Role("model", rule.reference)}
        for number, candidate in enumerate(candidates):
            in_run = Role("candidate", label, f"{number:02}")
            self._tasks.roles[in_run] = candidate
            parents[selection.candidate(number)] = in_run
        config = {
            "parameter": sweep.template.parameter,
            "values": list(sweep.values),
            # A setting that is not given is not in recipes that were made before there was one.
            **rule.model_dump(mode="json", exclude={"images"} if rule.images is None else None),
        }
        fgsm = versions_of(attacks.registry.get("fgsm"))
        request = Request(Role("selection", label), f"select {label}", config, parents, fgsm)
        choice = self._tasks.add("select", "selection", request)

        def chosen(made: Made) -> Artifact:
            return candidates[sweep.values.index(_chosen(choice, made))].get(made)

        return ToCome(tuple(n for each in (choice, *candidates) for n in each.needs), chosen)

    def _train(
        self,
        name: str,
        label: str,
        defense: Defense,
        *,
        resolve: Resolve | None = None,
        role: str | None = None,
        also: Sequence[ToCome] = (),
    ) -> ToCome:
        """Add one training, after that of the models that its defense requires.

        `resolve` gives the defense that is meant once `also` is there; until then `defense`, which
        differs in a value only, stands for it.
        """
        teachers = {
            Role(needed): _usable(
                self._train(
                    f"{name}.{needed}",
                    label,
                    teacher,
                    resolve=None if resolve is None else _required(resolve, needed),
                    role=needed,
                    also=also,
                )
            )
            for needed, teacher in defense.requires().items()
        }
        architecture = self._run.architecture(label)
        if architecture.pretrained:
            return self._adopt(name, architecture)

        def config(made: Made) -> dict[str, Any]:
            return {
                **self._network(architecture),
                "defense": (resolve(made) if resolve else defense).config(),
                "training": self._run.schedule(label, role).model_dump(mode="json"),
            }

        to_come = self._tasks.add_task(
            f"train {name}",
            "train",
            "model",
            config,
            teachers,
            {**self._versions(architecture), "defense": _version(defense)},
            also=also,
            mode="closed_form" if defense.differentiates_input() else "eager",
        )
        self.trainings.append(
            Training(self._tasks.all[-1], architecture, defense, self._data, self._run.seed)
        )
        return to_come

    def _adopt(self, name: str, architecture: Architecture) -> ToCome:
        """Add a network that is trained already: a task finds it, once it is adopted."""
        try:
            architecture.check_classes(self._data.class_names)
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from None
        config = {**self._network(architecture), "training": None}
        versions = self._versions(architecture)
        to_come = self._tasks.add_task(
            f"adopt {name}", "train", "model", lambda _: config, {}, versions
        )
        adopt = partial(_adopt, architecture)
        self.adoptions.append(Adoption(self._tasks.all[-1], adopt))
        return to_come

    def _network(self, architecture: Architecture) -> dict[str, Any]:
        return {
            "architecture": architecture.config(),
            "shape": list(self._data.shape),
            "classes": len(self._data.class_names),
        }

    def _versions(self, architecture: Architecture) -> dict[str, int]:
        return {
            "architecture": architecture.version,
            **architecture.versions_of_parts(),
            "dataset": self._run.spec.dataset.version,
        }


def _adopt(architecture: Architecture, recipe: Recipe, store: ArtifactStore) -> Artifact:
    return model.adopt(recipe, store, architecture)


def _required(resolve: Resolve, role: str) -> Resolve:
    """Return what gives the defense of a required model."""
    return lambda made: resolve(made).requires()[role]


def _chosen(choice: ToCome, made: Made) -> Any:
    """Return the value that a selection took."""
    return choice.get(made).json(selection.FILE)[selection.CHOSEN]


def _usable(to_come: ToCome) -> ToCome:
    """Return the model only if its training did not diverge."""
    (task,) = to_come.needs

    def get(made: Made) -> Artifact:
        artifact = to_come.get(made)
        if model.diverged(artifact):
            raise PlausiblyError(f"{task}: {model.divergence(artifact)}")
        return artifact

    return ToCome(to_come.needs, get)


def _version(defense: Defense) -> int:
    """Return a number that rises with the version of every part."""
    parts = defense.parts if isinstance(defense, Combined) else (defense,)
    return 1 + sum(part.version - 1 for part in parts)
