"""The pipeline on the real digits with a toy network: resumes, survives kills, says what failed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from engine import pipeline
from engine.artifacts import ArtifactStore
from engine.config import Experiment
from engine.errors import PlausiblyError


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
        "doubt": {"eps": [0.1], "images": 20, "steps": 2, "restarts": 2},
        "saliency": {"gradient": {"title": "Gradient", "method": "input_gradient"}},
    }
    return Experiment(**{**document, **changes})


class Log:
    """Writes down what happens; may do something when a task first reports."""

    def __init__(self, on_progress=None) -> None:
        self.made: list[str] = []
        self.reused: list[str] = []
        self.failures: list[str] = []
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


def workers() -> list[int]:
    """Process ids of this process's workers."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = int(status.read_text().split("PPid:")[1].split()[0])
            command = (status.parent / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and b"engine.worker" in command:
            found.append(int(status.parent.name))
    return found


def contents(store: ArtifactStore) -> dict[str, str]:
    return {artifact.key: artifact.content_sha256 for artifact in store.all()}


def test_a_killed_worker_is_said_and_the_next_run_goes_on_to_equal_content(tmp_path):
    store = ArtifactStore(tmp_path / "interrupted")

    def kill_all_workers() -> None:
        for pid in workers():
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(PlausiblyError, match=r"train .*worker process ended with code -9.*again"):
        pipeline.run(experiment(), store, Log(kill_all_workers))
    assert workers() == []

    log = Log()
    (index,) = pipeline.run(experiment(), store, log)
    assert index.kind == "experiment"
    assert not [p for artifact in store.all() for p in artifact.problems()]

    again = Log()
    assert pipeline.run(experiment(), store, again) == [index]
    assert again.made == []
    assert len(again.reused) == 8

    # The same recipe gives the same content, interrupted or not, wherever it is made.
    other = ArtifactStore(tmp_path / "elsewhere")
    pipeline.run(experiment(), other, Log())
    assert contents(other) == contents(store)


def test_what_diverges_is_named_and_the_rest_is_kept(tmp_path):
    store = ArtifactStore(tmp_path / "artifacts")
    defenses = {
        "none": {"title": "No defense", "defense": "none"},
        "wild": {
            "title": "Too strong",
            "defense": {"name": "gradient_penalty", "strength": 1e38},
            "training": {"steps": 400},
        },
    }
    with pytest.raises(PlausiblyError, match=r"train wild: training diverged: \w+ is (nan|inf)"):
        pipeline.run(experiment(defenses=defenses), store, Log())
    assert workers() == []
    assert list((tmp_path / "artifacts").rglob("*.safetensors.tmp")) == []
    for artifact in store.all():
        assert artifact.problems() == []
