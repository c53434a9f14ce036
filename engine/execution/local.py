"""Runs tasks in parallel, in worker processes on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from threading import Lock

from engine.artifacts import ArtifactStore, Recipe
from engine.errors import MachineError, PlausiblyError
from engine.execution.executor import Executor, Observer, Task, raise_if_failed, worker_environment
from engine.networks import budget

_KILLED = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)
"""What ends a process from outside; any other end is the doing of what it computed."""


def death(task: Task, code: int) -> PlausiblyError:
    """Return what is said of a worker process that ended with this code before its task did."""
    ended = f"{task.name}: its worker process ended with code {code} before it was done "
    if -code in _KILLED:
        return MachineError(
            f"{ended}(killed, or out of memory?); run again to go on where it stopped. "
            f"Where it was memory, {budget.REMEDY}"
        )
    return PlausiblyError(f"{ended}(what it computed brought it down); look above for what it said")


@dataclass
class _Worker:
    """A place for a process: the device it computes on, and the process once it was needed."""

    device: str
    process: subprocess.Popen[str] | None = None


class LocalExecutor(Executor):
    """Worker processes on this machine, one thread of computation each.

    Args:
        store: where artifacts are found and put.
        workers: processes at a time; default: one a core on the CPU, one a GPU on GPUs.
        devices: what they compute on, in turn; see `engine.networks.devices.resolve`.
        memory_budget: bytes that each may take, of the machine or of its GPU; default: what there
            is, shared among them. With one on the CPU the default of `workers` is as many as the
            machine's memory holds.
    """

    def __init__(
        self,
        store: ArtifactStore,
        workers: int | None = None,
        devices: Sequence[str] = ("cpu",),
        memory_budget: int | None = None,
    ) -> None:
        super().__init__(store, memory_budget)
        own = len(devices)
        if tuple(devices) == ("cpu",):
            own = len(os.sched_getaffinity(0))
            own = own if memory_budget is None else budget.processes(memory_budget, own)
        self._devices = list(islice(cycle(devices), workers or own))
        self._lock = Lock()

    def _start(self, tasks: int) -> None:
        self._pool = ThreadPoolExecutor(len(self._devices))
        # Taken from the end: a worker that has computed before those that have yet to start.
        self._free = deque(_Worker(device) for device in reversed(self._devices))
        self._all: list[subprocess.Popen[str]] = []
        self._stopped = False

    def _places(self, tasks: int) -> int:
        return len(self._devices)

    def _submit(self, task: Task, recipe: Recipe, observer: Observer) -> Future[None]:
        return self._pool.submit(self._make, task, recipe, observer)

    def _make(self, task: Task, recipe: Recipe, observer: Observer) -> None:
        worker = self._free.pop()
        try:
            if worker.process is None or worker.process.poll() is not None:
                worker.process = self._launch(worker.device, recipe)
            self._compute(worker, task, recipe, observer)
        finally:
            self._free.append(worker)

    def _compute(self, worker: _Worker, task: Task, recipe: Recipe, observer: Observer) -> None:
        process = worker.process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        observer.started(task)
        order = {
            "store": str(self._store_of(task).root),
            "recipe": recipe.to_json(),
            "memory_budget": self.memory_budget,
            "sharers": self._devices.count(worker.device),
        }
        try:
            print(json.dumps(order), file=process.stdin, flush=True)
            for line in process.stdout:
                answer = json.loads(line)
                if answer["event"] != "progress":
                    raise_if_failed(task, answer)
                    return
                observer.progressed(task, answer["values"])
        except BrokenPipeError:
            pass
        raise death(task, process.wait())

    def _launch(self, device: str, recipe: Recipe) -> subprocess.Popen[str]:
        with self._lock:  # none may start while, or after, all are killed
            if self._stopped:
                raise MachineError("stopped")
            process = subprocess.Popen(
                [sys.executable, "-m", "engine.execution.worker", device],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **worker_environment(recipe)},
            )
            self._all.append(process)
        return process

    def _stop(self, *, now: bool) -> None:
        with self._lock:
            self._stopped = True
            if now:
                for process in self._all:
                    process.kill()
        self._pool.shutdown(cancel_futures=now)
        for process in self._all:
            if process.stdin is not None:
                with suppress(BrokenPipeError):
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
