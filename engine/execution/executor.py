"""Tasks that depend on each other, and who runs them.

What is ready, found, failed or given up is decided here once (`Executor`); where a task is computed
is the subclass's business (`local`, `ray`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Protocol

from engine.artifacts import Artifact, ArtifactStore, Recipe
from engine.errors import MachineError, PlausiblyError


class Made(dict[str, Artifact]):
    """Artifacts of finished tasks, by task name.

    Attributes:
        lost: of the tasks that have none and will have none, the sentence of the failure.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lost: dict[str, str] = {}

    def ordered(self, tasks: Sequence[Task]) -> Made:
        """Return the same in the order of the tasks, and not in that in which they ended."""
        found = Made()
        found.update({task.name: self[task.name] for task in tasks if task.name in self})
        found.lost = self.lost
        return found


class TasksFailedError(PlausiblyError):
    """Tasks failed; whatever did not need them is made.

    Args:
        failures: each failure once.
        given_up: how many tasks were given up beside, since they needed one that failed.
        made: what is there all the same.
    """

    def __init__(self, failures: Sequence[PlausiblyError], given_up: int, made: Made) -> None:
        super().__init__(_in_words(failures, given_up))
        self.failures = tuple(failures)
        self.made = made
        self.exit_code = failures[0].exit_code


@dataclass(frozen=True)
class Task:
    """One artifact to make.

    Attributes:
        name: unique within the run, for people ("train gradient_penalty").
        stage: the stage it belongs to.
        needs: names of the tasks whose artifacts are its parents; it is given up without one.
        recipe: gives the recipe once those artifacts are there, by task name.
        store: where parents are found and the artifact is put; default: the executor's.
        gathers: names of further tasks that it waits for, and goes on without those that failed.
            Without needs it is given up where all of them failed. So it is where the machine was
            at fault: running again then makes them.
    """

    name: str
    stage: str
    needs: tuple[str, ...]
    recipe: Callable[[Made], Recipe]
    store: ArtifactStore | None = None
    gathers: tuple[str, ...] = ()


class Observer(Protocol):
    """Watches a run; called from one thread at a time."""

    def started(self, task: Task) -> None:
        """A worker begins with the task."""

    def progressed(self, task: Task, values: Mapping[str, Any]) -> None:
        """The task reports; `values` has at least step and steps."""

    def finished(self, task: Task, artifact: Artifact, *, reused: bool) -> None:
        """The artifact is there; `reused`: it was there before."""

    def failed(self, task: Task, error: PlausiblyError) -> None:
        """The task failed; what does not need it goes on."""

    def noted(self, sentence: str) -> None:
        """There is something to know about the run that is no failure."""


class Executor(ABC):
    """Runs tasks in the order of need, independent ones side by side.

    Args:
        store: where artifacts are found and put.
        memory_budget: bytes that each process may take; None: its share of what there is.
    """

    def __init__(self, store: ArtifactStore, memory_budget: int | None = None) -> None:
        self._store = store
        self.memory_budget = memory_budget

    def run(self, tasks: Sequence[Task], observer: Observer) -> Made:
        """Make what is missing; return all artifacts by task name.

        When a task fails, those that need it are given up and all others still run; those that
        gather it go on without. Any other exception, Ctrl-C included, stops everything at once;
        what was finished stays.

        Raises:
            TasksFailedError: tasks failed; the message lists each, the code is the first one's, and
                it holds what was made.
        """
        plan = _Plan(tasks)
        telling = _Telling(observer)
        running: dict[Future[None], tuple[Task, Recipe]] = {}
        try:
            self._start(len(tasks))
            while plan.waiting or running:
                # No more than there is room for: the order of the list then decides what comes
                # next, also among tasks that become ready later, and its beginning ends first.
                task = plan.next_ready() if len(running) < self._places(len(tasks)) else None
                if task is not None:
                    self._begin(task, plan, running, telling)
                    continue
                if not running:
                    names = ", ".join(task.name for task in plan.waiting)
                    raise ValueError(f"these tasks can never start: {names}")
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task, recipe = running.pop(future)
                    try:
                        future.result()
                        plan.made[task.name] = self._made(task, recipe)
                    except PlausiblyError as error:
                        plan.fail(task, error)
                        telling.failed(task, error)
                    else:
                        telling.finished(task, plan.made[task.name], reused=False)
        except BaseException:
            self._stop(now=True)
            raise
        self._stop(now=False)
        made = plan.made.ordered(tasks)
        plan.raise_failures(made)
        return made

    def _begin(
        self,
        task: Task,
        plan: _Plan,
        running: dict[Future[None], tuple[Task, Recipe]],
        telling: Observer,
    ) -> None:
        """Find the artifact of a task that is ready, or have it made."""
        try:
            recipe = task.recipe(plan.made)
            artifact = self._store_of(task).find(recipe)
        except PlausiblyError as error:
            plan.fail(task, error)
            telling.failed(task, error)
            return
        if artifact is not None:
            plan.made[task.name] = artifact
            telling.finished(task, artifact, reused=True)
            return
        where = (self._store_of(task).root, recipe.kind, recipe.key)
        for other, its in running.values():
            if (self._store_of(other).root, its.kind, its.key) == where:
                # Two at work on one artifact would share its unfinished state, too.
                plan.wait_for(task, other)
                return
        running[self._submit(task, recipe, telling)] = (task, recipe)

    def _store_of(self, task: Task) -> ArtifactStore:
        return task.store or self._store

    def _made(self, task: Task, recipe: Recipe) -> Artifact:
        return self._store_of(task).get(recipe.kind, recipe.key)

    def _places(self, tasks: int) -> int:
        """Return how many of so many tasks may be under way at a time; default: all."""
        return tasks

    @abstractmethod
    def _start(self, tasks: int) -> None:
        """Get ready for at most so many tasks at a time."""

    @abstractmethod
    def _submit(self, task: Task, recipe: Recipe, observer: Observer) -> Future[None]:
        """Have the artifact of `recipe` made; the future raises what made it fail."""

    @abstractmethod
    def _stop(self, *, now: bool) -> None:
        """Leave no process behind; `now`: also those that are still at work."""


