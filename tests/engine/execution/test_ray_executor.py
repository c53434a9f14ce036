"""The pipeline on a real local Ray of two workers, one of which is killed at work."""

from __future__ import annotations

import os
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest
from tiny_run import InThisProcess, Log, contents, experiment

from engine.artifacts import ArtifactStore, Recipe
from engine.errors import PlausiblyError, UsageError
from engine.execution import ray
from engine.execution.executor import Task
from engine.execution.ray import RayExecutor
from engine.experiments import plan
from engine.training import checkpoint

TINY = experiment(
    defenses={"none": {"title": "No defense", "defense": "none"}},
    attacks={},
    saliency={},
    doubt=None,
    training={"steps": 600, "batch_size": 16, "report_every": 50},
)


@pytest.fixture(autouse=True)
def no_other_cluster(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def of_ray() -> dict[int, str]:
    """Command lines of the Ray processes below this one, by process id."""
    parents, commands = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        pid = int(status.parent.name)
        try:
            text = status.read_text()
            commands[pid] = (status.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if "State:\tZ" not in text:
            parents[pid] = int(text.split("PPid:")[1].split()[0])

    def below(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and below(parents[pid]))

    wanted = ("ray::", "/ray/")
    mine = {pid for pid in parents if pid != os.getpid() and below(pid)}
    return {pid: commands[pid] for pid in mine if any(each in commands[pid] for each in wanted)}


class Killer(Log):
    """Kills the worker of the training as soon as it has saved its state once."""

    def __init__(self, store: ArtifactStore) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.killed: list[int] = []
        self.begun: list[str] = []
        self._store = store
        self._thread = Thread(target=self._kill)

    def started(self, task) -> None:
        self.begun.append(task.name)

    def progressed(self, task, values) -> None:
        if task.stage == "train":
            if not self.steps:
                self._thread.start()
            self.steps.append(values["step"])

    def _kill(self) -> None:
        (worker,) = [pid for pid, name in of_ray().items() if name.startswith("ray::train none")]
        # Time passes for it, but no computing: its next report then saves the state.
        os.kill(worker, signal.SIGSTOP)
        time.sleep(checkpoint._INTERVAL_S + 0.1)
        os.kill(worker, signal.SIGCONT)
        deadline = time.monotonic() + 30
        while not list(self._store.root.glob("model/.unfinished-*/training.safetensors")):
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(worker, signal.SIGKILL)
        self.killed.append(worker)


class WithABadTask(RayExecutor):
    """Runs one more task, which fails."""

    def run(self, tasks, observer):
        recipe = Recipe("model", {"dataset": {"name": "digits"}}, data_sha256="0" * 64)
        return super().run([*tasks, Task("bad", "bad", (), lambda _: recipe)], observer)


def test_a_killed_worker_is_replaced_and_the_result_is_that_without_ray(tmp_path, capfd):
    store = ArtifactStore(tmp_path / "ray")
    log = Killer(store)
    with pytest.raises(PlausiblyError, match=r"^bad: dataset digits has checksum") as failure:
        plan.run(TINY, store, log, WithABadTask(store, workers=2))
    # What a job says itself is told as by the local executor, and not tried again.
    assert failure.value.exit_code == 2
    assert log.failures == ["bad"]
    assert log.begun.count("bad") == 1

    assert len(log.killed) == 1
    again = [step for before, step in pairwise(log.steps) if step <= before]
    assert len(again) == 1, log.steps
    assert again[0] > 0, "it started over instead of going on"
    assert len(log.made) == 7
    assert list(store.root.glob("model/.unfinished-*")) == []
    assert capfd.readouterr() == ("", "")

    deadline = time.monotonic() + 10
    while of_ray() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert of_ray() == {}

    found = Log()
    (index,) = plan.run(TINY, store, found)
    assert found.made == []
    other = ArtifactStore(tmp_path / "here")
    assert [made.key for made in plan.run(TINY, other, Log(), InThisProcess(other))] == [index.key]
    assert contents(other) == contents(store)


def test_an_artifact_that_cannot_be_seen_here_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "_VISIBLE_S", 0.0)
    executor = RayExecutor(ArtifactStore(tmp_path))
    with pytest.raises(PlausiblyError, match=r"it: a Ray node made model/.* every node sees"):
        executor._made(Task("it", "train", (), lambda _: Recipe("model", {})), Recipe("model", {}))


def test_without_the_package_or_the_cluster_it_is_said(tmp_path, monkeypatch):
    executor = RayExecutor(ArtifactStore(tmp_path), "127.0.0.1:1")
    with pytest.raises(PlausiblyError, match=r"cannot reach a Ray cluster at '127\.0\.0\.1:1'"):
        executor.run([], Log())
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'plausibly\[ray\]'"):
        RayExecutor(ArtifactStore(tmp_path))
