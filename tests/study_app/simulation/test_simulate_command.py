"""`plausibly study simulate`: what it writes, says and refuses."""

from __future__ import annotations

import json

import pytest
from lab import open_lab
from typer.testing import CliRunner

from db import repository
from study_app.cli.plausibly import app
from study_app.study import BUILT_IN

PEOPLE = """
title: Two languages
outcomes: {said_plausible: {conditions: {none: 0.9, distillation: 0.1}}}
languages: {en: 1, ja: 1}
"""
SHORTER = {
    "presentations: 4": "presentations: 1",
    "presentations: 2": "presentations: 1",
    "practice: 2": "practice: 1",
    "catch: 4": "catch: 1",
    "image_sets: 2": "image_sets: 1",
}


@pytest.fixture
def run(simulated_store, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "artifacts").symlink_to(simulated_store.root)
    open_lab(tmp_path / "home", store=simulated_store).database.close()
    (tmp_path / "people.yaml").write_text(PEOPLE)
    small = (BUILT_IN / "demo.yaml").read_text("utf-8")
    for long, short in SHORTER.items():
        assert long in small
        small = small.replace(long, short)
    (tmp_path / "small.yaml").write_text(small)

    def called(*arguments, code=0):
        done = CliRunner().invoke(app, ["study", *map(str, arguments)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            assert code, done.exception
            return str(done.exception)
        assert done.exit_code == code, done.output
        return done.output

    return called


def test_it_writes_the_truth_and_status_tells_simulated_people_apart(run, tmp_path):
    simulate = ("simulate", "small.yaml", "--people", 2, "--raters", "people.yaml", "--seed", 5)
    told = json.loads(run(*simulate, "--json").partition("\n{")[2].join(["{", ""]))
    file = tmp_path / "demo-simulated-2" / "truth.json"
    held = json.loads(file.read_text("utf-8"))
    assert {**held, "file": str(file.relative_to(tmp_path))} == told
    assert (held["version"], held["seed"], held["simulated"]) == (2, 5, True)
    assert held["raters"]["outcomes"]["said_plausible"]["conditions"]["none"] == 0.9
    shares = {(s["outcome"], s["condition"]): s["share"] for s in held["shares"]}
    assert shares["said_plausible", "none"] == pytest.approx(0.98 * 0.9 + 0.02 * 0.5)
    assert {p["language"] for p in held["people"]} <= {"en", "ja"}
    status = run("status", "demo")
    assert "version 2 (simulated people): 2 started, 2 admitted, 2 completed" in status
    assert "lists of version 1 (main): none lacks anybody" in status
    assert "lists of version 2" not in status
    assert {each["stage"] for each in json.loads(run("status", "demo", "--json"))["lists"]} == {
        "main"
    }
    assert "add --replace" in run(*simulate, code=2)
    again = ("simulate", "small.yaml", "--people", 1, "--out", tmp_path / "truth")
    table = run(*again, "--replace")
    assert "1 simulated people took part" not in table
    assert "1 simulated person took part in study demo, version 2: 1 answered everything" in table
    assert "said_plausible" in table
    assert "--out" in run(
        "simulate", "small.yaml", "--people", 1, "--out", tmp_path / "truth", code=2
    )


def test_what_is_for_simulated_people_cannot_be_launched(run, tmp_path):
    run("new", "rehearsal", "--out", tmp_path / "rehearsal.yaml")
    text = (tmp_path / "rehearsal.yaml").read_text("utf-8")
    (tmp_path / "rehearsal.yaml").write_text(text.replace("stage: main", "stage: simulated"))
    said = run("launch", tmp_path / "rehearsal.yaml", code=2)
    assert "stage: simulated is for simulated people and opens to nobody" in said
    from study_app.installation import Settings

    with Settings().database().read() as s:
        assert repository.study(s, "rehearsal") is None
