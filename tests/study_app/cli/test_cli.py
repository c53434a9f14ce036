"""The command line as people type it: exit codes, one clear sentence, nothing half-written."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
import yaml
from lab import Lab
from starlette.testclient import TestClient
from synthetic import experiment
from typer.testing import CliRunner

from db import repository
from db.session import Database
from engine.artifacts import ArtifactStore
from engine.experiments import experiment_file, schema
from study_app.api import Context, create_api
from study_app.cli import plausibly as cli
from study_app.installation import AppState
from study_app.study import study as study_schema

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A home with a finished experiment and the published study."""
    home = tmp_path_factory.mktemp("pristine")
    experiment(ArtifactStore(home / "artifacts"))
    assert plausibly(home, "study", "launch", "demo").returncode == 0
    return home


@pytest.fixture
def home(pristine, tmp_path):
    target = tmp_path / "home"
    subprocess.run(["cp", "-r", pristine, target], check=True)
    return target


def plausibly(home, *arguments, **environment):
    """Run a command in this process, which spares it the second or three that starting takes."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.dict(os.environ, {"PLAUSIBLY_HOME": str(home), **environment}),
        mock.patch.object(sys, "argv", ["plausibly", *map(str, arguments)]),
        contextlib.chdir(home.parent),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def typed(home, *arguments, **environment):
    """Run a command as people do, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "study_app.cli.plausibly", *map(str, arguments)],
        env={**os.environ, "PLAUSIBLY_HOME": str(home), "PYTHONPATH": str(ROOT), **environment},
        cwd=home.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(done, code, pattern):
    """One sentence on standard error, the promised code, no traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert re.search(pattern, done.stderr), done.stderr
    return True


def taking_part(home, study="demo"):
    """A server on the database in `home`, for people to take part."""
    database = Database(home / "study.db")
    with database.read() as s:
        version = repository.study(s, study)
    state = AppState(database, ArtifactStore(home / "artifacts"), b"k" * 64)
    return Lab(state, version, TestClient(create_api(Context(state))))


def files(home):
    return sorted(p.relative_to(home) for p in home.rglob("*") if "-wal" not in p.name)


def test_launch_status_export_analyze_close(home, tmp_path):
    status = json.loads(plausibly(home, "study", "status", "demo", "--json").stdout)
    assert status["status"] == "live"
    assert status["versions"][0]["started"] == 0
    out = tmp_path / "export"
    assert plausibly(home, "export", "demo", "--format", "csv", "--out", out).returncode == 0
    header = next(csv.reader((out / "ratings.csv").open()))
    book = list(csv.DictReader((out / "codebook.csv").open()))
    assert header == [row["column"] for row in book if row["table"] == "ratings"]
    assert all(row["description"] for row in book)
    analysis = json.loads(typed(home, "analyze", "demo", "--json").stdout)
    assert analysis["outcomes"] == []
    assert plausibly(home, "study", "close", "demo").returncode == 0
    assert "closed" in plausibly(home, "study", "status", "demo").stdout


def test_launching_again_adds_nothing_and_a_change_makes_a_version(home, tmp_path):
    again = json.loads(plausibly(home, "study", "launch", "demo", "--json").stdout)
    assert again["version"] == 1
    assert again["addresses"] == {"streamlit": "/take?study=demo", "light": "/p/demo"}
    document = yaml.safe_load((ROOT / "study_app/studies/demo.yaml").read_text())
    document["title"] = "Another title"
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    changed = json.loads(plausibly(home, "study", "launch", path, "--json").stdout)
    assert changed["version"] == 2

    # Once people have come, what would differ is said first.
    taking_part(home).participant(admitted=False)
    again = json.loads(plausibly(home, "study", "launch", path, "--json").stdout)
    assert again["version"] == 2
    document["conditions"]["none"]["defense"] = "distillation"
    document["title"] = "A third title"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    assert refused(
        plausibly(home, "study", "launch", path),
        2,
        r"1 person has taken part in study 'demo'. "
        r"What is launched differs from version 2 \(main\):\n"
        r"  conditions.none.defense: was none, now distillation\n"
        r"  title: was Another title, now A third title\n"
        r"Answers to the new version mean something else, .*\n"
        r"To make a new version of it: add --yes",
    )
    done = plausibly(home, "study", "launch", path, "--yes", "--json")
    assert json.loads(done.stdout)["version"] == 3
    assert "was none, now distillation" in done.stderr


def test_closing_says_who_is_under_way_and_until_when_the_images_are_held_back(home):
    lab = taking_part(home)
    lab.participant()
    lab.participant(admitted=False)
    lab.database.close()
    status = plausibly(home, "study", "status", "demo").stdout
    assert "1 person is taking part in the study just now" in status
    assert "gallery" not in status
    before = datetime.now(UTC)
    closed = plausibly(home, "study", "close", "demo").stdout
    assert re.search(
        r"demo is closed\. 1 person can still finish\. Its source images stay out of the gallery "
        r"until nobody has answered anything for an hour: until 20\d\d-\d\d-\d\d \d\d:\d\d UTC",
        closed,
    )
    again = json.loads(plausibly(home, "study", "close", "demo", "--json").stdout)
    until = datetime.fromisoformat(again.pop("held_back_until"))
    assert timedelta(minutes=55) < until - before < timedelta(minutes=62)
    assert again == {
        "study": "demo",
        "status": "closed",
        "under_way": 1,
        "held_back_images": 46,
        "held_back_by": [],
    }
    seen = json.loads(plausibly(home, "study", "status", "demo", "--json").stdout)
    assert (seen["under_way"], seen["held_back_images"]) == (1, 46)
    assert {each["images"] for each in seen["shown"]} == {40}
    said = plausibly(home, "study", "status", "demo").stdout
    assert "attention rules of version 1: 4 catch presentations: 2.8 % of honest people" in said
    sizes = re.findall(r"No defense: 40 source images, L2 (\S+) .*model's confidence (\S+)", said)
    (told,) = [each for each in seen["shown"] if each["condition"] == "none"]
    expected = [told["l2"]["median"], told["confidence"]["median"]]
    assert [float(each) for size in sizes for each in size] == pytest.approx(expected, abs=0.005)


def test_closing_with_nobody_under_way_lets_the_images_appear(home):
    closed = plausibly(home, "study", "close", "demo").stdout
    assert closed == "Study demo is closed. Its source images may now appear in the gallery.\n"
    status = plausibly(home, "study", "status", "demo").stdout
    assert "Nobody is taking part in the study just now" in status


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["study", "launch", "nope"], "unknown study 'nope'.*demo"),
        (["study", "lint", "nope"], "unknown study 'nope'.*demo"),
        (["study", "new", "My Study"], "name 'My Study': a study's name is a-z"),
        (["study", "new", "mine", "--from", "nope"], "unknown study 'nope'.*demo"),
        (["study", "new", "mine", "--out", "mine.txt"], "--out mine.txt: .* ends in .yaml"),
        (["study", "preview", "demo", "--arm", "x"], "unknown arm 'x'; known: all"),
        (["study", "preview", "demo", "--list", "20"], "--list 20: arm 'all' has 20, from 0"),
        (["study", "preview", "demo", "--language", "fr"], "'fr'; the study has: en, de, ja"),
        (["study", "preview", "demo", "--out", "x.pdf"], "--out x.pdf: give a .html or .png file"),
        (["study", "preview", "ross2018"], "experiment 'protocols' has not been run here"),
        (["study", "launch", "ross2018"], "experiment 'protocols' has not been run here"),
        (["schema", "trial"], "'trial' is not one of 'experiment', 'study'"),
        (["study", "status", "nope"], "unknown study 'nope'; published: demo"),
        (["study", "close", "nope"], "unknown study 'nope'; published: demo"),
        (["analyze", "nope"], "unknown study 'nope'; published: demo"),
        (["export", "nope", "--out", "x"], "unknown study 'nope'; published: demo"),
        (["export", "demo", "--format", "xls", "--out", "x"], "unknown format 'xls'; known: csv"),
        (["export", "demo", "--stage", "beta", "--out", "x"], "unknown stage 'beta'"),
        (["run", "nope"], "unknown experiment 'nope'.*demo"),
        (["replicate", "gan2014"], "unknown paper 'gan2014'; give nar2019 or ross2018, or a YAML"),
        (["replicate", "mine.yaml"], "--paper is missing: say whose claims mine.yaml is to test"),
        (["replicate", "mine.yaml", "--paper", "x"], "'x' is not one of 'ross2018', 'nar2019'"),
        (["replicate", "mine.yaml", "--paper", "nar2019", "--builtin"], "leave it out"),
        (["replicate", "ross2018", "--paper", "nar2019"], "ross2018 tests its own claims"),
        (["replicate", "ross2018", "--dataset", "m"], "no dataset 'm'; it has: mnist, notmnist"),
        (["run", "ross2018", "--dataset", "m"], "no dataset 'm'; it has: mnist, notmnist, svhn"),
        (["report", "ross2018", "--dataset", "m"], "no dataset 'm'; it has: mnist, notmnist"),
        (["report", "mine", "--dataset", "m"], "of mine, .*name the run itself: mine_m"),
        (["run", "demo", "--dataset", "m"], "'demo' has one dataset, which has no label; leave"),
        (["replicate", "nar2019", "--out", "nowhere/x.md"], "there is no folder nowhere"),
        (["run", "demo", "--executor", "mpi"], "'mpi' is not one of 'local', 'ray'"),
        (["run", "demo", "--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (
            ["run", "demo", "--executor", "ray", "--workers", "2"],
            "--workers is for processes on this machine",
        ),
        (["verify", "nope"], "nothing in .* is called 'nope'"),
        (["serve", "--port", "0"], "--port"),
        (["export", "demo"], "--out"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_2_and_leaves_nothing(home, arguments, said):
    before = files(home)
    assert refused(plausibly(home, *arguments), 2, said)
    assert files(home) == before


def test_an_unknown_defense_in_a_config_is_2_with_the_known_ones(home, tmp_path):
    document = yaml.safe_load((experiment_file.BUILT_IN / "demo.yaml").read_text())
    document["defenses"]["none"]["defense"] = "magic"
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document))
    before = files(home)
    done = plausibly(home, "run", path)
    assert refused(done, 2, r"defenses\.none\.defense: unknown defense 'magic'; known: adv")
    assert files(home) == before


def test_the_linear_theory_runs_once_and_prints_rows(home, tmp_path):
    path = tmp_path / "quick.yaml"
    path.write_text("kind: linear_theory\ntitle: Quick\nsteps: 50\nper_class: 10\n")
    first = plausibly(home, "run", path, "--json")
    rows = json.loads(first.stdout)["rows"]
    assert {row["objective"] for row in rows} == {"cross_entropy", "differential"}
    (artifact,) = home.glob("artifacts/linear_theory/*/margins.svg")
    before = artifact.stat().st_mtime_ns
    again = plausibly(home, "run", path)
    assert "cross-entropy" in again.stdout
    assert artifact.stat().st_mtime_ns == before
    path.write_text("kind: linear_theory\ntitle: Quick\nstepz: 50\n")
    assert refused(plausibly(home, "run", path), 2, "stepz: unknown key")


def test_a_linear_theory_has_no_stages_and_one_seed(tmp_path):
    home = tmp_path / "home"
    for option, value in (("--seeds", "2"), ("--seeds", "1"), ("--only", "train")):
        done = plausibly(home, "run", "nar2019-linear", option, value)
        assert refused(done, 2, f"{option} is for experiments that train networks")
    assert not home.exists()


TINY = """
name: tiny
title: Tiny
datasets:
  curved: {title: 3 or 8, dataset: "digits:3,8"}
