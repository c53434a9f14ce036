"""`plausibly run`, `report` and `study lint` where one of three models fails."""

from __future__ import annotations

import json

import broken_run
import odd_network
import pytest
import yaml
from tiny_run import InThisProcess
from typer.testing import CliRunner

from study_app import study
from study_app.cli import experiments
from study_app.cli import plausibly as cli

DOCUMENT = {
    **broken_run.DOCUMENT,
    "architecture": {"name": "small_cnn", "channels": [2, 2], "hidden": 8},
    "doubt": None,
    "curves": {},
    "saliency": {"gradient": {"title": "Gradient", "method": "input_gradient"}},
    "map_metrics": None,
}
SAID = """\
1 failure
three is stored, without:
  the model “Odd”: train odd: RuntimeError: odd in engine.training.loop
  Complete in it: “No defense”, “Penalty”. Report and gallery show what is there and name the \
rest; a study that shows only what is there can be launched.
Mend what failed and run the same again: what is whole is found; what failed is made, and with it \
what compares all models."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / "three.yaml").write_text(yaml.safe_dump(DOCUMENT, sort_keys=False))
    return folder


@pytest.fixture
def plausibly(home, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setenv("PLAUSIBLY_HOME", str(home))
    monkeypatch.setattr(experiments._Made, "by", lambda _self, store: InThisProcess(store))

    def invoke(*arguments: str, place: str | None = "training"):
        monkeypatch.setenv(odd_network.FAULT, broken_run.PLACES[place] if place else "")
        return CliRunner().invoke(cli.app, arguments)

    return invoke


def test_a_run_ends_with_what_failed_and_what_is_there(plausibly, home):
    done = plausibly("run", "three.yaml", "--json")
    assert str(done.exception) == SAID
    assert done.exception.exit_code == 1
    said = json.loads(done.stdout)
    assert said["failures"] == ["train odd: RuntimeError: odd in engine.training.loop"]
    (run,) = said["runs"]
    assert set(run["models"]) == {"none", "penalty"}
    assert run["missing"]["measures:odd"] == said["failures"][0]

    done = plausibly("run", "three.yaml")
    assert str(done.exception) == SAID
    (row,) = [line for line in done.stdout.splitlines() if "Odd" in line]
    assert row.count("failed") == 4
    assert "failed: it could not be made" in done.stdout

    done = plausibly("report", "three.yaml", "--json")
    assert json.loads(done.stdout)["figures"][0] == "models-three"
    page = (home / "report-three" / "report.html").read_text()
    assert "the model “Odd” (train odd: RuntimeError: odd in engine.training.loop)" in page

    picture = {"title": "Odd", "show": "clean", "defense": "odd", "presentations": 4}
    document = yaml.safe_load((study.BUILT_IN / "demo.yaml").read_text("utf-8"))
    document |= {"experiment": "three", "conditions": {"odd": picture}, "analysis": None}
    (home / "study.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    problems = json.loads(plausibly("study", "lint", "study.yaml", "--json").stdout)["problems"]
    assert problems[0]["place"] == "conditions.odd"
    assert "the model “Odd” was not computed: train odd: RuntimeError" in problems[0]["message"]
    launched = plausibly("study", "launch", "study.yaml")
    assert "the model “Odd” was not computed: train odd: RuntimeError" in str(launched.exception)

    done = plausibly("run", "three.yaml", "--json", place=None)
    assert done.exit_code == 0, done.exception
    said = json.loads(done.stdout)
    assert said["failures"] == []
    assert said["runs"][0]["missing"] == {}
    assert set(said["runs"][0]["models"]) == {"none", "penalty", "odd"}


def test_where_nothing_is_whole_the_failures_are_all_that_is_said(plausibly, home):
    alone = {**DOCUMENT, "name": "alone", "defenses": {"odd": DOCUMENT["defenses"]["odd"]}}
    (home / "alone.yaml").write_text(yaml.safe_dump({**alone, "seed": 7}, sort_keys=False))
    done = plausibly("run", "alone.yaml", "--json")
    assert "train odd: RuntimeError: odd in engine.training.loop; " in str(done.exception)
    assert json.loads(done.stdout)["runs"] == []
