"""Stimuli carry passports that lead back, and only real mistakes are chosen."""

import numpy as np
import pytest
from synthetic import experiment

from engine import canonical, results, stimuli
from engine.artifacts import ArtifactStore
from engine.errors import UsageError
from engine.rendering import pixels_sha256


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return experiment(ArtifactStore(tmp_path_factory.mktemp("artifacts")))


def test_the_identity_is_the_hash_of_the_passport_and_leads_to_the_artifacts(found):
    stimulus = stimuli.adversarial(found, "gradient_penalty", "tgsm", 7)
    passport = stimulus.passport
    made = found.examples("gradient_penalty", "tgsm")
    assert stimulus.stimulus_id == canonical.sha256(passport)
    assert passport["kind"] == "adversarial"
    assert passport["model"]["id"] == found.model("gradient_penalty").key
    assert passport["attack"]["content_sha256"] == made.artifact.content_sha256
    assert passport["attack"]["params"] == {"steps": 10, "step_size": 0.1, "eps": None}
    assert passport["pixels"]["sha256"] == pixels_sha256(made.pixels[7])
    assert stimulus.image_id == pixels_sha256(made.clean[7])
    assert passport["prediction"]["label"] == passport["target"] == 8
    assert passport["true_label"] == 7


def test_equal_pixels_may_be_different_stimuli(found):
    masked = stimuli.adversarial(found, "distillation", "fgsm", 3)
    plain = stimuli.clean(found, 3)
    assert masked.pixels_sha256 == plain.pixels_sha256
    assert masked.stimulus_id != plain.stimulus_id


def test_a_control_says_so(found):
    assert stimuli.adversarial(found, "none", "noise", 0).passport["kind"] == "control"


def test_only_images_hit_on_every_defense_are_chosen(found):
    pairs = [("none", "fgsm"), ("gradient_penalty", "fgsm")]
    indices, attrition = stimuli.hit_everywhere(found, pairs)
    made = [found.examples(*pair) for pair in pairs]
    assert all((m.label[indices] != m.true_label[indices]).all() for m in made)
    assert attrition["none x fgsm"]["attempted"] == 60
    none, _ = stimuli.hit_everywhere(found, [*pairs, ("distillation", "fgsm")])
    assert len(none) == 0


def test_a_model_that_was_wrong_before_gives_no_mistake(found):
    made = found.examples("none", "tgsm")
    before = made.before_label[5]
    made.before_label[5] = (before + 2) % 10
    try:
        indices, _ = stimuli.hit_everywhere(found, [("none", "tgsm")])
        assert 5 not in indices
    finally:
        made.before_label[5] = before


def test_unknown_experiments_and_parts_are_named(found, tmp_path):
    with pytest.raises(UsageError, match="has not been run here; finished: none yet"):
        results.find(ArtifactStore(tmp_path), "demo")
    with pytest.raises(UsageError, match="has no 'examples:none:pgd'"):
        found.examples("none", "pgd")


def test_png_and_pixels_are_the_same_picture(found):
    stimulus = stimuli.adversarial(found, "none", "tgsm", 0)
    assert np.array_equal(stimulus.pixels, found.examples("none", "tgsm").pixels[0])
    assert stimulus.png.startswith(b"\x89PNG")
