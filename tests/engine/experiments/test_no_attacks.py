"""An experiment without attacks is run, read, and shown: clean pictures and their maps."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient
from tiny_run import InThisProcess, Log, experiment

from db.session import Database
from engine import datasets, report, stimuli
from engine.artifacts import ArtifactStore, Role
from engine.errors import UsageError
from engine.experiments import plan
from engine.jobs import evaluation
from engine.jobs.context import Job
from engine.results import Results
from study_app.api import Context, create_api
from study_app.cli.experiment_tables import class_lines, run_tables
from study_app.gallery import grid_page
from study_app.gallery.catalog import catalog
from study_app.gallery.view import GalleryView
from study_app.installation import AppState


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    asked = experiment(
        dataset="digits:3,8",
        defenses={
            label: {"title": label.title(), "defense": defense}
            for label, defense in (("none", "none"), ("trained", "adversarial_training"))
        },
        attacks={},
        doubt=None,
    )
    store = ArtifactStore(tmp_path_factory.mktemp("home") / "artifacts")
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    return Results(store, index)


@pytest.fixture(scope="module")
def client(results, tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("database") / "study.db")
    database.upgrade()
    state = AppState(database, results.store, b"k" * 64)
    yield TestClient(create_api(Context(state)))
    database.close()


def test_what_is_made_is_found(results):
    assert results.config["attacks"] == {}
    assert results.evaluation()["examples"] == {}
    assert len(results.source) == len(results.answers("none").label)
    maps = results.maps("trained", "gradient")
    assert maps.images == ("clean",)
    assert len(maps.all("clean")) == len(results.source)


def test_classes_are_counted_and_tested_one_by_one(results):
    evaluation = results.evaluation()
    data = datasets.create("digits:3,8").load()
    assert evaluation["class_counts"] == datasets.class_counts(data)
    for label in ("none", "trained"):
        right = results.answers(label).label == data.test.labels
        own = [float(right[data.test.labels == k].mean()) for k in (0, 1)]
        assert evaluation["models"][label]["class_accuracy"] == own
    assert class_lines([results, results]) == [
        f"digits:3,8: {datasets.describe_counts(evaluation['class_counts'], ['3', '8'])}"
    ]


def test_an_evaluation_of_before_is_made_again_as_it_was(results):
    evaluated = results.artifact(Role("evaluation"))
    old = replace(evaluated.recipe, versions={"evaluation": 2})
    with results.store.draft(old) as draft:
        evaluation.make(Job(old, results.store, draft, lambda _: None, torch.device("cpu")))
    kept = results.evaluation()
    known = {
        label: {key: value for key, value in of.items() if key != "class_accuracy"}
        for label, of in kept["models"].items()
    }
    wanted = {key: value for key, value in kept.items() if key != "class_counts"}
    found = results.store.find(old).json(evaluation.FILE)
    assert found == {**wanted, "models": known}


def test_stimuli_are_drawn(results):
    clean = stimuli.clean(results, 3, "none")
    assert np.array_equal(clean.pixels, results.source.pixels[3])
    drawn = stimuli.saliency(results, "none", "clean", 3, "gradient", scale="model")
    assert drawn.passport["prediction"] == clean.passport["prediction"]
    assert stimuli.edges(results, "none", "clean", 3).passport["saliency"]["placebo"]
    with pytest.raises(UsageError, match="has no maps of 'fgsm'"):
        stimuli.saliency(results, "none", "fgsm", 3, "gradient")


def test_the_gallery_shows_clean_pictures_and_maps(results, client):
    exhibit = catalog(results.store.root).exhibit(results.index.key)
    view = GalleryView.default(exhibit)
    assert view.image == "clean"
    page = grid_page.legend(exhibit, view) + grid_page.grid(exhibit, view, range(3))
    pictures = set(re.findall(r'src="([^"]+)"', page))
    assert len(pictures) == 3 + 3 * len(exhibit.defenses)
    for address in pictures:
        assert client.get(address.replace("&amp;", "&")).headers["content-type"] == "image/png"
    base = f"/g/{exhibit.key}/none"
    facts = client.get(f"{base}/clean/3/gradient.json?scale=model").json()
    assert facts["picture"]["prediction"]["label"] == results.answers("none").label[3]
    assert client.get(f"{base}/fgsm/3.png").status_code == 404


def test_tables_and_report_leave_attacks_out(results):
    assert list(run_tables([results]))
    built = report.build([results], title="Tiny", command="plausibly report tiny")
    assert "report.html" in built.files
