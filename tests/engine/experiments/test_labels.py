"""People's labels share no names with what is stored beside them."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_run import InThisProcess, Log, experiment

from engine import stimuli
from engine.artifacts import ArtifactStore
from engine.experiments import plan
from engine.results import Results
from study_app.gallery.exhibit import Exhibit

DEFENSES = ("labels", "model", "clean", "file", "allow_pickle")
ATTACKS = ("model", "labels", "source", "file")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    asked = experiment(
        dataset="digits:3,8",
        training={"steps": 1, "batch_size": 16, "report_every": 1},
        defenses={label: {"title": label, "defense": "none"} for label in DEFENSES},
        attacks={
            label: {"title": label, "attack": {"name": "fgsm", "eps": 0.1 * (1 + place)}}
            for place, label in enumerate(ATTACKS)
        },
        curves={"labels": {"title": "A", "attack": "fgsm", "over": {"eps": [0, 0.3]}, "images": 9}},
        doubt={
            "eps": [0.1],
            "images": 5,
            "steps": 1,
            "restarts": 1,
            "queries": 5,
            "strong": "fgsm",
        },
        saliency={"model": {"title": "Gradient", "method": "input_gradient"}},
    )
    store = ArtifactStore(tmp_path_factory.mktemp("home") / "artifacts")
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    return Results(store, index)


def test_every_result_is_found_under_its_label(results):
    assert set(results.evaluation()["models"]) == set(DEFENSES)
    assert set(results.evaluation()["examples"]) == set(ATTACKS)
    for defense in DEFENSES:
        found = results.curve("labels", defense)
        assert set(found.tested) == set(DEFENSES)
        assert found.labels.shape == (9,)
        assert np.array_equal(found.tested[defense][0].shape, (9,))
        changed = [results.examples(defense, attack).linf.max() for attack in ATTACKS]
        assert changed == sorted(changed)
        assert changed[0] < changed[-1]


def test_stimuli_and_gallery_show_the_picture_of_that_label(results):
    exhibit = Exhibit(results)
    for defense in DEFENSES:
        for attack in ATTACKS:
            stimulus = stimuli.adversarial(results, defense, attack, 3)
            assert (
                stimulus.passport["attack"]["params"]["eps"]
                == (results.examples(defense, attack).artifact.recipe.config["attack"]["eps"])
            )
            shown = exhibit.pixels(defense, attack, 3)
            assert np.array_equal(shown, stimulus.pixels)


def test_maps_of_attacked_images_are_not_those_of_the_clean_ones(results):
    exhibit, indices = Exhibit(results), range(20)
    for defense in ("clean", "model"):
        clean, *attacked = (
            [exhibit.attribution(defense, image, i, "model") for i in indices]
            for image in ("clean", *ATTACKS)
        )
        assert not any(np.array_equal(clean, maps) for maps in attacked)
