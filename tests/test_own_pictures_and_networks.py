"""A lab's own pictures and networks, from the folder to the export, by the command line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import lab_pictures
import numpy as np
import pytest
import yaml
from lab import Lab
from PIL import Image
from starlette.testclient import TestClient
from tiny_run import InThisProcess
from typer.testing import CliRunner

from db import repository
from db.session import Database
from engine import results
from engine.artifacts import ArtifactStore
from study_app.api import Context, create_api
from study_app.cli import experiments
from study_app.cli import plausibly as cli
from study_app.installation import AppState

NETWORKS = {"resnet": "Normalised", "vit": "Transformer", "view": "Tutorial"}
PER_CLASS = 40
PGD = {"name": "pgd", "eps": 0.3, "steps": 5}
EXPERIMENT = {
    "name": "lab",
    "title": "Our pictures",
    "dataset": {"name": "folder", "root": "pictures", "size": [8, 8], "test_share": 0.4},
    "training": {"steps": 250, "batch_size": 32, "lr": 0.01},
    "architecture": "small_cnn",
    "defenses": {
        label: {
            "title": name,
            "defense": "none",
            "architecture": {"name": "external", "module": f"lab_networks:{name}"},
        }
        for label, name in NETWORKS.items()
    },
    "attacks": {
        "pgd": {"title": "PGD", "attack": PGD},
        "noise": {"title": "Noise", "attack": {"name": "random_sign", "like": PGD}},
    },
    "doubt": {
        "eps": [0.1, 0.3],
        "images": 12,
        "steps": 3,
        "restarts": 1,
        "queries": 5,
        "strong": "fgsm",
    },
    "saliency": {"gradient": {"title": "Gradient", "method": "input_gradient"}},
    "map_metrics": {"images": 10},
}
STUDY = {
    "name": "lab",
    "title": "What do you see?",
    "experiment": "lab",
    "conditions": {
        **{
            label: {
                "title": label,
                "show": "mistake",
                "defense": label,
                "attack": "pgd",
                "presentations": 2,
            }
            for label in NETWORKS
        },
        "clean": {"title": "Clean", "show": "clean", "presentations": 2},
    },
    "practice": 0,
    "catch": 0,
    "faithful": "A first look, without controls.",
    "questions": [
        {"name": "label_nafc", "prompt": "What is it?", "cant_tell": "Can't tell"},
        {"name": "target_plausible", "prompt": "A computer said {label}. Could a person?"},
    ],
    "texts": {
        "consent": "You will see **8 small pictures** and answer two questions about each.",
        "instructions": "Say what it is.",
        "debrief": "Thank you.",
        "feedback_right": "Yes.",
        "feedback_wrong": "No.",
    },
}


@pytest.fixture
def plausibly(tmp_path, monkeypatch):
    """Runs a command in the lab's folder and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLAUSIBLY_HOME", str(tmp_path))
    monkeypatch.setattr(experiments._Made, "by", lambda _self, store: InThisProcess(store))

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(cli.app, arguments)
        assert done.exit_code == 0, f"{done.output} {done.exception!r}"
        return done.output

    return run


def takes_part(home: Path) -> int:
    """Let a person answer all questions of the study; return how many there were."""
    database = Database(home / "study.db")
    with database.read() as s:
        version = repository.study(s, "lab")
    state = AppState(database, ArtifactStore(home / "artifacts"), b"k" * 64)
    lab = Lab(state, version, TestClient(create_api(Context(state))))
    end = lab.participant(study="lab").finish()
    database.close()
    assert end["complete"]
    assert end["debrief"]["code"]
    return int(end["total"])


def apart(stored: np.ndarray, drawn: Sequence[Image.Image]) -> float:
    """How far a stored picture (3, 8, 8) is from the nearest of those that were drawn."""
    wanted = [np.asarray(each.resize((8, 8), Image.Resampling.LANCZOS), float) for each in drawn]
    return min(float(abs(stored - each).max()) for each in wanted)


def test_from_a_folder_of_pictures_to_the_answers_of_a_person(plausibly, tmp_path):
    drawn = lab_pictures.write(tmp_path / "pictures", PER_CLASS)
    for name, document in (("lab", EXPERIMENT), ("study", STUDY)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(document))

    said = plausibly("run", "lab.yaml")
    assert "40 images are transparent and were put on the background #ffffff" in said
    assert "bar 18 / 6 / 16, cross 18 / 6 / 16" in said
    found = results.find(ArtifactStore(tmp_path / "artifacts"), "lab")
    for pixels, label in zip(found.source.pixels, found.source.labels, strict=True):
        assert apart(pixels, drawn[found.class_names[label]]) < 20
    models = found.evaluation()["models"]
    assert models.keys() == NETWORKS.keys()
    assert found.missing == {}
    assert min(model["clean_accuracy"] for model in models.values()) > 0.8
    for label in NETWORKS:
        tested = found.evaluation()["examples"]["pgd"][label]["tested"][label]
        assert tested["accuracy"] < 0.5

    plausibly("report", "lab", "--out", "report")
    page = (tmp_path / "report/report.html").read_text()
    assert all(title in page for title in (*NETWORKS.values(), "Accuracy by class"))
    assert "not measured" not in page

    assert "0 errors" in plausibly("study", "lint", "study.yaml")
    plausibly("study", "launch", "study.yaml")
    questions = takes_part(tmp_path)
    assert questions == 2 * sum(each["presentations"] for each in STUDY["conditions"].values())
    plausibly("export", "lab", "--out", "export")
    with (tmp_path / "export/ratings.csv").open() as file:
        ratings = list(csv.DictReader(file))
    assert len(ratings) == questions
    assert {row["condition"] for row in ratings} == STUDY["conditions"].keys()
    mistakes = {row["condition"]: row for row in ratings if row["attack"]}
    for label in NETWORKS:
        weights = found.model(label).sha256(results.WEIGHTS)
        assert mistakes[label]["weights_sha256"] == weights
        assert mistakes[label]["source_dataset"] == "folder"
    assert plausibly("verify").strip().endswith("all as recorded.")
