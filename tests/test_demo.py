"""The main job on the built-in data, as a newcomer runs it, and what it must show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from db import repository
from db.session import Database
from engine import results, stimuli
from engine.artifacts import ArtifactStore
from study_app.analysis.stages import shown_by

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def found(demo):
    return results.find(ArtifactStore(demo.home / "artifacts"), "demo")


def accuracies(found, attack, source):
    return found.evaluation()["examples"][attack][source]["tested"]


def test_it_prints_a_line_a_stage_and_the_table(demo):
    for stage in ("train", "attack", "explain", "evaluate", "in all"):
        assert re.search(rf"^ *{stage} +\S", demo.output, flags=re.MULTILINE), demo.output
    assert "Study demo is live (version 1)." in demo.output
    assert "Traceback" not in demo.output


def test_clean_accuracy(found):
    models = found.evaluation()["models"]
    assert models["none"]["clean_accuracy"] >= 0.97
    assert all(model["clean_accuracy"] >= 0.93 for model in models.values())


def test_the_penalised_model_withstands_the_undefended_models_examples(found):
    accuracy = accuracies(found, "fgsm", "none")
    assert accuracy["gradient_penalty"]["accuracy"] >= accuracy["none"]["accuracy"] + 0.20


def test_examples_transfer_better_from_the_penalised_model(found):
    """Ross & Doshi-Velez (2018), claim 2: those examples fool others more than the other way."""
    from_penalised = 1 - accuracies(found, "fgsm", "gradient_penalty")["none"]["accuracy"]
    from_undefended = 1 - accuracies(found, "fgsm", "none")["gradient_penalty"]["accuracy"]
    assert from_penalised > from_undefended


def test_distillation_masks_its_gradients_and_is_hit_all_the_same(found):
    """Claim 3: FGSM finds a zero gradient and returns the image; TGSM still works."""
    assert found.evaluation()["models"]["distillation"]["zero_gradient_share"] >= 0.5
    made = found.examples("distillation", "fgsm")
    assert (made.l0 == 0).mean() >= 0.5
    assert accuracies(found, "tgsm", "distillation")["distillation"]["hit"] >= 0.9


def test_mistakes_that_people_see_have_one_size_and_the_same_targets_on_every_model(found):
    labels, models = found.source.labels, found.config["defenses"]
    targets = found.examples("none", "pgd").target
    for defense in models:
        made, noise = found.examples(defense, "pgd"), found.examples(defense, "noise")
        assert made.mistakes.mean() >= 0.9
        for disturbed in (made, noise):
            assert disturbed.l2 == pytest.approx(6, rel=0.02)
            assert (disturbed.target == targets).all()
    assert (targets != labels).all()
    everywhere = np.logical_and.reduce([stimuli.hits(found, label, "pgd") for label in models])
    counts = np.bincount(targets[everywhere], minlength=10)
    assert abs(counts - everywhere.sum() / 10).max() <= 8


def test_what_is_stored_of_an_example_is_measured_on_its_rounded_pixels(found):
    import torch

    from engine.jobs.context import load_model

    network = load_model(found.model("gradient_penalty"))
    made = found.examples("gradient_penalty", "tgsm")
    with torch.no_grad():
        probability = network(torch.from_numpy(made.pixels[:50]).float() / 255).softmax(1)
    assert probability.argmax(1).tolist() == made.label[:50].tolist()
    assert probability.max(1).values.tolist() == pytest.approx(made.confidence[:50], abs=1e-5)
    change = (made.pixels[:50].astype(float) - made.clean[:50]) / 255
    assert abs(change).reshape(50, -1).max(1) == pytest.approx(made.linf[:50])
    assert (change**2).sum((1, 2, 3)) ** 0.5 == pytest.approx(made.l2[:50])
    assert (change != 0).sum((1, 2, 3)).tolist() == made.l0[:50].tolist()


def test_maps_are_there_for_clean_and_attacked_images(found):
    for defense in found.config["defenses"]:
        maps = found.maps(defense, "input_gradient")
        assert "Σ" in maps.quantity
        assert set(maps.images) == {"clean", "fgsm", "tgsm", "pgd", "noise"}
        assert all(maps.all(image).shape == (397, 1, 28, 28) for image in maps.images)


def test_the_study_has_its_own_source_images_and_leads_back_to_the_artifacts(demo, found):
    database = Database(demo.home / "study.db")
    with database.read() as s:
        version = repository.study(s, "demo")
        pictures = shown_by(s, version)
        stored = repository.stimuli_of(s, version.id)
        live = repository.embargoed_image_ids(s, now=datetime.now(UTC))
    database.close()
    assert len({x.image_id for x in stored}) == len(live) == 46
    sizes = {each.condition: each.l2 for each in pictures}
    assert [label for label, l2 in sizes.items() if l2 is None] == ["clean"]
    assert all(l2.median == pytest.approx(6, rel=0.01) for l2 in sizes.values() if l2)
    assert {each.images for each in pictures} == {40}
    for one in stored[::10]:
        source = one.passport["source"]["index"]
        if one.passport["kind"] == "clean":
            again = stimuli.clean(found, source)
        else:
            attack = {"pgd": "pgd", "random_sign": "noise"}[one.passport["attack"]["name"]]
            again = stimuli.adversarial(found, one.passport["defense"], attack, source)
        assert again.stimulus_id == one.stimulus_id
        assert again.file_sha256 == one.file_sha256


def test_a_second_start_makes_nothing_again(demo):
    before = {path: path.stat().st_mtime_ns for path in demo.home.rglob("*.npz")}
    again = subprocess.run(
        [sys.executable, "-m", "study_app.cli.plausibly", "demo", "--no-serve"],
        cwd=ROOT,
        env={**os.environ, "PLAUSIBLY_HOME": str(demo.home)},
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0
    assert "made in" not in again.stderr
    assert "Study demo is live (version 1)." in again.stdout
    assert before == {path: path.stat().st_mtime_ns for path in demo.home.rglob("*.npz")}
