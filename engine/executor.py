"""Runs tasks that depend on each other in parallel worker processes on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock
from typing import Any, Protocol

from engine.artifacts import Artifact, ArtifactStore, Recipe
from engine.errors import PlausiblyError


@dataclass(frozen=True)
class Task:
    """One artifact to make.

    Attributes:
        name: unique within the run, for people ("train gradient_penalty").
        stage: the stage it belongs to.
        needs: names of the tasks whose artifacts are its parents.
        recipe: gives the recipe once those artifacts are there, by task name.
    """

    name: str
    stage: str
    needs: tuple[str, ...]
    recipe: Callable[[Mapping[str, Artifact]], Recipe]


class Observer(Protocol):
    """Watches a run; called from one thread at a time."""

    def started(self, task: Task) -> None:
        """A worker begins with the task."""

    def progressed(self, task: Task, values: Mapping[str, Any]) -> None:
        """The task reports; `values` has at least step and steps."""

    def finished(self, task: Task, artifact: Artifact, *, reused: bool) -> None:
        """The artifact is there; `reused`: it was there before."""


class LocalExecutor:
    """Independent tasks side by side, one thread of computation each.

    Args:
        store: where artifacts are found and put.
        workers: processes at a time; default: one a core.
    """

    def __init__(self, store: ArtifactStore, workers: int | None = None) -> None:
        self._store = store
        self._count = workers or len(os.sched_getaffinity(0))
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        self._all: list[subprocess.Popen[str]] = []
        self._telling = Lock()

    def run(self, tasks: Sequence[Task], observer: Observer) -> dict[str, Artifact]:
        """Make what is missing, in the order of need; return all artifacts by task name.

        Raises:
            PlausiblyError: a task failed. What was finished stays; the others are stopped.
        """
        made: dict[str, Artifact] = {}
        waiting = list(tasks)
        running: dict[Future[None], tuple[Task, Recipe]] = {}
        with ThreadPoolExecutor(self._count) as pool:
            try:
                while waiting or running:
                    for task in [t for t in waiting if all(need in made for need in t.needs)]:
                        waiting.remove(task)
                        recipe = task.recipe(made)
                        artifact = self._store.find(recipe)
                        if artifact is not None:
                            made[task.name] = artifact
                            with self._telling:
                                observer.finished(task, artifact, reused=True)
                            break  # what it unlocks comes before what is merely ready
                        running[pool.submit(self._make, task, recipe, observer)] = (task, recipe)
                    else:
                        if not running:
                            names = ", ".join(task.name for task in waiting)
                            raise ValueError(f"these tasks can never start: {names}")
                        for future in wait(running, return_when=FIRST_COMPLETED).done:
                            task, recipe = running.pop(future)
                            future.result()
                            artifact = self._store.get(recipe.kind, recipe.key)
                            made[task.name] = artifact
                            with self._telling:
                                observer.finished(task, artifact, reused=False)
            except BaseException:
                for future in running:
                    future.cancel()
                for process in self._all:
                    process.kill()
                raise
            finally:
                self._stop()
        return made

    def _make(self, task: Task, recipe: Recipe, observer: Observer) -> None:
        process = self._idle.get() if not self._idle.empty() else self._start(recipe)
        assert process.stdin is not None
        assert process.stdout is not None
        with self._telling:
            observer.started(task)
        try:
            print(json.dumps(recipe.to_json()), file=process.stdin, flush=True)
            for line in process.stdout:
                answer = json.loads(line)
                if answer["event"] == "progress":
                    with self._telling:
                        observer.progressed(task, answer["values"])
                elif answer["event"] == "done":
                    self._idle.put(process)
                    return
                else:
                    self._idle.put(process)
                    error = PlausiblyError(f"{task.name}: {answer['message']}")
                    error.exit_code = answer["exit_code"]
                    raise error
        except BrokenPipeError:
            pass
        code = process.wait()
        raise PlausiblyError(
            f"{task.name}: its worker process ended with code {code} before it was done "
            "(killed, or out of memory?); run again to go on where it stopped"
        )

    def _start(self, recipe: Recipe) -> subprocess.Popen[str]:
        threads = str(recipe.numeric_path["threads"])
        process = subprocess.Popen(
            [sys.executable, "-m", "engine.worker", str(self._store.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        )
        self._all.append(process)
        return process

    def _stop(self) -> None:
        for process in self._all:
            if process.stdin is not None:
                process.stdin.close()
        deadline = time.monotonic() + 10
        for process in self._all:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._all.clear()