class _Plan:
    """Which tasks wait, what was made, and what failed."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.waiting = list(tasks)
        self.made = Made()
        self._failures: list[PlausiblyError] = []
        self._given_up = 0
        self._by_machine: set[str] = set()

    def next_ready(self) -> Task | None:
        """Take the first task whose needs are there, and all that it gathers or will not have."""
        for task in self.waiting:
            if all(need in self.made for need in task.needs) and all(
                each in self.made or each in self.made.lost for each in task.gathers
            ):
                self.waiting.remove(task)
                return task
        return None

    def wait_for(self, task: Task, other: Task) -> None:
        """Put a task back that wants what another one is making."""
        self.waiting.insert(0, replace(task, needs=(*task.needs, other.name)))

    def fail(self, task: Task, error: PlausiblyError) -> None:
        """Note the failure; give up what cannot go on without the task, directly or not.

        The same failure again, a model that diverged say, that several tasks met, is one failure.
        """
        if str(error) in map(str, self._failures):
            self._given_up += 1
        else:
            self._failures.append(error)
        self._lose(task, str(error), by_machine=isinstance(error, MachineError))
        while more := [(t, first) for t in self.waiting if (first := self._hindrance(t))]:
            for each, first in more:
                self.waiting.remove(each)
                self._lose(each, self.made.lost[first], by_machine=first in self._by_machine)
            self._given_up += len(more)

    def raise_failures(self, made: Made) -> None:
        """Raise one error for all failures, if there were any."""
        if self._failures:
            error = TasksFailedError(self._failures, self._given_up, made)
            raise error from self._failures[0]

    def _lose(self, task: Task, reason: str, *, by_machine: bool) -> None:
        self.made.lost[task.name] = reason
        if by_machine:
            self._by_machine.add(task.name)

    def _hindrance(self, task: Task) -> str | None:
        """Return which failed task makes this one impossible, if one does."""
        gathered = [each for each in task.gathers if each in self.made.lost]
        hindering = [
            *(need for need in task.needs if need in self.made.lost),
            *(each for each in gathered if each in self._by_machine),
            *(gathered if len(gathered) == len(task.gathers) and not task.needs else ()),
        ]
        return next(iter(hindering), None)


def _in_words(failures: Sequence[PlausiblyError], given_up: int) -> str:
    """Return one message for all failures."""
    count = f"{given_up} task" + "s" * (given_up != 1)
    if len(failures) == 1:
        said = str(failures[0])
        # Lines that are to be copied stay as they are.
        apart = "\n" if "\n" in said else "; "
        return f"{said}{apart}{count} that needed it given up" if given_up else said
    message = f"{len(failures)} tasks failed"
    if given_up:
        message += f" and {count} that needed them given up"
    return message + ":" + "".join(f"\n  {failure}" for failure in failures)


class _Telling:
    """Tells an observer from one thread at a time, and nothing more of a task that has ended."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._lock = Lock()
        self._started: set[str] = set()
        self._ended: set[str] = set()

    def started(self, task: Task) -> None:
        with self._lock:
            # A task whose worker died may start again: for who watches it is the same task.
            if task.name not in self._started | self._ended:
                self._started.add(task.name)
                self._observer.started(task)

    def progressed(self, task: Task, values: Mapping[str, Any]) -> None:
        with self._lock:
            if task.name not in self._ended:
                self._observer.progressed(task, values)

    def finished(self, task: Task, artifact: Artifact, *, reused: bool) -> None:
        with self._lock:
            self._ended.add(task.name)
            self._observer.finished(task, artifact, reused=reused)

    def failed(self, task: Task, error: PlausiblyError) -> None:
        with self._lock:
            self._ended.add(task.name)
            self._observer.failed(task, error)

    def noted(self, sentence: str) -> None:
        with self._lock:
            self._observer.noted(sentence)


def raise_if_failed(task: Task, answer: Mapping[str, Any]) -> None:
    """Raise what a worker's last answer about `task` says went wrong, if anything did."""
    if answer["event"] == "failed":
        kind = MachineError if answer["machine"] else PlausiblyError
        error = kind(f"{task.name}: {answer['message']}")
        error.exit_code = answer["exit_code"]
        raise error


def worker_environment(recipe: Recipe) -> dict[str, str]:
    """Return the variables that a worker has to start with: for the same bits, and for speed."""
    threads = str(recipe.numeric_path["threads"])
    return {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        # Without it cuBLAS refuses to be deterministic.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        # glibc keeps large blocks instead of giving them back and asking for them again: up to a
        # third of a training step (docs/benchmarks.md), with the same bits.
        "MALLOC_MMAP_THRESHOLD_": str(2**32),
        "MALLOC_TRIM_THRESHOLD_": str(2**34),
    }
