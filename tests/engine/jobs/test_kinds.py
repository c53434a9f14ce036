"""A kind of artifact is one file, found by its name."""

from __future__ import annotations

import inspect

import pytest
from tiny_run import InThisProcess, Log, experiment

import engine.jobs
from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError
from engine.experiments import plan
from engine.jobs import Section, kinds
from engine.results import Results, Role

BRIGHTNESS = '''
"""Kind `brightness`: the mean pixel of the test images, as one model is shown them."""

from engine.artifacts import Role, write_json
from engine.jobs import Request

VERSION = 7
STAGE = "measure"


def wanted(run, label):
    parents = {Role("model"): Role("model", label), Role("source"): Role("source")}
    yield Request(Role("brightness", label), f"brightness of {label}", {"split": "test"}, parents)


def make(job):
    write_json(job.draft / "mean.json", float(job.source().pixels.mean()))


def read(artifact, reader):
    return artifact.json("mean.json")
'''


@pytest.mark.parametrize("name", kinds.names())
def test_every_kind_makes_and_reads(name):
    kind = kinds.get(name)
    assert kind.__name__ == f"engine.jobs.{name}"
    assert kind.VERSION is None or kind.VERSION >= 1
    assert list(inspect.signature(kind.make).parameters) == ["job"]
    assert list(inspect.signature(kind.read).parameters) == ["artifact", "reader"]
    if hasattr(kind, "wanted"):
        assert kind.STAGE in plan.STAGES
        assert list(inspect.signature(kind.wanted).parameters) == ["run", "label"]
    assert isinstance(getattr(kind, "SECTION", Section("x", dict)), Section)


def test_an_unknown_kind_is_named_with_those_that_are_known():
    with pytest.raises(PlausiblyError, match="unknown kind of artifact 'dreams'; known: answers, "):
        kinds.get("dreams")


def test_a_file_more_is_a_kind_more(tmp_path, monkeypatch):
    (tmp_path / "brightness.py").write_text(BRIGHTNESS)
    monkeypatch.setattr(engine.jobs, "__path__", [*engine.jobs.__path__, str(tmp_path)])
    assert "brightness" in kinds.names()
    store = ArtifactStore(tmp_path / "artifacts")
    asked = experiment(
        dataset="digits:3,8",
        defenses={"none": {"title": "No defense", "defense": "none"}},
        attacks={},
        saliency={},
        doubt=None,
    )
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    results = Results(store, index)
    assert results.read(Role("brightness", "none")) == results.source.pixels.mean()
    assert results.artifact(Role("brightness", "none")).recipe.versions == {"brightness": 7}
