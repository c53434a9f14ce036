"""`plausibly report` on a tiny real experiment: what it writes, says and refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import yaml
from tiny_run import InThisProcess, Log
from typer.testing import CliRunner

from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError, UsageError
from engine.experiments import experiment_file, plan
from study_app.cli import plausibly as cli

DOCUMENT = {
    "name": "tiny",
    "title": "Tiny",
    "dataset": "digits:3,8",
    "architecture": {"name": "small_cnn", "channels": [2, 2], "hidden": 8},
    "training": {"steps": 2, "batch_size": 16, "report_every": 1},
    "defenses": {
        "none": {"title": "No defense", "defense": "none"},
        "penalty": {"title": "Penalty", "defense": {"name": "gradient_penalty", "strength": 1}},
    },
    "attacks": {"fgsm": {"title": "FGSM", "attack": {"name": "fgsm", "eps": 0.2}}},
    "curves": {
        "fgsm": {"title": "FGSM", "attack": "fgsm", "over": {"eps": [0, 0.3]}, "images": 20}
    },
    "saliency": {"input_gradient": {"title": "Input gradient", "method": "input_gradient"}},
    "map_metrics": None,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(DOCUMENT, sort_keys=False))
    store = ArtifactStore(folder / "artifacts")
    plan.run(experiment_file.load(str(folder / "tiny.yaml")), store, Log(), InThisProcess(store))
    return folder


@pytest.fixture
def plausibly(home, monkeypatch):
    def invoke(*arguments, cwd=home):
        monkeypatch.chdir(cwd)
        monkeypatch.setenv("PLAUSIBLY_HOME", str(home))
        return CliRunner().invoke(cli.app, ["report", *map(str, arguments)])

    return invoke


def test_it_writes_the_page_the_tables_and_the_figures_of_what_was_run(plausibly, home, tmp_path):
    done = plausibly(home / "tiny.yaml", "--json", cwd=tmp_path)
    assert done.exit_code == 0, done.exception
    said = json.loads(done.stdout)
    assert said["report"] == "report-tiny/report.html"
    assert "curves-fgsm-tiny" in said["figures"]
    assert said["verdicts"] == {}
    out = tmp_path / "report-tiny"
    with (out / "tables" / "curves-fgsm-tiny.csv").open() as file:
        assert {row["source"] for row in csv.DictReader(file)} == {"none", "penalty"}
    assert (out / "figures" / "curves-fgsm-tiny.svg").exists()
    page = (out / "report.html").read_text()
    assert f"plausibly report {home / 'tiny.yaml'}" in page
    before = {p: p.read_bytes() for p in out.rglob("*.*")}
    again = plausibly(home / "tiny.yaml", cwd=tmp_path)
    assert again.stdout == "Report: report-tiny/report.html\n"
    assert {p: p.read_bytes() for p in out.rglob("*.*")} == before


def test_what_was_run_here_is_known_by_its_name(plausibly, home, tmp_path):
    """As studies and the gallery know it; the page is that of the file but for the command."""
    for what, out in (("tiny", "by-name"), (home / "tiny.yaml", "by-file")):
        done = plausibly(what, "--out", tmp_path / out, cwd=tmp_path)
        assert done.exit_code == 0, done.exception
    named, filed = (
        {p.relative_to(tmp_path / out): p.read_bytes() for p in (tmp_path / out).rglob("*.*")}
        for out in ("by-name", "by-file")
    )
    pages = [each.pop(Path("report.html")).decode() for each in (named, filed)]
    assert named == filed
    commands = [
        f"plausibly report {what} --out {tmp_path / out}"
        for what, out in (("tiny", "by-name"), (home / "tiny.yaml", "by-file"))
    ]
    assert pages[0].replace(commands[0], "") == pages[1].replace(commands[1], "")
    assert plausibly("tiny", cwd=tmp_path).stdout == "Report: report-tiny/report.html\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["other"],
            "experiment 'other' has not been run here; finished: tiny; or name a YAML file",
        ),
        (
            ["tiny", "--seeds", 2],
            "experiment 'tiny' has not been run here with 2 seeds: tiny_seed1 is missing; run its "
            "file with --seeds 2",
        ),
    ],
)
def test_a_name_that_was_not_run_is_refused(arguments, said, plausibly, tmp_path):
    done = plausibly(*arguments, cwd=tmp_path)
    assert type(done.exception) is UsageError
    assert str(done.exception) == said
    assert not [*tmp_path.iterdir()]


def test_what_was_not_run_is_named_with_the_command_that_does(plausibly, tmp_path):
    done = plausibly("tiny.yaml", "--seeds", 3, "--out", tmp_path / "out")
    assert type(done.exception) is PlausiblyError
    assert "plausibly run tiny.yaml --seeds 3" in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tiny.yaml", "--out", "tiny.yaml"], "a file is in the way"),
        (["tiny.yaml", "--out", "artifacts"], "holds something that is no report"),
        (["tiny.yaml", "--out", "nowhere/report"], "make it first"),
        (["nar2019-linear"], "has no report"),
        (["nothing"], "nothing"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(plausibly, arguments, said):
    done = plausibly(*arguments)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
