"""Pilot and main data of one study: page, commands, zip."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from types import SimpleNamespace

import pytest
from databases import on_sqlite
from lab import open_lab
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from study_app import study
from study_app.cli import plausibly as cli
from study_app.design import publish
from study_app.researcher import login, studies_page

TRIALS = 52  # of the demo, for everybody
ONE = ("analyze", "demo", "--outcome", "cant_tell")
"""Quicker than all outcomes, where what is counted matters and not what is found."""
runner = CliRunner()


def to_stage(lab, stage, name="demo"):
    """Publish the study in another stage, as its newest version."""
    loaded = study.load(name).model_copy(update={"stage": stage})
    lab.version = publish.publish(loaded, lab.state.store, lab.database)


@pytest.fixture
def lab(tmp_path, store, database, request):
    """The published study that the test names, else the demo."""
    return open_lab(tmp_path, database, store, getattr(request, "param", "demo"))


@pytest.fixture
def plausibly(lab, monkeypatch):
    """Runs a command on the lab's database and returns what it prints."""
    monkeypatch.setenv("PLAUSIBLY_HOME", str(lab.database.path.parent))

    def run(*arguments):
        done = runner.invoke(cli.app, [str(each) for each in arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


@pytest.fixture
def shown(lab, monkeypatch):
    """Shows the researchers' page, under an address, to somebody who is logged in."""
    lab.log_in()
    cookies = {login.COOKIE: lab.client.cookies[login.COOKIE]}
    monkeypatch.setattr(studies_page.st, "context", SimpleNamespace(cookies=cookies))
    monkeypatch.setattr(studies_page, "app_state", lambda: lab.state)

    def script():
        from study_app.researcher.studies_page import researcher_page

        researcher_page()

    def show(**query):
        made = AppTest.from_function(script, default_timeout=60)
        made.query_params.update(query)
        made.run()
        assert not made.exception
        return made

    return show


def texts(found):
    return "\n".join(element.value for element in found)


def early(people):
    """What is said while fewer people than the demo registers have answered."""
    return (
        f"Registered were 100 people, and answers of {people} count so far: what is decided now is "
        "not what was registered, and who stops when it suits finds too much."
    )


def metrics(made):
    return {metric.label: int(metric.value) for metric in made.metric}


def link(made, to="/api/export/"):
    (url,) = [each.proto.url for each in made.get("link_button") if to in each.proto.url]
    return url


def rows(lab, path):
    """How many ratings an export holds, and its name."""
    answer = lab.client.get(path)
    answer.raise_for_status()
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    held = csv.DictReader(io.StringIO(archive.read("demo/ratings.csv").decode()))
    return len(list(held)), answer.headers["content-disposition"]


@on_sqlite
def test_a_pilot_is_exported_without_being_asked_for(lab, plausibly, tmp_path):
    to_stage(lab, "pilot")
    lab.participant().finish()
    out = plausibly("export", "demo", "--out", tmp_path / "one")
    assert out == f"{TRIALS} ratings of study demo, stage pilot, in {tmp_path / 'one'}\n"
    lab.log_in()
    count, name = rows(lab, "/api/export/demo.zip")
    assert count == TRIALS
    assert re.search(r'filename="demo-pilot-\d{8}T\d{6}Z\.zip"', name)
    assert rows(lab, "/api/export/demo.zip?stage=main")[0] == 0


@on_sqlite
def test_a_stage_that_nobody_knows_is_refused(lab):
    lab.log_in()
    for stage in ("beta", "", "main' --", "MAIN"):
        refused = lab.client.get("/api/export/demo.zip", params={"stage": stage})
        assert (refused.status_code, refused.json()["error"]) == (422, "invalid")
        assert refused.json()["message"] == "stage must be one of: pilot, main, simulated."


@on_sqlite
def test_a_pilot_launched_later_hides_nothing(lab, plausibly, tmp_path):
    lab.change(exclusions=[])
    lab.participant().finish()
    to_stage(lab, "pilot")
    exported = plausibly("export", "demo", "--out", tmp_path / "main")
    assert exported == f"{TRIALS} ratings of study demo, stage main, in {tmp_path / 'main'}\n"
    exported = plausibly("export", "demo", "--stage", "pilot", "--out", tmp_path / "one")
    assert exported.splitlines() == [
        f"0 ratings of study demo, stage pilot, in {tmp_path / 'one'}",
        f"The stage main holds {TRIALS} ratings: --stage main",
    ]
    assert plausibly("analyze", "demo", "--stage", "pilot").splitlines() == [
        "Study demo, stage pilot",
        "Nobody has taken part in the stage pilot yet.",
        f"The stage main holds {TRIALS} ratings: --stage main",
    ]
    main = json.loads(plausibly("analyze", "demo", "--json"))
    assert (main["stage"], main["basis"]["ratings"]) == ("main", TRIALS)
    assert (main["versions"], main["left_out"]) == ([2], [])
    assert "said_plausible" in {each["outcome"]["name"] for each in main["outcomes"]}
    assert main["said"] == [early(1)]
    status = plausibly("study", "status", "demo").splitlines()
    stages = [line.split("(")[1].split(")")[0] for line in status if line.startswith("  version")]
    assert stages == ["main", "main", "pilot"]
    assert sum("lists of version" in line for line in status) == 2


def changed_condition(lab, **parts):
    """As if the condition `none` had shown something else."""
    conditions = [
        {**each, **parts} if each["label"] == "none" else each
        for each in lab.version.config["conditions"]
    ]
    return lab.change(conditions=conditions)


@on_sqlite
def test_versions_that_mean_something_else_are_never_pooled(lab, plausibly, shown):
    lab.change(exclusions=[])
    lab.participant().finish()
    lab.change(title="Another title")
    lab.participant().finish()
    together = json.loads(plausibly(*ONE, "--json"))
    assert together["basis"]["ratings"] == 2 * TRIALS
    assert together["said"] == [
        "Counted together: versions 2 and 3, which mean the same.",
        early(2),
    ]

    changed_condition(lab, defense="distillation", title="No defense")
    assert json.loads(plausibly(*ONE, "--json"))["basis"]["ratings"] == 2 * TRIALS
    lab.participant().finish()
    newest = json.loads(plausibly(*ONE, "--json"))
    assert (newest["versions"], newest["basis"]["ratings"]) == ([4], TRIALS)
    assert newest["said"] == [
        *(
            f"Not counted: {TRIALS} ratings of version {number}, which means something else "
            "(conditions.none.defense: was none, now distillation)."
            for number in (2, 3)
        ),
        early(1),
        "A version by itself: --version NUMBER.",
    ]
    assert newest["left_out"][0]["version"] == 2
    pooled = json.loads(plausibly(*ONE, "--version", 2, "--version", 3, "--json"))
    assert pooled["basis"]["ratings"] == 2 * TRIALS
    alone = plausibly(*ONE, "--version", 3)
    assert "Study demo, stage main, version 3" in alone
    assert f"Not counted: {TRIALS} ratings of version 2." in alone
    for numbers, sentence in [
        ((2, 4), "versions 2 and 4 of study 'demo' mean different things"),
        ((9,), "study 'demo' has no version 9 in the stage main; there: 1, 2, 3, 4"),
    ]:
        options = [part for number in numbers for part in ("--version", str(number))]
        done = runner.invoke(cli.app, ["analyze", "demo", *options])
        assert sentence in str(done.exception)

    made = shown()
    assert metrics(made)["Finished"] == 1
    assert "Not counted: 52 ratings of version 3" in texts(made.caption)
    assert link(made, "/api/analysis/") == "/api/analysis/demo.html?stage=main&version=4"
    assert "156 rated trials of the stage main in all its versions" in texts(made.markdown)
    (choice,) = made.selectbox
    assert (choice.label, choice.options) == ("Version", ["newest", "2", "3", "4"])
    made = shown(version="2")
    assert "demo · live · version 2 · main" in texts(made.caption)
    assert metrics(made)["Finished"] == 1


@on_sqlite
def test_the_page_shows_one_stage_at_a_time_and_its_people(lab, shown):
    lab.change(exclusions=[])
    for _ in range(2):
        lab.participant().finish()
    to_stage(lab, "pilot")
    lab.participant()
    made = shown()
    assert metrics(made) == {"Started": 2, "Admitted": 2, "Finished": 2, "Withdrew": 0}
    assert not made.info
    assert link(made) == "/api/export/demo.zip?stage=main"
    assert "version 2 · main" in texts(made.caption)
    assert f"{2 * TRIALS} rated trials of the stage main" in texts(made.markdown)
    (choice,) = made.segmented_control
    assert (choice.label, choice.value) == ("Stage", "main")

    choice.set_value("pilot").run()
    assert made.query_params["stage"] in ("pilot", ["pilot"])
    assert metrics(made) == {"Started": 1, "Admitted": 1, "Finished": 0, "Withdrew": 0}
    assert "1 person has begun in the stage pilot" in texts(made.info)
    assert f"The stage main holds {2 * TRIALS} ratings" in texts(made.caption)
    assert link(made) == "/api/export/demo.zip?stage=pilot"


@on_sqlite
def test_with_people_in_one_stage_there_is_nothing_to_choose(lab, shown):
    lab.participant()
    made = shown(stage="pilot")  # an address from somewhere else
    assert not made.segmented_control
    assert metrics(made)["Started"] == 1


@on_sqlite
@pytest.mark.parametrize("lab", ["saliency-preference"], indirect=True)
def test_a_study_of_preferences_is_told_by_strengths(lab, plausibly, shown):
    name = lab.version.name
    for _ in range(12):
        person = lab.participant(admitted=False, study=name)
        person.form("screening", {"age": 30}).raise_for_status()
        person.post("/api/admit", {}).raise_for_status()
        assert person.finish()["complete"]
    found = json.loads(plausibly("analyze", name, "--json"))
    assert found["basis"]["counted"] == {"pair_preference": 240}
    (preferred,) = [o for o in found["outcomes"] if o["outcome"]["name"] == "preferred"]
    assert preferred["strengths"]
    assert sum(cell["answered"] for cell in preferred["estimates"]) == 240
    assert "(preferred)" in plausibly("analyze", name)
    made = shown()
    assert not made.info
    assert metrics(made)["Finished"] == 12
    assert "252 rated trials of the stage main" in texts(made.markdown)


@on_sqlite
def test_a_version_of_a_newer_program_is_a_sentence_on_the_page(lab, shown):
    lab.change(stopping={"after": 3})
    made = shown()
    said = "Version 2 of study 'demo' holds what this program does not know: the key 'stopping'."
    assert said in texts(made.error)
    assert not made.metric
