"""What answers mean: decided by indices and keys, whatever the words on a button are."""

import io

import numpy as np
import pytest
from PIL import Image
from test_questions import EVERY, every, simulated, some_showing

from db.export import Answered
from engine.analysis.outcomes import DTYPES, TIE
from study_app import questions
from study_app.outcomes import outcomes
from study_app.questions import Showing, item_key, item_keys, registry

EMPTY_PNG = b""


def png(pixels):
    """A picture of uint8 (H, W) as a file."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return file.getvalue()


def passport(kind="adversarial", *, true=3, target=5, defense="none", said=None, **more):
    """What is known of a picture; a mistake is towards `target`, which the model says."""
    disturbed = kind in ("adversarial", "control")
    label = target if kind == "adversarial" and said is None else said
    facts = {
        "kind": kind,
        "true_label": true,
        "target": target if disturbed else None,
        "defense": defense,
        "attack": {"name": "pgd"} if disturbed else None,
        "prediction": None if label is None else {"label": label, "confidence": 0.9},
        "source": {"image_id": "image"},
        "pixels": {"sha256": f"{kind} {target}", "shape": [1, 8, 8]},
    }
    return facts | more


def a_map(defense="none", *, method="input_gradient", of="clean", placebo=False):
    saliency = {"name": method, "of": of, "placebo": placebo}
    return passport("map", defense=defense, saliency=saliency)


def answered(task, answer, pictures, *, view=None, asked=None, correct=None, picture=EMPTY_PNG):
    """An answer to a question of the type `task`, in a language in which all buttons say 'x'."""
    question = registry.create(task, **({"items": ITEMS} if task == "survey" else {}))
    showing = Showing(
        [str(n) for n in range(10)], pictures, asked if question.about_label else None, say=str
    )
    seen = question.view(showing) if view is None else view
    for option in seen["options"]:
        option["label"] = "x"
    return Answered(
        task=task,
        answer=answer,
        values={},
        view=seen,
        pictures=pictures,
        role="main",
        condition="any",
        shown_label=asked if question.about_label else None,
        asked_label=asked,
        correct=correct,
        study={},
        png=lambda place: picture,
    )


ITEMS = [{"name": "why", "kind": "text", "prompt": "Why?"}]


def meant(task, answer, *pictures, **how):
    return dict(registry.get(task).means(answered(task, answer, pictures, **how)))


MISTAKE, CLEAN = passport(), passport("clean", defense=None)
NOISE = passport("control", said=3)


@pytest.mark.parametrize(
    ("answer", "asked", "target", "true", "cant_tell", "label"),
    [
        ("5", 5, True, False, False, "5"),
        ("3", 5, False, True, False, "3"),
        ("7", 5, False, False, False, "7"),
        ("cant_tell", 5, False, False, True, None),
        ("3", None, None, True, False, "3"),
    ],
)
def test_a_label_is_judged_by_its_index(answer, asked, target, true, cant_tell, label):
    assert meant("label_nafc", answer, MISTAKE, asked=asked) == {
        "chose_target": target,
        "chose_true": true,
        "cant_tell": cant_tell,
        "chosen_label": label,
    }


def test_what_was_not_offered_is_not_missed():
    options = [{"value": value, "label": "x", "key": ""} for value in ("5", "8")]
    view = {"prompt": "?", "layout": "row", "options": options}
    found = meant("label_nafc", "8", MISTAKE, asked=5, view=view)
    assert found["chose_target"] is False
    assert found["chose_true"] is None
    assert found["cant_tell"] is None
    assert meant("label_nafc", "8", MISTAKE, asked=1, view=view)["chose_target"] is None


def test_yes_is_a_key_and_no_word():
    assert meant("target_plausible", "yes", MISTAKE, asked=5) == {"said_plausible": True}
    assert meant("target_plausible", "no", MISTAKE, asked=5) == {"said_plausible": False}


@pytest.mark.parametrize(
    ("answer", "asked", "right"),
    [("accept", 3, True), ("reject", 3, False), ("accept", 5, False), ("reject", 5, True)],
)
def test_accepting_is_right_exactly_where_the_label_is_true(answer, asked, right):
    found = meant("accept_reject", answer, MISTAKE, asked=asked)
    assert found == {"accepted": answer == "accept", "judged_right": right}


def test_a_rating_is_a_number_and_words_are_words():
    assert meant("rating_scale", "6", MISTAKE) == {"rating": 6}
    assert meant("free_text", "a cat", MISTAKE) == {"text": "a cat"}
    assert meant("free_text", "", MISTAKE) == {"text": None}
    assert meant("survey", '{"why":null}', MISTAKE) == {}


def test_the_model_is_predicted_where_its_own_answer_is_named():
    said = passport("clean", said=8)
    assert meant("simulate_model", "8", said) == {"correct": True, "predicted_label": "8"}
    assert meant("simulate_model", "3", said) == {"correct": False, "predicted_label": "3"}
    assert meant("simulate_model", "3", CLEAN)["correct"] is None
    # In catch trials another label stands for the model's answer.
    assert meant("simulate_model", "3", said, correct="3")["correct"] is True


def test_the_genuine_map_is_found_at_the_place_where_it_was_shown():
    maps = [a_map(placebo=True), a_map(), a_map(method="edges", placebo=True)]
    assert meant("choose_explanation", "1", *maps) == {"chose_genuine": True}
    assert meant("choose_explanation", "0", *maps) == {"chose_genuine": False}
    assert meant("choose_explanation", "0", a_map(), a_map("distillation")) == {
        "chose_genuine": None
    }


def test_the_picture_aimed_at_the_label_is_one_that_an_attack_changed_towards_it():
    other = passport(target=6)
    for pictures in ((MISTAKE, other), (other, MISTAKE), (NOISE, MISTAKE)):
        place = str(pictures.index(MISTAKE))
        for answer in "01":
            found = meant("two_image_choice", answer, *pictures, asked=5)
            assert found["chose_aimed"] is (answer == place)
    found = meant("two_image_choice", "1", other, MISTAKE, asked=5)
    assert found["looks_more_like"] == "mistake:none:pgd:asked"
    assert meant("two_image_choice", TIE, other, MISTAKE, asked=5) == {
        "chose_aimed": False,
        "looks_more_like": TIE,
    }
    # Neither picture aims at the label, or both do: nothing to find.
    assert meant("two_image_choice", "1", other, CLEAN, asked=5)["chose_aimed"] is None
    assert meant("two_image_choice", "1", MISTAKE, MISTAKE, asked=5)["chose_aimed"] is None


def test_a_preference_is_for_an_item_wherever_it_stands():
    one, other = a_map("gradient_penalty"), a_map(method="edges", placebo=True)
    for pictures in ((one, other), (other, one)):
        place = str(pictures.index(one))
        assert meant("pair_preference", place, *pictures) == {
            "preferred": "map:gradient_penalty:input_gradient"
        }
    assert meant("pair_preference", TIE, one, other) == {"preferred": TIE}
    assert meant("pair_preference", "0", one, one) == {"preferred": None}


def test_a_ranking_names_items_in_the_order_given():
    pictures = [CLEAN, MISTAKE, NOISE]
    found = meant("rank", "1,0,2", *pictures)
    assert found == {"ranking": "mistake:none:pgd > clean > control:none:pgd"}
    assert meant("rank", "1,0", CLEAN, CLEAN) == {}


@pytest.mark.parametrize(
    ("picture", "changed"), [(MISTAKE, True), (NOISE, True), (CLEAN, False), (a_map(), None)]
)
def test_detection_says_what_was_there(picture, changed):
    assert meant("detect_with_confidence", "yes:2", picture) == {
        "detected": True,
        "was_changed": changed,
        "confidence": 2,
    }
    assert meant("detect_with_confidence", "no:3", picture)["detected"] is False


def test_pictures_differ_where_their_pixels_do():
    assert meant("same_different", "different", CLEAN, MISTAKE) == {
        "said_different": True,
        "was_different": True,
    }
    assert meant("same_different", "same", CLEAN, CLEAN) == {
        "said_different": False,
        "was_different": False,
    }


STROKE = np.zeros((8, 8), np.uint8)
STROKE[:, 2] = 255
POINT = {"prompt": "?", "layout": "point", "options": [], "size": [8, 8]}
BRUSH = {"prompt": "?", "layout": "brush", "options": [], "cells": 4}


@pytest.mark.parametrize(("answer", "on"), [("2,7", True), ("7,2", False), ("3,3", False)])
def test_a_point_is_column_and_row_of_the_picture(answer, on):
    found = meant("point_or_brush", answer, CLEAN, view=POINT, picture=png(STROKE))
    assert found == {"mark": answer, "mark_on_stroke": on, "painted": None}


@pytest.mark.parametrize(
    ("answer", "on", "painted"),
    [
        ("1,5,9", True, 3 / 16),  # the column of cells with pixels 2 and 3
        ("0,1,4,5,9", True, 5 / 16),
        ("0,1", False, 2 / 16),  # half is not the greater part
        ("0,2,3", False, 3 / 16),
        ("", None, 0),
    ],
)
def test_a_painted_area_counts_by_the_greater_part_of_its_cells(answer, on, painted):
    found = meant("point_or_brush", answer, CLEAN, view=BRUSH, picture=png(STROKE))
    assert found == {"mark": None, "mark_on_stroke": on, "painted": painted}


def test_a_mark_is_held_against_a_drawing_and_never_against_a_map():
    picture = png(STROKE)
    both = meant("point_or_brush", "2,7", a_map(), CLEAN, view=POINT, picture=picture)
    assert both["mark_on_stroke"] is True
    alone = meant("point_or_brush", "2,7", a_map(), view=POINT, picture=picture)
    assert alone["mark_on_stroke"] is None
    plain = meant("point_or_brush", "2,7", CLEAN, view=POINT, picture=png(STROKE * 0))
    assert plain["mark_on_stroke"] is None


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        (CLEAN, "clean"),
        (passport("clean", said=3), "clean"),
        (MISTAKE, "mistake:none:pgd"),
        (NOISE, "control:none:pgd"),
        (a_map("distillation"), "map:distillation:input_gradient"),
        (a_map(of="tgsm"), "map:none:input_gradient:tgsm"),
        (a_map(method="edges", placebo=True), "placebo:edges"),
        (a_map(placebo=True), "placebo:other_image:none:input_gradient"),
    ],
)
def test_the_key_of_an_item_is_made_from_the_passport(facts, key):
    assert item_key(facts) == key


def test_examples_of_one_attack_are_told_apart_by_what_is_asked():
    pair = [MISTAKE, passport(target=6)]
    assert item_keys(pair, 6) == ["mistake:none:pgd:other", "mistake:none:pgd:asked"]
    assert item_keys(pair, None) == ["mistake:none:pgd"] * 2
    assert item_keys([MISTAKE, CLEAN], 5) == ["mistake:none:pgd", "clean"]


@every
@pytest.mark.parametrize("seed", range(3))
def test_every_type_means_something_of_the_declared_kind_by_every_answer(question, seed):
    declared = {outcome.name: outcome for outcome in question.outcomes}
    showing = some_showing(question, seed)
    view, answer = simulated(question, showing, seed)
    given = answered(
        question.name, answer, showing.pictures, view=view, asked=showing.shown_label,
        picture=png(np.random.default_rng(seed).integers(0, 256, (28, 20))),
    )  # fmt: skip
    found = question.means(given)
    assert set(found) <= set(declared)
    types = {"boolean": bool, "Int64": int, "Float64": float | int, "string": str}
    for name, value in found.items():
        if value is not None:
            assert isinstance(value, types[DTYPES[declared[name].kind]]), name
    assert outcomes().items() >= declared.items()
    assert all(each.task == question.name for each in question.outcomes)


def test_every_type_but_the_survey_brings_an_outcome():
    silent = {name for name in registry.names() if not registry.get(name).outcomes}
    assert silent == {"survey"}
    assert {q.name for q in EVERY} == set(questions.registry.names())
