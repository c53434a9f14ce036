"""The tasks of one run of an experiment, as they are planned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.artifacts import NUMERIC_PATH, Artifact, ArtifactStore, Parent, Recipe, Role
from engine.datasets import Data
from engine.defenses import Defense
from engine.errors import MachineError, PlausiblyError
from engine.execution.executor import Made, Task
from engine.experiments.experiment_file import Run
from engine.jobs import ANSWERING, Request, kinds
from engine.models import Architecture


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
    """What people bring of their own, whose artifact is stored before the tasks are run.

    Attributes:
        task: finds it.
        adopt: stores it; it knows where the file lies.
    """

    task: Task
    adopt: Callable[[Recipe, ArtifactStore], Artifact]


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
    """What is to be done: what to adopt, and then tasks, each after all that it needs."""

    tasks: list[Task]
    adoptions: list[Adoption]
    trainings: list[Training] = field(default_factory=list)


def failing(task: Task, error: PlausiblyError) -> Task:
    """Return the task as one that fails as soon as it is its turn."""

    def fail(_made: Made) -> Recipe:
        raise error

    return replace(task, recipe=fail)


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
        parents = {role: self._to_come(in_run) for role, in_run in request.parents.items()}
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
            gathers=request.gathers,
            tells_missing=request.tells_missing,
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
        gathers: Collection[Role] = (),
        tells_missing: bool = False,
    ) -> ToCome:
        """Add a task and return its artifact to come.

        `also` is waited for beside the parents; `mode` is that of the numeric path; for the others
        see `Request`.
        """
        facts: dict[str, Any] = {"dataset": self._run.spec.dataset.config()}
        if seeded:
            facts["seed"] = self._run.seed
        task = self._prefix(seeded=seeded) + name

        def recipe(made: Made) -> Recipe:
            found: dict[str, Parent] = {}
            missing: dict[str, str] = {}
            for role, parent in parents.items():
                there = _gathered(parent, made) if role in gathers else parent.get(made)
                if isinstance(there, str):
                    # Messages of other people's code may have lines.
                    missing[str(role)] = " ".join(there.split())
                else:
                    found[str(role)] = there.as_parent()
            told = {"missing": missing} if tells_missing and missing else {}
            return Recipe(
                kind,
                {**facts, **config(made), **told},
                found,
                self._data_sha256,
                dict(versions),
                {**NUMERIC_PATH, "mode": mode},
            )

        needs = _names([*(p for role, p in parents.items() if role not in gathers), *also])
        gathered = _names([p for role, p in parents.items() if role in gathers])
        self.all.append(
            Task(
                task,
                stage,
                needs,
                recipe,
                gathers=tuple(name for name in gathered if name not in needs),
            )
        )
        return ToCome((task,), lambda made: made[task])

    def _to_come(self, in_run: Role) -> ToCome:
        """Return the artifact of a role in the run; of a model that is asked, see `answering`."""
        if in_run.kind != ANSWERING:
            return self.roles[in_run]
        asked = self.roles[Role("model", in_run.label)]
        answers = self.roles[Role("answers", in_run.label)]
        return ToCome(_names([asked, answers]), asked.get)

    def _prefix(self, *, seeded: bool) -> str:
        """Return what tells the tasks of several runs apart; a single one needs no telling.

        What no seed decides is one task of all seeds.
        """
        run = self._run
        if not seeded:
            return f"{run.label}: " if run.label else ""
        several = bool(run.label) or run.seed != run.experiment.seed
        return f"{run.label or 'seed'} {run.seed}: " if several else ""


def _names(waited: Sequence[ToCome]) -> tuple[str, ...]:
    """Return the tasks that have to end before all of these are there, each once."""
    return tuple(dict.fromkeys(need for each in waited for need in each.needs))


def _gathered(parent: ToCome, made: Made) -> Artifact | str:
    """Return an artifact that may have failed, or the sentence of the failure."""
    for need in parent.needs:
        if need not in made:
            return made.lost[need]
    try:
        return parent.get(made)
    except MachineError:
        raise
    except PlausiblyError as error:
        return str(error)
