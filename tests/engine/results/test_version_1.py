"""What version 1 of this program stored is still read, and stimuli drawn from it are the same bits.

`tests/data/version_1` holds a small experiment written by hand with that version, and the passports
of stimuli that it drew.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_run import InThisProcess, Log, experiment

from engine import canonical, rendering, results, stimuli
from engine.artifacts import ArtifactStore, Recipe
from engine.errors import ArtifactError
from engine.experiments import plan
from engine.jobs import examples, making, maps
from engine.jobs.curve import FILE as PREDICTIONS
from engine.results import Results, Role
from study_app.gallery.exhibit import Exhibit

STORED = Path(__file__).parents[2] / "data" / "version_1"
METHOD = "input_gradient"
DRAWN = {
    "adversarial": lambda r: stimuli.adversarial(r, "none", "tgsm", 7),
    "control": lambda r: stimuli.adversarial(r, "none", "noise", 4),
    "clean": lambda r: stimuli.clean(r, 3),
    "answered": lambda r: stimuli.clean(r, 3, "distillation"),
    "map": lambda r: stimuli.saliency(r, "none", "tgsm", 5, METHOD),
    "map_on_the_models_scale": lambda r: stimuli.saliency(
        r, "none", "tgsm", 5, METHOD, scale="model"
    ),
    "clean_map_on_the_models_scale": lambda r: stimuli.saliency(
        r, "none", "clean", 5, METHOD, scale="model"
    ),
    "placebo": lambda r: stimuli.saliency(r, "none", "clean", 5, METHOD, shown=9),
    "blank": lambda r: stimuli.saliency(r, "distillation", "fgsm", 2, METHOD),
    "edges": lambda r: stimuli.edges(r, None, "clean", 6),
    "edges_on_the_models_scale": lambda r: stimuli.edges(r, "none", "tgsm", 6, scale="model"),
}


@pytest.fixture
def found(tmp_path):
    shutil.copytree(STORED / "artifacts", tmp_path / "artifacts")
    return results.find(ArtifactStore(tmp_path / "artifacts"), "old")


def test_nothing_of_it_is_said_to_be_damaged(found):
    assert not [problem for artifact in found.store.all() for problem in artifact.problems()]


@pytest.mark.parametrize("name", DRAWN)
def test_a_stimulus_is_reproduced_bit_by_bit(found, name):
    then = json.loads((STORED / "stimuli.json").read_text())[name]
    now = DRAWN[name](found)
    passport = json.loads(json.dumps(now.passport))
    if passport["kind"] == "map":
        # Since then a placebo's passport says whose map it is: that image is held back, too.
        passport["saliency"].pop("shown_image_id", None)
    assert passport == then["passport"]
    assert canonical.sha256(passport) == then["stimulus_id"]
    assert now.pixels_sha256 == rendering.pixels_sha256(now.pixels)


def test_images_answers_and_maps_are_found_where_they_lay(found):
    made = found.artifact(Role("examples", "none", "fgsm")).arrays(examples.FILE)
    assert np.array_equal(found.source.pixels, made["clean"])
    assert np.array_equal(found.source.labels, made["true_label"])
    assert found.source.image_ids[3] == rendering.pixels_sha256(made["clean"][3])
    for defense in found.config["defenses"]:
        made = found.artifact(Role("examples", defense, "fgsm")).arrays(examples.FILE)
        assert np.array_equal(found.answers(defense).label, made["before_label"])
        assert np.array_equal(found.answers(defense).confidence, made["before_confidence"])
        stored = found.artifact(Role("maps", defense, METHOD)).arrays(maps.OLD_FILE)
        explained = found.maps(defense, METHOD)
        assert set(explained.images) == set(stored)
        assert np.array_equal(explained.map("tgsm", 3), stored["tgsm"][3])
        assert explained.summary("tgsm").model_scale == rendering.scale_of(stored["tgsm"].sum(1))
    # One copy of the images is kept, however many artifacts hold them.
    assert found.examples("none", "tgsm").clean is found.examples("distillation", "fgsm").clean


def test_the_gallery_shows_it(found):
    exhibit = Exhibit(found)
    assert exhibit.strongest_attack in found.config["attacks"]
    assert exhibit.prediction("none", "clean", 2)[0] == found.answers("none").label[2]
    picture = exhibit.stimulus("none", "tgsm", 2)
    assert np.array_equal(exhibit.pixels("none", "tgsm", 2), picture.pixels)
    for mode in ("row", "model", "image"):
        assert exhibit.scale(mode, "none", "tgsm", 2, METHOD) > 0


def test_damage_is_found(found):
    path = found.artifact(Role("maps", "none", METHOD)).path / maps.OLD_FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="is damaged"):
        Results(found.store, found.index).maps("none", METHOD)


def first_versions(results, role, *, renamed):
    """Return the recipe that version 1 had for what is in `role` now."""
    now = results.artifact(role).recipe
    kept = {n: p for n, p in now.parents.items() if p.kind not in ("source", "answers")}
    parents = {renamed(name): parent for name, parent in kept.items()}
    versions = {name: v for name, v in now.versions.items() if name != now.kind}
    if now.kind == "curve":
        versions["curve"] = 1
    return Recipe(now.kind, now.config, parents, now.data_sha256, versions, now.numeric_path)


def test_its_recipes_give_what_it_stored(tmp_path):
    asked = experiment(
        dataset="digits:3,8",
        defenses={"none": {"title": "No defense", "defense": "none"}},
        curves={"eps": {"title": "A", "attack": "fgsm", "over": {"eps": [0, 0.3]}, "images": 9}},
        doubt=None,
    )
    store = ArtifactStore(tmp_path / "artifacts")
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    now = Results(store, index)

    def made(role, renamed=str):
        recipe = first_versions(now, role, renamed=renamed)
        return making.run(recipe, store, lambda _values: None)

    attacked = made(Role("examples", "none", "fgsm"))
    arrays = attacked.arrays(examples.FILE)
    assert list(arrays) == [
        "clean", "pixels", "true_label", "target", "before_label", "before_confidence", "label",
        "confidence", "unrounded_label", "linf", "l2", "l0",
    ]  # fmt: skip
    again = now.examples("none", "fgsm")
    assert all(np.array_equal(array, getattr(again, name)) for name, array in arrays.items())

    explained = made(
        Role("maps", "none", "gradient"), renamed=lambda name: name.removeprefix("examples:")
    )
    stored = explained.arrays(maps.OLD_FILE)
    assert explained.json(maps.ABOUT)["images"] == ["clean", "fgsm"]
    of = now.maps("none", "gradient")
    assert all(np.array_equal(values, of.all(image)) for image, values in stored.items())

    curve = made(Role("curve", "eps", "none"))
    predicted = curve.arrays(PREDICTIONS)
    assert set(predicted) == {"labels", "none"}
    assert np.array_equal(predicted["none"], now.curve("eps", "none").tested["none"])
