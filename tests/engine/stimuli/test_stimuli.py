"""Stimuli carry passports that lead back, and only real mistakes are chosen."""

import numpy as np
import pytest
from synthetic import experiment

from engine import canonical, results, stimuli
from engine.artifacts import ArtifactStore, Role
from engine.errors import UsageError
from engine.rendering import draw_map, pixels_sha256, scale_of
from engine.stimuli import stimulus


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
    with pytest.raises(UsageError, match="has no 'examples:none:jsma'"):
        found.examples("none", "jsma")


def test_png_and_pixels_are_the_same_picture(found):
    stimulus = stimuli.adversarial(found, "none", "tgsm", 0)
    assert np.array_equal(stimulus.pixels, found.examples("none", "tgsm").pixels[0])
    assert stimulus.png.startswith(b"\x89PNG")


def test_a_clean_image_may_come_with_a_models_answer(found):
    plain, answered = stimuli.clean(found, 5), stimuli.clean(found, 5, "gradient_penalty")
    made = found.examples("gradient_penalty", "fgsm")
    assert plain.passport["prediction"] is plain.passport["defense"] is None
    assert answered.passport["defense"] == "gradient_penalty"
    assert answered.passport["prediction"] == {
        "label": int(made.before_label[5]), "confidence": float(made.before_confidence[5])
    }  # fmt: skip
    assert answered.passport.keys() == plain.passport.keys()
    assert answered.pixels_sha256 == plain.pixels_sha256


def test_a_map_is_the_stored_one_drawn_and_leads_back_to_it(found):
    maps = found.maps("none", "input_gradient")
    drawn = stimuli.saliency(found, "none", "tgsm", 4, "input_gradient")
    picture = stimuli.adversarial(found, "none", "tgsm", 4)
    own = maps.map("tgsm", 4)
    assert drawn.pixels.shape == (3, 8, 8)
    assert np.array_equal(drawn.pixels, draw_map(own, scale_of(own.sum(axis=0))))
    saliency = drawn.passport["saliency"]
    assert saliency == {
        "name": "input_gradient",
        "params": {"of": "sum_log_probabilities"},
        "of": "tgsm",
        "quantity": maps.quantity,
        "content_sha256": found.artifact(Role("maps", "none", "input_gradient")).content_sha256,
        "placebo": False,
        "explains": {"in_words": None, "class": None, "against": None},
        "baseline": None,
        "upsampling": {"rule": "none", "from": [8, 8]},
        "fit": {"verdict": "fits", "codes": []},
        "marked": False,
        "scale": scale_of(own.sum(axis=0)),
        "scale_over": "image",
    }
    assert drawn.passport["kind"] == "map"
    for key in ("source", "true_label", "target", "prediction", "before", "model", "attack"):
        assert drawn.passport[key] == picture.passport[key]
    assert drawn.passport["pixels"]["sha256"] == pixels_sha256(drawn.pixels)
    assert set(drawn.passport) == {*picture.passport, "saliency"}


def test_one_scale_for_a_model_makes_its_maps_comparable(found):
    maps = found.maps("none", "input_gradient")
    scale = scale_of(maps.all("clean").sum(axis=1))
    for index in (0, 1):
        drawn = stimuli.saliency(found, "none", "clean", index, "input_gradient", scale="model")
        assert drawn.passport["saliency"]["scale"] == scale
        assert np.array_equal(drawn.pixels, draw_map(maps.map("clean", index), scale))


def test_a_masked_models_map_is_neutral_everywhere(found):
    drawn = stimuli.saliency(found, "distillation", "clean", 0, "input_gradient")
    assert (drawn.pixels == 247).all()
    assert drawn.passport["saliency"]["scale"] == 0


def test_a_placebo_of_another_image_looks_like_its_map_and_says_what_it_is(found):
    placebo = stimuli.saliency(found, "none", "clean", 4, "input_gradient", shown=9)
    other = stimuli.saliency(found, "none", "clean", 9, "input_gradient")
    assert np.array_equal(placebo.pixels, other.pixels)
    assert placebo.passport["saliency"]["placebo"] is True
    assert placebo.passport["saliency"]["shown_index"] == 9
    assert placebo.passport["saliency"]["shown_image_id"] == stimuli.clean(found, 9).image_id
    assert placebo.passport["source"]["index"] == placebo.passport["true_label"] == 4


def test_edges_depend_on_the_image_and_on_no_model(found):
    of_two = [stimuli.edges(found, d, "clean", 4) for d in ("none", "distillation")]
    assert np.array_equal(of_two[0].pixels, of_two[1].pixels)
    assert of_two[0].passport["prediction"]["confidence"] > 0
    assert of_two[0].passport["saliency"]["placebo"] is True
    nobody = stimuli.edges(found, None, "clean", 4)
    assert nobody.passport["defense"] is None
    assert np.array_equal(nobody.pixels, of_two[0].pixels)
    attacked = stimuli.edges(found, "none", "tgsm", 4)
    assert not np.array_equal(attacked.pixels, nobody.pixels)
    wide = stimuli.edges(found, "none", "clean", 4, scale="model").passport["saliency"]
    assert wide["scale_over"] == "model"
    assert wide["scale"] != nobody.passport["saliency"]["scale"]


def test_edges_are_neutral_in_the_open_and_change_sign_at_an_edge():
    image = np.zeros((1, 1, 40, 40), np.float32)
    image[..., 20:] = 1
    second = stimulus.laplacian_of_gaussian(image)[0, 0]
    assert np.abs(second[:, [0, 5, 34, 39]]).max() < 1e-3
    assert (second[:, 19] > 0.01).all()  # the dark side
    assert (second[:, 20] < -0.01).all()
    assert np.allclose(second[:, :20], -second[:, :19:-1], atol=1e-6)


def test_a_map_that_is_not_there_is_named(found):
    with pytest.raises(UsageError, match=r"has no maps of 'jsma'.*clean, fgsm, noise, pgd, tgsm"):
        stimuli.saliency(found, "none", "jsma", 0, "input_gradient")
    with pytest.raises(UsageError, match="maps:none:lime"):
        stimuli.saliency(found, "none", "clean", 0, "lime")
