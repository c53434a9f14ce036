"""A tiny experiment on the real digits, and an observer that writes down what happens."""

from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from engine.artifacts import ArtifactStore, Recipe
from engine.errors import PlausiblyError
from engine.execution import worker
from engine.execution.executor import Executor, raise_if_failed
from engine.experiments.experiment_file import Experiment


def experiment(**changes) -> Experiment:
    document = {
        "name": "tiny",
        "title": "Tiny",
        "dataset": "digits",
        "architecture": {"name": "small_cnn", "channels": (2, 2), "hidden": 8},
        "training": {"steps": 4, "batch_size": 16, "report_every": 1},
        "defenses": {
            "distillation": {"title": "Distillation", "defense": "distillation"},
        },
        "attacks": {"fgsm": {"title": "FGSM", "attack": {"name": "fgsm", "eps": 0.2}}},
        "doubt": {
            "eps": [0.1],
            "images": 20,
            "steps": 2,
            "restarts": 2,
            "queries": 5,
            "strong": "fgsm",
        },
        "saliency": {"gradient": {"title": "Gradient", "method": "input_gradient"}},
        "map_metrics": None,
    }
    return Experiment(**{**document, **changes})


class Log:
    """Writes down what happens; may do something when a task first reports."""

    def __init__(self, on_progress=None) -> None:
        self.made: list[str] = []
        self.reused: list[str] = []
        self.failures: list[str] = []
        self.notes: list[str] = []
        self._on_progress = on_progress

    def started(self, task) -> None:
        pass

    def progressed(self, task, values) -> None:
        if self._on_progress is not None and task.stage == "train":
            act, self._on_progress = self._on_progress, None
            act()

    def finished(self, task, artifact, *, reused) -> None:
        (self.reused if reused else self.made).append(task.name)

    def failed(self, task, error) -> None:
        self.failures.append(task.name)

    def noted(self, sentence) -> None:
        self.notes.append(sentence)


def order_of(root: Path, recipe: Recipe) -> dict[str, Any]:
    """What a worker is told to make."""
    return {
        "store": str(root),
        "recipe": recipe.to_json(),
        "memory_budget": None,
        "sharers": 1,
    }


class InThisProcess(Executor):
    """Runs tasks as every executor does, and makes them here: no worker has to start."""

    def _places(self, tasks) -> int:
        return 1

    def _start(self, tasks) -> None:
        pass

    def _submit(self, task, recipe, observer):
        future: Future[None] = Future()
        observer.started(task)
        order = order_of(self._store_of(task).root, recipe)
        try:
            raise_if_failed(task, worker.compute(order, "cpu", lambda _values: None))
            future.set_result(None)
        except PlausiblyError as error:
            future.set_exception(error)
        return future

    def _stop(self, *, now) -> None:
        pass


def workers() -> list[int]:
    """Process ids of this process's workers."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = int(status.read_text().split("PPid:")[1].split()[0])
            command = (status.parent / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and b"engine.execution.worker" in command:
            found.append(int(status.parent.name))
    return found


def contents(store: ArtifactStore) -> dict[str, str]:
    return {artifact.key: artifact.content_sha256 for artifact in store.all()}
