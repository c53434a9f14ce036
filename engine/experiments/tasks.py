"""The tasks of one run of an experiment, as they are planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.artifacts import NUMERIC_PATH, Artifact, Recipe, Role
from engine.datasets import Data
from engine.defenses import Defense
from engine.execution.executor import Task
from engine.experiments.experiment_file import Run
from engine.jobs import Request, kinds
from engine.models import Architecture

Made = Mapping[str, Artifact]
"""Finished tasks' artifacts, by task name."""


@dataclass(frozen=True)
class ToCome:
    """An artifact that a task will make.

    Attributes:
        needs: the tasks after which `get` can tell which one it is.
        get: returns it.
    """

    needs: tuple[str, ...]
    get: Callable[[Made], Artifact]


@dataclass(frozen=True)
class Adoption:
    """A network of one's own, whose artifact is stored before the tasks are run.

    Attributes:
        task: finds it.
        architecture: knows where its weights lie.
    """

    task: Task
    architecture: Architecture


@dataclass(frozen=True)
class Training:
    """A network that is to be trained, and can be tried before.

    Attributes:
        task: trains it.
        architecture: builds it.
        defense: trains it; of a sweep any, which differ in a value only.
        data: what it is trained on.
        seed: decides its first weights.
    """

    task: Task
    architecture: Architecture
    defense: Defense
    data: Data
    seed: int


@dataclass(frozen=True)
class Planned:
    """What is to be done: networks to adopt, and then tasks, each after all that it needs."""

    tasks: list[Task]
    adoptions: list[Adoption]
    trainings: list[Training] = field(default_factory=list)


class Tasks:
    """Collects the tasks of one run; none is begun.

    Args:
        run: of an experiment.
        data_sha256: checksum of its dataset.
    """

    def __init__(self, run: Run, data_sha256: str) -> None:
        self.all: list[Task] = []
        self.roles: dict[Role, ToCome] = {}
        self._run = run
        self._data_sha256 = data_sha256

    def add(self, stage: str, kind: str, request: Request) -> ToCome:
        """Add the task that makes what is requested of planned artifacts, and note its role."""
        parents = {role: self.roles[in_run] for role, in_run in request.parents.items()}
        own = kinds.get(kind).VERSION
        versions = dict(request.versions) | ({} if own is None else {kind: own})
        made = self.add_task(
            request.task,
            stage,
            kind,
            lambda _: dict(request.config),
            parents,
            versions,
            seeded=request.seeded,
        )
        self.roles[request.role] = made
        return made

    def add_task(
        self,
        name: str,
        stage: str,
        kind: str,
        config: Callable[[Made], dict[str, Any]],
        parents: Mapping[Role, ToCome],
        versions: Mapping[str, int],
        *,
        also: Sequence[ToCome] = (),
        mode: str = "eager",
        seeded: bool = True,
    ) -> ToCome:
        """Add a task and return its artifact to come.

        `also` is waited for beside the parents; `mode` is that of the numeric path.
        """
        facts: dict[str, Any] = {"dataset": self._run.spec.dataset.config()}
        if seeded:
            facts["seed"] = self._run.seed
        task = self._prefix(seeded=seeded) + name

        def recipe(made: Made) -> Recipe:
            return Recipe(
                kind,
                {**facts, **config(made)},
                {str(role): parent.get(made).as_parent() for role, parent in parents.items()},
                self._data_sha256,
                dict(versions),
                {**NUMERIC_PATH, "mode": mode},
            )

        waited = [*parents.values(), *also]
        needs = tuple(dict.fromkeys(need for each in waited for need in each.needs))
        self.all.append(Task(task, stage, needs, recipe))
        return ToCome((task,), lambda made: made[task])

    def _prefix(self, *, seeded: bool) -> str:
        """Return what tells the tasks of several runs apart; a single one needs no telling.

        What no seed decides is one task of all seeds.
        """
        run = self._run
        if not seeded:
            return f"{run.label}: " if run.label else ""
        several = bool(run.label) or run.seed != run.experiment.seed
        return f"{run.label or 'seed'} {run.seed}: " if several else ""
