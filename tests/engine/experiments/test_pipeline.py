"""The pipeline on the real digits with a toy network: resumes, survives kills, says what failed."""

from __future__ import annotations

import os
import signal

import pytest
from tiny_run import InThisProcess, Log, contents, experiment, workers

from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError
from engine.experiments import plan


def test_a_killed_worker_is_said_and_the_next_run_goes_on_to_equal_content(tmp_path):
    store = ArtifactStore(tmp_path / "interrupted")

    def kill_all_workers() -> None:
        for pid in workers():
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(PlausiblyError, match=r"train .*worker process ended with code -9.*again"):
        plan.run(experiment(), store, Log(kill_all_workers))
    assert workers() == []

    log = Log()
    (index,) = plan.run(experiment(), store, log)
    assert index.kind == "experiment"
    assert not [p for artifact in store.all() for p in artifact.problems()]

    again = Log()
    assert plan.run(experiment(), store, again) == [index]
    assert again.made == []
    assert len(again.reused) == 11

    # The same recipe gives the same content, interrupted or not, wherever it is made.
    other = ArtifactStore(tmp_path / "elsewhere")
    plan.run(experiment(), other, Log(), InThisProcess(other))
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
        plan.run(experiment(defenses=defenses), store, Log())
    assert workers() == []
    assert list((tmp_path / "artifacts").rglob("*.safetensors.tmp")) == []
    for artifact in store.all():
        assert artifact.problems() == []