architecture: {name: small_cnn, channels: [2, 2], hidden: 8}
training: {steps: 4, batch_size: 16}
defenses:
  none: {title: No defense, defense: none}
attacks:
  fgsm: {title: FGSM, attack: fgsm}
doubt: {eps: [0.1], images: 10, steps: 1, restarts: 1, queries: 5, strong: fgsm}
"""


def test_run_makes_one_stage_or_all_of_them_for_every_seed(tmp_path):
    home, path = tmp_path / "home", tmp_path / "tiny.yaml"
    path.write_text(TINY)
    done = plausibly(home, "run", path, "--only", "training")
    assert refused(done, 2, "unknown stage 'training'; known: train, select, attack")
    assert not home.exists()

    # One process of computation each: to start a second takes longer than all that is to be made.
    done = plausibly(home, "run", path, "--only", "train", "--workers", "1", "--json")
    assert json.loads(done.stdout) == {"runs": [], "failures": []}
    assert [p.name for p in home.glob("artifacts/*")] == ["model"]

    done = typed(home, "run", path, "--seeds", "2", "--workers", "1", "--json")
    runs = json.loads(done.stdout)["runs"]
    assert [(run["name"], run["seed"]) for run in runs] == [
        ("tiny_curved", 0),
        ("tiny_curved_seed1", 1),
    ]
    for run in runs:
        assert (home / "artifacts/experiment" / run["experiment"]).is_dir()
        assert run["models"].keys() == {"none"}
        assert 0 <= run["examples"]["fgsm"]["none"]["tested"]["none"]["accuracy"] <= 1
    assert "1 found" in done.stderr

    table = plausibly(home, "run", path, "--seeds", "2").stdout
    assert "3 or 8: Tiny" in table
    assert re.search(r"No defense .* 0\.\d+ ±0\.\d+", table)
    assert "Mean and standard deviation over 2 seeds." in " ".join(table.split())


def test_the_schema_is_printed(tmp_path):
    printed = json.loads(plausibly(tmp_path / "home", "schema").stdout)
    assert printed == schema.experiment()
    assert json.loads(plausibly(tmp_path / "home", "schema", "study").stdout) == study_schema()


def test_a_new_study_is_a_copy_that_can_be_linted_and_never_overwrites(home):
    made = plausibly(home, "study", "new", "mine", "--from", "zhou-firestone2019", "--json")
    assert json.loads(made.stdout) == {
        "study": "mine", "from": "zhou-firestone2019", "file": "mine.yaml"
    }  # fmt: skip
    path = home.parent / "mine.yaml"
    original = (ROOT / "study_app/studies/zhou-firestone2019.yaml").read_text()
    assert path.read_text() == original.replace("name: zhou-firestone2019", "name: mine", 1)
    assert refused(plausibly(home, "study", "new", "mine"), 2, "mine.yaml is there already")
    linted = plausibly(home, "study", "lint", path, "--json")
    assert linted.returncode == 0
    said = json.loads(linted.stdout)
    found = [(problem["severity"], problem["rule"]) for problem in said["problems"]]
    assert found[0] == ("warn", "enough_power")
    assert [severity for severity, _ in found[1:]] == ["hint"]
    assert (said["errors"], said["not_checked"]) == (0, None)
    assert [each["arm"] for each in said["attention"]] == ["foil", "rival", "any"]
    path.write_text(original.replace("experiment: demo", "experiment: dmo"))
    unseen = plausibly(home, "study", "lint", path)
    assert unseen.returncode == 3
    assert unseen.stdout.endswith(
        "Not checked: experiment 'dmo' has not been run here (did you mean 'demo'?); "
        "finished: demo.\n"
    )
    path.write_text(original + "lists: 3\n")
    refusal = plausibly(home, "study", "lint", path, "--json")
    assert refusal.returncode == 2
    assert "lists: unknown key" in json.loads(refusal.stdout)["problems"][0]["message"]


def edited(home, **changes):
    document = yaml.safe_load((ROOT / "study_app/studies/demo.yaml").read_text())
    path = home.parent / "edited.yaml"
    path.write_text(yaml.safe_dump({**document, **changes}, sort_keys=False))
    return path


def test_a_study_with_errors_is_neither_passed_nor_launched(home):
    path = edited(home, catch=0, exclusions=[])
    linted = plausibly(home, "study", "lint", path)
    assert linted.returncode == 2
    assert "error: catch: no catch trial" in linted.stdout
    said = (
        r"^1 error, \d+ warnings, 3 hints, 1 not checked\.\nNot checked: the design is drawn once"
    )
    assert re.search(said, linted.stdout, re.MULTILINE)
    (problem,) = [
        p for p in json.loads(plausibly(home, "study", "lint", path, "--json").stdout)["problems"]
        if p["severity"] == "error"
    ]  # fmt: skip
    assert problem["rule"] == "catch_trials"
    launched = plausibly(home, "study", "launch", path)
    assert refused(launched, 2, r"study 'demo' is not launched:\n  error: catch: no catch trial")
    status = json.loads(plausibly(home, "study", "status", "demo", "--json").stdout)
    assert len(status["versions"]) == 1


def test_too_few_images_are_an_error_of_the_design(home):
    linted = plausibly(home, "study", "lint", edited(home, practice=20, catch=50))
    assert linted.returncode == 2
    assert "needs 70 source images for practice and catch" in linted.stdout


def test_launching_prints_warnings_beside_the_result(home):
    launched = plausibly(home, "study", "launch", edited(home, title="Anew"), "--json")
    assert json.loads(launched.stdout)["version"] == 2
    assert "warn: quota: none" in launched.stderr


def test_a_preview_is_the_plan_and_its_pictures_and_publishes_nothing(home, tmp_path):
    before = files(home)
    arguments = ("study", "preview", "demo", "--list", "3", "--seed", "5", "--language", "de")
    table = plausibly(home, *arguments, "--out", tmp_path / "sheet.html").stdout
    assert "demo: arm all, list 3, seed 5" in table
    assert table.count("label_nafc") == 26
    page = (tmp_path / "sheet.html").read_text()
    assert page.count("data:image/png;base64,") == page.count("<section>") == 26
    assert "Welche Ziffer passt am besten" in page
    # Before and after: what people read, in their language.
    read = [page.index(words) for words in ("Das dauert etwa", "<main>", "Vielen Dank.")]
    assert read == sorted(read)
    printed = plausibly(home, *arguments, "--out", tmp_path / "sheet.png", "--json")
    plan = json.loads(printed.stdout)
    assert [len(p["passports"]) for p in plan["presentations"]] == [1] * 26
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert files(home) == before


def test_a_corrupt_artifact_is_1_and_named(home):
    (damaged,) = [p.parent for p in home.glob("artifacts/examples/*/examples.npz")][:1]
    with (damaged / "examples.npz").open("r+b") as file:
        file.seek(40)
        file.write(b"!")
    found = plausibly(home, "verify")
    assert refused(found, 1, rf"examples/{damaged.name[:12]}.*examples\.npz has SHA-256")
    whole = json.loads(plausibly(home, "verify", "model", "--json").stdout)
    assert whole == {"checked": 4, "problems": []}


def test_a_study_is_not_published_from_a_corrupt_artifact(home):
    for damaged in home.glob("artifacts/examples/*/examples.npz"):
        damaged.write_bytes(b"nonsense")
    (home / "study.db").unlink()
    assert refused(plausibly(home, "study", "launch", "demo"), 1, r"damaged.*remove the folder")
    assert not (home / "study.db").exists()


def test_an_experiment_that_has_not_been_run_is_said(tmp_path):
    home = tmp_path / "empty"
    done = plausibly(home, "study", "launch", "demo")
    assert refused(done, 2, "experiment 'demo' has not been run here; finished: none yet")


def test_a_database_from_the_future_is_1_and_untouched(home):
    with sqlite3.connect(home / "study.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = (home / "study.db").read_bytes()
    for command in (["serve", "--port", free_port()], ["study", "status", "demo"],
                    ["db", "upgrade"], ["demo", "--no-serve"]):  # fmt: skip
        assert refused(plausibly(home, *command), 1, r"study\.db.*newer")
    assert (home / "study.db").read_bytes() == before


def test_a_file_that_is_no_database_is_1_and_untouched(home):
    (home / "study.db").write_bytes(b"not a database" * 100)
    for command in (["serve", "--port", free_port()], ["study", "status", "demo"]):
        assert refused(plausibly(home, *command), 1, r"study\.db")
    assert (home / "study.db").read_bytes() == b"not a database" * 100


def test_a_port_in_use_is_1_before_anything_else_happens(tmp_path):
    home = tmp_path / "empty"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("serve", "demo"):
            done = plausibly(home, command, "--port", port)
            assert refused(done, 1, rf"cannot listen on 127\.0\.0\.1:{port}.*--port")
    assert not home.exists()


@pytest.mark.parametrize("url", ["nope://x", "http://x:y:z", "sqlite://"])
def test_a_database_address_that_cannot_be_used_is_2(home, url):
    done = plausibly(home, "study", "status", "demo", DATABASE_URL=url)
    assert refused(done, 2, "DATABASE_URL cannot be used")


def test_looking_makes_no_database(tmp_path):
    home = tmp_path / "empty"
    assert refused(plausibly(home, "study", "status", "demo"), 1, "no database.*db upgrade")
    assert not home.exists()


def test_a_home_that_is_a_file_is_1(tmp_path):
    home = tmp_path / "file"
    home.write_text("I am a file")
    assert refused(plausibly(home, "db", "upgrade"), 1, "cannot be made")


def test_an_export_never_overwrites(home, tmp_path):
    out = tmp_path / "export"
    out.mkdir()
    (out / "precious.txt").write_text("keep me")
    assert refused(plausibly(home, "export", "demo", "--out", out), 1, "not an empty folder")
    assert [p.name for p in out.iterdir()] == ["precious.txt"]


def test_backup_and_upgrade(home, tmp_path):
    assert plausibly(home, "db", "backup", tmp_path / "copy.db").returncode == 0
    with sqlite3.connect(tmp_path / "copy.db") as connection:
        assert connection.execute("SELECT count(*) FROM study").fetchone() == (1,)
    connection.close()
    assert "up to date" in plausibly(home, "db", "upgrade").stdout


def test_every_command_and_option_is_explained():
    def walk(group, path):
        for name, command in group.commands.items():
            assert command.help, (*path, name)
            for parameter in command.params:
                assert getattr(parameter, "help", None), (*path, name, parameter.name)
            if hasattr(command, "commands"):
                walk(command, (*path, name))

    from typer.main import get_command

    walk(get_command(cli.app), ())
    assert CliRunner().invoke(cli.app, ["--help"]).exit_code == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
