"""Runs tasks as jobs on a Ray cluster, or on a Ray of its own on this machine.

The jobs are those of the local executor: a recipe as JSON goes in, an artifact in the store comes
out, with the same key and, on the same processor and versions, the same bits. Needs the extra
`ray`, on every node.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from engine.artifacts import Artifact, ArtifactStore, Recipe
from engine.errors import MachineError, UsageError
from engine.execution.executor import Executor, Observer, Task, raise_if_failed, worker_environment
from engine.execution.worker import compute
from engine.networks import budget
from engine.networks.devices import Device

_POLL_S = 0.3
_REACH_S = 10.0
_VISIBLE_S = 60.0
"""How long a network file system may take to show what another node wrote."""
_OBJECT_STORE_BYTES = 80 * 2**20
"""Nearly Ray's least; only recipes and progress go through it, and /dev/shm may be small."""

_ENVIRONMENT = {
    # Nothing about this use is sent to anybody.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray prints what happens to its workers among our results; what matters, we say.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    # Zero GPUs mean none.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class RayExecutor(Executor):
    """Independent tasks as Ray jobs, one thread of computation each.

    Every node must have Plausibly installed and see the store's folder under the same path, on a
    network file system for example.

    Args:
        store: where artifacts are found and put.
        address: of a running cluster, "auto" for the one that this machine is a node of; default:
            RAY_ADDRESS; without either, a Ray of its own runs on this machine meanwhile.
        device: what jobs compute on; "auto": CUDA where the cluster has GPUs.
        gpus_per_job: what part of a GPU a job on CUDA gets; below 1, jobs share one.
        workers: of a Ray of its own; default: one a core.
        retries: how often a job whose worker died is begun again, from its checkpoint.
        memory_budget: bytes that each job may take, of its node or of its GPU; default: a core's
            share of the node, or the job's part of the GPU.

    Raises:
        UsageError: the package ray is not installed.
    """

    def __init__(
        self,
        store: ArtifactStore,
        address: str | None = None,
        *,
        device: Device = "auto",
        gpus_per_job: float = 1,
        workers: int | None = None,
        retries: int = 3,
        memory_budget: int | None = None,
    ) -> None:
        super().__init__(store, memory_budget)
        self._ray = _import_ray()
        self._address = address or os.environ.get("RAY_ADDRESS")
        self._wanted = device
        self._gpus = gpus_per_job
        self._workers = workers or len(os.sched_getaffinity(0))
        self._retries = retries

    def _start(self, tasks: int) -> None:
        self._tasks: dict[str, tuple[Task, Observer]] = {}
        self._jobs: dict[str, Any] = {}
        self._ended = Event()
        self._listener: Thread | None = None
        # A thread a task: it only waits.
        self._pool = ThreadPoolExecutor(max(1, tasks))
        self._connected = not self._ray.is_initialized()
        if self._connected:
            self._connect()
        self._device = self._resolve()
        self._mailbox = self._ray.remote(num_cpus=0)(_Mailbox).remote()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _connect(self) -> None:
        quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if self._address is None:
            self._ray.init(
                "local",
                num_cpus=self._workers,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                **quiet,
            )
            return
        try:
            host, _, port = self._address.rpartition(":")
            if port.isdecimal():
                # Where nobody listens, Ray itself would wait for minutes, deaf to Ctrl-C.
                socket.create_connection((host.rpartition("/")[2], int(port)), _REACH_S).close()
            self._ray.init(self._address, **quiet)
        except (OSError, ValueError, RuntimeError) as error:
            raise MachineError(
                f"cannot reach a Ray cluster at {self._address!r} ({error}); start one with "
                "`ray start --head`, or unset RAY_ADDRESS to run on this machine alone"
            ) from None

    def _resolve(self) -> str:
        has_gpus = self._ray.cluster_resources().get("GPU", 0) > 0
        if self._wanted == "cuda" and not has_gpus:
            raise UsageError("device cuda cannot be used: the Ray cluster has no GPU; use cpu")
        # Ray shows a job no GPU but its own, so the first is the right one.
        return "cuda:0" if has_gpus and self._wanted != "cpu" else "cpu"

    def _submit(self, task: Task, recipe: Recipe, observer: Observer) -> Future[None]:
        self._tasks[task.name] = (task, observer)
        return self._pool.submit(self._make, task, recipe)

    def _make(self, task: Task, recipe: Recipe) -> None:
        root = str(self._store_of(task).root.resolve())
        on_cpu = self._device == "cpu"
        order = json.dumps(
            {
                "store": root,
                "recipe": recipe.to_json(),
                "memory_budget": self.memory_budget,
                # Ray begins one job per core of a node.
                "sharers": None if on_cpu else max(1, round(1 / self._gpus)),
            }
        )
        job = self._ray.remote(_job).options(
            name=task.name,
            num_cpus=recipe.numeric_path["threads"],
            num_gpus=0 if on_cpu else self._gpus,
            # Counted here: Ray itself would begin a job that lacks memory again without end.
            max_retries=0,
            runtime_env={"env_vars": worker_environment(recipe)},
        )
        errors = self._ray.exceptions
        died = (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError)
        for _ in range(self._retries + 1):
            if self._ended.is_set():
                raise MachineError("stopped")
            self._jobs[task.name] = job.remote(task.name, order, self._device, self._mailbox)
            try:
                answer = json.loads(self._ray.get(self._jobs[task.name]))
            except died as error:
                reason = type(error).__name__
            except errors.RayError as error:
                raise MachineError(
                    f"{task.name}: Ray could not run it: {error}; is the same Plausibly "
                    "installed on every node?"
                ) from None
            else:
                # A short job may end before its first letter is taken from the mailbox.
                self._tasks[task.name][1].started(task)
                raise_if_failed(task, answer)
                return
        raise MachineError(
            f"{task.name}: its worker died {self._retries + 1} times ({reason}: killed, or out of "
            "memory?); run again to go on where it stopped. Where it was memory, "
            f"{budget.REMEDY}"
        )

    def _made(self, task: Task, recipe: Recipe) -> Artifact:
        store = self._store_of(task)
        deadline = time.monotonic() + _VISIBLE_S
        while (artifact := store.find(recipe)) is None:
            if time.monotonic() > deadline:
                raise MachineError(
                    f"{task.name}: a Ray node made {recipe.kind}/{recipe.key[:12]}…, but it is not "
                    f"in {store.root.resolve()} here; set PLAUSIBLY_HOME to a folder that every "
                    "node sees under the same path"
                )
            time.sleep(_POLL_S)
        return artifact

    def _listen(self) -> None:
        while not self._ended.wait(_POLL_S):
            try:
                letters: Sequence[str] = self._ray.get(self._mailbox.take.remote())
            except self._ray.exceptions.RayError:
                return  # its node is gone; the work goes on unwatched
            for name, values in map(json.loads, letters):
                task, observer = self._tasks[name]
                observer.started(task)
                if values is not None:
                    observer.progressed(task, values)

    def _stop(self, *, now: bool) -> None:
        self._ended.set()
        if now:
            for job in list(self._jobs.values()):
                with suppress(Exception):
                    self._ray.cancel(job, force=True)
        self._pool.shutdown(cancel_futures=now)
        if self._listener is not None:
            self._listener.join()
            self._ray.kill(self._mailbox)
        if self._connected:
            self._ray.shutdown()


class _Mailbox:
    """An actor that keeps what jobs report until somebody takes it."""

    def __init__(self) -> None:
        self._letters: list[str] = []

    def put(self, letter: str) -> None:
        self._letters.append(letter)

    def take(self) -> list[str]:
        taken, self._letters = self._letters, []
        return taken


def _job(name: str, order: str, device: str, mailbox: Any) -> str:
    """Runs on a worker; text goes in and comes out, so that nothing of ours is pickled."""
    mailbox.put.remote(json.dumps([name, None]))
    return json.dumps(
        compute(
            json.loads(order),
            device,
            lambda values: mailbox.put.remote(json.dumps([name, dict(values)])),
        )
    )


def _import_ray() -> Any:
    os.environ |= _ENVIRONMENT
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise UsageError(
            "the executor ray needs the package ray: pip install 'plausibly[ray]'"
        ) from None
    return ray
