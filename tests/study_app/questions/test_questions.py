"""Every question type keeps one contract; what is peculiar to some follows."""

import json
import random
import re
import string
from dataclasses import replace
from pathlib import Path
from typing import get_args

import jsonschema
import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.saliency import NULL_METHODS
from study_app import questions
from study_app.questions import (
    AnswerError,
    Layout,
    Percept,
    Showing,
    View,
    registry,
)

DIGITS = tuple("0123456789")
ANIMALS = ("cat", "dog", "airplane")
DOCS = Path(__file__).parents[3] / "docs" / "questions.md"
ITEMS = [
    {"name": "trust", "kind": "scale", "prompt": "Trust?", "options": [
        {"value": "1", "label": "Little"}, {"value": "2", "label": "Much"}]},
    {"name": "why", "kind": "text", "prompt": "Why?", "required": False, "max_length": 40},
    {"name": "seen", "kind": "choices", "prompt": "Seen?", "options": [
        {"value": "noise", "label": "Noise"}, {"value": "edges", "label": "Edges"}]},
    {"name": "age", "kind": "number", "prompt": "Age?", "low": 18, "high": 120},
]  # fmt: skip
NEEDED = {"survey": {"items": ITEMS}}
"""Parameters without a default."""
VARIANTS = [
    ("label_nafc", {"cant_tell": None}),
    ("two_image_choice", {"tie": "Neither"}),
    ("pair_preference", {"tie": None}),
    ("detect_with_confidence", {"levels": 5}),
    ("rating_scale", {"points": 10}),
    ("accept_reject", {"confidence": "It is {confidence} % sure."}),
    ("point_or_brush", {"mode": "brush"}),
    ("free_text", {"required": True, "max_length": 1}),
    ("survey", {"items": [
        {"name": "free", "kind": "text", "prompt": "Why?"},
        {"name": "any", "kind": "number", "prompt": "How many?", "required": False}]}),
]  # fmt: skip
EVERY = [registry.create(name, **NEEDED.get(name, {})) for name in registry.names()]
EVERY += [registry.create(name, **params) for name, params in VARIANTS]
UNJUDGED = (
    "detect_with_confidence", "free_text", "pair_preference", "point_or_brush", "rank",
    "rating_scale", "survey",
)  # fmt: skip
BUTTONS = ("grid", "row", "scale", "pictures")


NAME = "the name of a class"


def ids(question):
    """The name, and what is not by default."""
    given = question.model_dump(exclude_defaults=True)
    return f"{question.name} {' '.join(given)}".strip()


every = pytest.mark.parametrize("question", EVERY, ids=ids)
SEEDS = st.integers(0, 2**32 - 1)
few_examples = settings(max_examples=25)


def a_passport(rng):
    """What is known of some picture, all of it secret but the size."""

    def answer():
        return rng.choice([None, {"label": rng.randrange(10), "confidence": rng.random()}])

    passport = {
        "kind": rng.choice(["clean", "adversarial", "control", "map"]),
        "true_label": rng.randrange(10),
        "target": rng.choice([None, rng.randrange(10)]),
        "prediction": answer(),
        "before": answer(),
        "defense": rng.choice([None, "none", "distillation"]),
        "attack": rng.choice([None, {"name": "tgsm"}]),
        "pixels": {"sha256": rng.choice(["aa", "bb"]), "shape": [1, 28, 20]},
    }
    if passport["kind"] == "map":
        of, placebo = rng.choice(["clean", "tgsm"]), rng.random() < 0.5
        passport["saliency"] = {"name": "input_gradient", "of": of, "placebo": placebo}
    return passport


def some_showing(question, seed):
    """Some presentation with as many pictures as the question may have."""
    rng = random.Random(seed)
    return Showing(
        DIGITS,
        tuple(a_passport(rng) for _ in range(rng.randint(*question.pictures))),
        shown_label=rng.randrange(10) if question.about_label else None,
        choices=rng.choice([None, tuple(rng.sample(range(10), rng.randint(2, 5)))]),
    )


def beliefs(pictures, seed, sharpness):
    """Random beliefs: flat to nearly certain."""
    return np.random.default_rng(seed).dirichlet([sharpness] * 10, size=pictures)


def simulated(question, showing, seed=0, sharpness=1.0):
    view = question.view(showing)
    percept = Percept(beliefs(len(showing.pictures), seed, sharpness), showing.shown_label)
    return view, question.simulate(view, percept, random.Random(seed))


def a_showing(question, **others):
    """One plain presentation."""
    picture = {
        "kind": "clean", "true_label": 3, "target": None, "defense": None, "before": None,
        "prediction": {"label": 3, "confidence": 0.97},
    }  # fmt: skip
    facts = {"pictures": (picture,) * question.pictures[0], "shown_label": 3} | others
    return Showing(**{"class_names": DIGITS} | facts)


# The contract


@every
def test_it_is_rebuilt_from_its_config_which_fits_its_schema(question):
    config = json.loads(json.dumps(question.config()))
    assert registry.from_config(config) == question
    schema = registry.schema(config.pop("name"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(config, schema)
    assert eval(repr(question), {"questions": questions}) == question


@every
def test_it_declares_itself(question):
    few, many = question.pictures
    assert 1 <= few <= many <= 6
    assert not question.shuffled or few >= 2
    assert "Attributes:" in str(question.__doc__)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in question.columns)
    assert all(question.columns.values())


@every
@few_examples
@given(seed=SEEDS)
def test_its_view_is_all_that_a_browser_needs(question, seed):
    showing = some_showing(question, seed)
    view = question.view(showing)
    assert json.loads(json.dumps(view)) == view
    assert {"prompt", "layout", "options"} <= set(view) <= set(View.__annotations__)
    assert view["layout"] in get_args(Layout)
    options = view["options"]
    assert all(set(option) == {"value", "label", "key"} for option in options)
    assert (len(options) >= 2) == (view["layout"] in BUTTONS)
    assert not options or view["layout"] in BUTTONS
    for part in ("value", "label"):
        assert len({option[part] for option in options}) == len(options)
    keys = [option["key"] for option in options if option["key"]]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= set(string.ascii_lowercase + string.digits)
    if view["layout"] == "pictures":
        places = [str(place) for place in range(len(showing.pictures))]
        assert [option["value"] for option in options[: len(places)]] == places
    assert len(view.get("captions", showing.pictures)) == len(showing.pictures)
    assert ("ends" in view) == (view["layout"] == "scale")
    assert ("cells" in view) == (view["layout"] == "brush")
    assert ("max_length" in view) == ("required" in view) == (view["layout"] == "text")
    assert bool(view.get("items")) == (view["layout"] == "survey")


@pytest.mark.parametrize(
    "question",
    # The one whose purpose it is to show the model's confidence aside.
    [question for question in EVERY if not getattr(question, "confidence", None)],
    ids=ids,
)
@few_examples
@given(seed=SEEDS)
def test_its_view_says_nothing_about_where_the_pictures_come_from(question, seed):
    showing = some_showing(question, seed)
    rng = random.Random(seed + 1)
    others = tuple(a_passport(rng) for _ in showing.pictures)
    assert question.view(replace(showing, pictures=others)) == question.view(showing)


@every
def test_every_word_goes_through_the_translator_and_is_listed(question):
    said = []

    def say(phrase):
        said.append(phrase)
        return f"«{phrase}»"

    view = question.view(a_showing(question, say=say, class_names=[NAME] * 10))
    assert set(said) - {NAME} == set(question.phrases())
    texts = [view["prompt"], *(option["label"] for option in view["options"])]
    texts += [*view.get("captions", ()), *view.get("ends", ()), view.get("note", "")]
    for item in view.get("items", ()):
        texts += [item["prompt"], *(option["label"] for option in item["options"])]
    for text in texts:
        # What is left beside translated words is no word: a number, a letter, a mark.
        bare = re.sub("«[^«»]*»", "", re.sub(f"(?<=.)«{NAME}»", "", text))
        assert re.fullmatch(r"[ ,]*|\d+| \d/\d|[A-F]", bare), text


@every
def test_prompts_must_not_be_empty_nor_the_label_lost(question):
    params = {key: value for key, value in question.config().items() if key != "name"}
    with pytest.raises(UsageError, match="prompt"):
        registry.create(question.name, **params | {"prompt": ""})
    if question.about_label:
        lost = {key: text.replace("{label}", "it") for key, text in params.items()
                if isinstance(text, str)}  # fmt: skip
        with pytest.raises(UsageError, match="never says it"):
            registry.create(question.name, **params | lost)
        with pytest.raises(ValueError, match="none was given"):
            question.view(a_showing(question, shown_label=None))
    else:
        registry.create(question.name, **params | {"prompt": "Is this {label}?"})  # filled in
        said = [key for key, text in params.items() if text in question.phrases()]
        elsewhere = [key for key in said if key != "prompt"]
        for key in elsewhere:
            with pytest.raises(UsageError, match="in the prompt only"):
                registry.create(question.name, **params | {key: "Is this {label}?"})


@every
@few_examples
@given(seed=SEEDS, sharpness=st.sampled_from([0.02, 1, 50]))
def test_a_simulated_rater_gives_answers_that_are_read(question, seed, sharpness):
    showing = some_showing(question, seed)
    view, answer = simulated(question, showing, seed, sharpness)
    assert simulated(question, showing, seed, sharpness) == (view, answer)
    stored = json.loads(json.dumps(view))  # as it comes back from the database
    found = question.read(stored, answer)
    assert found.answer == answer
    declared = {item["name"] for item in view.get("items", ())} or set(question.columns)
    assert set(found.values) == declared
    assert json.loads(json.dumps(dict(found.values))) == found.values
    assert all(isinstance(v, str | float | int | None) for v in found.values.values())
    for option in view["options"]:
        if option["value"] == answer:
            assert found.label == option["label"]


@every
@few_examples
@given(seed=SEEDS)
def test_who_knows_the_truth_gives_the_expected_answer(question, seed):
    showing = some_showing(question, seed)
    view, expected = question.view(showing), question.correct(showing)
    if expected is None:
        return
    assert question.name not in UNJUDGED
    assert question.read(view, expected).answer == expected
    truth = np.eye(10)[[picture["true_label"] for picture in showing.pictures]]
    percept = Percept(truth, showing.shown_label, expected)
    assert question.simulate(view, percept, random.Random(seed)) == expected


ANYTHING = st.one_of(
    st.text(),
    st.text(st.characters()),  # with lone surrogates
    st.text("0123456789,:-+ \n.eE", max_size=30),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["trust", "why", "seen", "age", "free", "any", "x"]), inner),
    ).map(json.dumps),
)  # fmt: skip


def refused_or_in_its_one_spelling(question, view, answer):
    try:
        found = question.read(view, answer)
    except AnswerError:
        return None
    assert question.read(view, found.answer) == found
    for text in (found.answer, found.label, *map(str, found.values.values())):
        assert "\0" not in text
        text.encode()
    return found


@every
@few_examples
@given(answer=ANYTHING)
@example(answer="[" * 20_000)
@example(answer="9" * 20_000)
@example(answer='{"age": 1' + "0" * 400 + "}")
@example(answer='{"age": NaN}')
@example(answer='{"free": "\\u0000"}')
@example(answer='{"free": "   "}')
@example(answer="\0")
@example(answer="a\r\nb")
@example(answer="1\n")
@example(answer="٣")
def test_whatever_comes_is_read_to_its_one_spelling_or_refused_in_a_sentence(question, answer):
    view = question.view(a_showing(question))
    found = refused_or_in_its_one_spelling(question, view, answer)
    if view["options"]:
        assert (found is not None) == (answer in [option["value"] for option in view["options"]])


@every
@few_examples
@given(seed=SEEDS, share=st.floats(0, 1), wrong=st.sampled_from("\0\nx, 0-{"))
def test_a_spoiled_answer_is_not_taken_for_another(question, seed, share, wrong):
    view, answer = simulated(question, a_showing(question), seed)
    place = round(share * len(answer))
    refused_or_in_its_one_spelling(question, view, answer[:place] + wrong + answer[place:])
    with pytest.raises(AnswerError):
        question.read(view, answer + "\0")


@every
def test_a_refused_answer_is_told_calmly(question):
    view = question.view(a_showing(question))
    garbage = "\ud800" if question.name == "free_text" else "no such answer"
    with pytest.raises(AnswerError) as error:
        question.read(view, garbage)
    assert re.fullmatch(r"[A-Z][^!]*\.", str(error.value))


# Labels


def keys(names, choices=None, **params):
    question = registry.create("label_nafc", **params)
    view = question.view(a_showing(question, class_names=names, choices=choices, shown_label=None))
    return [option["key"] for option in view["options"]]


@pytest.mark.parametrize(
    ("names", "choices", "expected"),
    [
        (DIGITS, None, [*DIGITS, "x"]),
        (DIGITS, (8, 3), ["8", "3", "x"]),
        (ANIMALS, None, ["1", "2", "3", "x"]),
        (ANIMALS, (2, 0), ["1", "2", "x"]),
        (tuple("ABCDEFGHIJ"), (1, 2), ["b", "c", "x"]),
        (tuple(string.ascii_uppercase), None, [*string.ascii_lowercase, "0"]),
        (("a", "A", "b"), None, ["", "", "b", "x"]),
        (("x", "0"), None, ["x", "0", ""]),
        (tuple("おきす"), None, ["1", "2", "3", "x"]),
        ([f"class {i}" for i in range(12)], None, [""] * 12 + ["x"]),
        ([f"class {i}" for i in range(10)], None, [*"1234567890", "x"]),
        (("1", "seven"), None, ["1", "", "x"]),
    ],
)
def test_labels_answer_to_keys_that_exist_and_differ(names, choices, expected):
    assert keys(names, choices) == expected
    assert keys(names, choices, cant_tell=None) == expected[:-1]


@pytest.mark.parametrize("name", ["label_nafc", "simulate_model"])
def test_only_the_choices_are_offered_in_their_order(name):
    question = registry.create(name)
    showing = a_showing(question, choices=(7, 1))
    view = question.view(showing)
    assert [option["value"] for option in view["options"]][:2] == ["7", "1"]
    assert question.correct(showing) is None  # 3 is not among them
    with pytest.raises(AnswerError):
        question.read(view, "3")
    percept = Percept(np.eye(10)[[3]])
    assert question.simulate(view, percept, random.Random(0)) in ("7", "1")


def test_the_model_is_simulated_not_the_truth():
    question = registry.create("simulate_model")
    showing = a_showing(question)
    wrong = dict(showing.pictures[0], prediction={"label": 5, "confidence": 1.0})
    assert question.correct(Showing(DIGITS, (wrong,))) == "5"
    assert question.correct(Showing(DIGITS, (wrong, showing.pictures[0]))) == "5"
    assert question.correct(Showing(DIGITS, (dict(wrong, prediction=None),))) is None


@pytest.mark.parametrize(
    ("shown", "prediction", "note"),
    [
        (3, {"label": 3, "confidence": 0.974}, "The computer says: 3. It is 97 % sure."),
        (4, {"label": 3, "confidence": 0.974}, "The computer says: 4."),
        (3, None, "The computer says: 3."),
    ],
)
def test_the_confidence_shown_is_that_of_the_label_shown(shown, prediction, note):
    question = registry.create("accept_reject", confidence="It is {confidence} % sure.")
    picture = {"true_label": 3, "prediction": prediction}
    showing = Showing(DIGITS, (picture,), shown)
    assert question.view(showing)["note"] == note
    assert question.correct(showing) == ("accept" if shown == 3 else "reject")


# Pictures


@pytest.mark.parametrize(
    ("labels", "expected"), [((3, 5), "0"), ((5, 3), "1"), ((3, 3), None), ((4, 5), None)]
)
def test_between_two_pictures_the_one_of_the_label_is_right(labels, expected):
    question = registry.create("two_image_choice")
    showing = Showing(DIGITS, tuple({"true_label": label} for label in labels), 3)
    assert question.correct(showing) == expected


def test_a_tie_is_an_answer_only_where_it_is_offered():
    for tie in (None, "Neither"):
        question = registry.create("pair_preference", tie=tie)
        view = question.view(a_showing(question))
        given = refused_or_in_its_one_spelling(question, view, "tie")
        assert (given and given.label) == tie
    percept = Percept(np.full((2, 10), 0.1))
    drawn = [question.simulate(view, percept, random.Random(n)) for n in range(200)]
    assert set(drawn) == {"0", "1", "tie"}


def test_same_means_equal_pixels_whatever_made_them():
    question = registry.create("same_different")
    one = {"kind": "clean", "pixels": {"sha256": "a"}}
    for other, expected in (
        ({"kind": "adversarial", "pixels": {"sha256": "a"}}, "same"),
        ({"kind": "clean", "pixels": {"sha256": "b"}}, "different"),
    ):
        assert question.correct(Showing(DIGITS, (one, other))) == expected
    assert question.correct(Showing(DIGITS, ({"kind": "clean"}, {"kind": "clean"}))) == "same"
    assert question.correct(Showing(DIGITS, ({"kind": "clean"}, {"kind": "map"}))) == "different"


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ([("tgsm", True), ("tgsm", False)], "1"),
        ([("tgsm", False), ("clean", False), ("clean", True)], "1"),
        ([("clean", False), ("clean", False)], None),
        ([("tgsm", False), ("tgsm", False)], None),
        ([("clean", True), ("clean", True)], None),
    ],
)
def test_the_right_map_is_the_genuine_one(maps, expected):
    names = [*sorted(NULL_METHODS), "grad_cam"]
    for null in names:  # a map of a null method is as good as a placebo
        facts = (
            {"of": of, "placebo": placebo, "name": "grad_cam"}
            if null == "grad_cam"
            else {"of": of, "placebo": False, "name": null if placebo else "grad_cam"}
            for of, placebo in maps
        )
        pictures = tuple({"saliency": each} for each in facts)
        showing = Showing(DIGITS, (*pictures, {"kind": "clean"}))
        assert registry.create("choose_explanation").correct(showing) == expected, null


def test_a_ranking_holds_every_picture_once():
    question = registry.create("rank")
    view = question.view(Showing(DIGITS, ({},) * 3))
    found = question.read(view, "2,0,1")
    assert (found.answer, found.label) == ("2,0,1", "C > A > B")
    for wrong in ("", "0,1", "0,1,1", "0,1,2,3", "0,1,3", "0, 1,2", "0,1,2,", "00,1,2", "2>0>1"):
        with pytest.raises(AnswerError, match="exactly once"):
            question.read(view, wrong)
    clear_last = np.array([[0.1] * 10, [0.1] * 10, [1.0] + [0.0] * 9])
    first = [question.simulate(view, Percept(clear_last), random.Random(n))[0] for n in range(300)]
    assert first.count("2") == pytest.approx(300 * 1 / 1.2, abs=30)


# Scales


def test_detection_is_taken_apart():
    question = registry.create("detect_with_confidence", levels=2)
    view = question.view(a_showing(question))
    assert [option["value"] for option in view["options"]] == ["no:2", "no:1", "yes:2", "yes:1"]
    said = ["No, sure", "No, unsure", "Yes, sure", "Yes, unsure"]
    assert [option["label"] for option in view["options"]] == said
    assert (view["layout"], view["columns"]) == ("grid", 2)
    assert [option["key"] for option in view["options"]] == ["1", "2", "3", "4"]
    assert question.read(view, "no:2").values == {"detected": False, "confidence": 2}
    assert question.read(view, "yes:1").values == {"detected": True, "confidence": 1}
    for wrong in ("no", "no:3", "yes:0", "maybe:1", "yes:01"):
        with pytest.raises(AnswerError):
            question.read(view, wrong)


@pytest.mark.parametrize(
    ("levels", "row"),
    [
        (3, ["No, sure", "No", "No, unsure"]),
        (5, ["No, sure", "No 4/5", "No 3/5", "No 2/5", "No, unsure"]),
    ],
)
def test_every_degree_of_confidence_is_told_from_the_others(levels, row):
    question = registry.create("detect_with_confidence", levels=levels)
    view = question.view(a_showing(question))
    assert [option["label"] for option in view["options"]][:levels] == row


def test_detection_goes_on_as_it_was_in_studies_that_began_before():
    question = registry.create("detect_with_confidence")
    view = question.view(a_showing(question, as_before=True))
    assert view["layout"] == "scale"
    assert [option["label"] for option in view["options"]] == [
        "No +++", "No ++", "No +", "Yes +", "Yes ++", "Yes +++",
    ]  # fmt: skip
    assert view["ends"] == ["Surely not changed", "Surely changed"]
    # What they hold of the question is what it was: such a study is not a changed one.
    assert list(question.config()) == [
        "name", "prompt", "exposure_ms", "response_window_ms", "no", "yes", "ends", "levels",
    ]  # fmt: skip
    german = registry.create("detect_with_confidence", sure=("sicher", "unsicher"))
    assert registry.from_config(german.config()) == german


def test_ten_points_have_ten_keys():
    question = registry.create("rating_scale", points=10)
    view = question.view(a_showing(question))
    assert [option["key"] for option in view["options"]] == [*"1234567890"]
    assert question.read(view, "10").values == {"rating": 10}
    with pytest.raises(UsageError, match="less than or equal to 10"):
        registry.create("rating_scale", points=11)


# Places


def test_a_point_is_a_pixel_of_the_picture():
    question = registry.create("point_or_brush")
    picture = {"pixels": {"sha256": "a", "shape": [3, 32, 20]}}
    view = question.view(Showing(DIGITS, (picture,)))
    assert view["size"] == [20, 32]
    assert question.read(view, "19,31").values == {"x": 19, "y": 31, "painted": None}
    for wrong in ("20,0", "0,32", "-1,0", "1", "1,2,3", "1.5,2", "01,2", "1, 2", "", "9999,9999"):
        with pytest.raises(AnswerError):
            question.read(view, wrong)
    unknown = question.view(Showing(DIGITS, ({},)))
    assert question.read(unknown, "9999,0").values["x"] == 9999
    with pytest.raises(AnswerError):
        question.read(unknown, "10000,0")


def test_painted_cells_are_a_set_in_order():
    question = registry.create("point_or_brush", mode="brush", cells=4)
    view = question.view(Showing(DIGITS, ({},)))
    assert question.read(view, "").values == {"x": None, "y": None, "painted": 0.0}
    assert question.read(view, "0,5,15").values["painted"] == 3 / 16
    everything = ",".join(map(str, range(16)))
    assert question.read(view, everything).values["painted"] == 1.0
    for wrong in ("5,0", "5,5", "16", "-1", "1,", ",1", "1;2", "01", "1\n", " "):
        with pytest.raises(AnswerError):
            question.read(view, wrong)


# Texts


def test_a_text_is_stored_without_the_space_around_it():
    question = registry.create("free_text", max_length=5)
    view = question.view(a_showing(question))
    assert question.read(view, "  a\r\nb\n ").answer == "a\nb"
    assert question.read(view, "12345").answer == "12345"
    assert question.read(view, " \n").answer == ""
    with pytest.raises(AnswerError, match="at most 5 characters"):
        question.read(view, "123456")
    required = registry.create("free_text", required=True)
    with pytest.raises(AnswerError, match="a few words"):
        required.read(required.view(a_showing(required)), " \n")


def answers(**changed):
    return {"trust": "2", "why": " so ", "seen": ["edges", "noise"], "age": 30} | changed


def test_a_survey_yields_one_value_an_item():
    question = registry.create("survey", items=ITEMS)
    view = question.view(a_showing(question))
    found = question.read(view, json.dumps(answers()))
    assert found.answer == '{"age":30.0,"seen":["noise","edges"],"trust":"2","why":"so"}'
    assert found.values == {"trust": "2", "why": "so", "seen": "noise,edges", "age": 30.0}
    assert found.label == "Trust? Much; Why? so; Seen? Noise, Edges; Age? 30"
    shorter = answers()
    del shorter["why"]
    assert question.read(view, json.dumps(shorter)).values["why"] is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trust": "3"}, "'trust'"),
        ({"trust": None}, "has not been answered"),
        ({"trust": "  "}, "has not been answered"),
        ({"why": "long" * 11}, "too long"),
        ({"why": "\0"}, "cannot be stored"),
        ({"why": ["so"]}, "'why'"),
        ({"seen": ["noise", "stars"]}, "'seen'"),
        ({"age": 17.9}, "out of range"),
        ({"age": "30"}, "'age'"),
        ({"age": True}, "'age'"),
        ({"age": 10**400}, "makes sense"),
        ({"height": 180}, "no question 'height'"),
    ],
)
def test_a_survey_says_which_answer_does_not_fit(change, said):
    question = registry.create("survey", items=ITEMS)
    view = question.view(a_showing(question))
    with pytest.raises(AnswerError, match=said):
        question.read(view, json.dumps(answers(**change)))


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "at least 1 item"),
        ([ITEMS[0], ITEMS[0]], "two items are called 'trust'"),
        ([ITEMS[0] | {"accept": ["1"]}], "judges no answer"),
        ([ITEMS[0] | {"correct": "1"}], "judges no answer"),
        ([ITEMS[0] | {"prompt": "Is it {label}?"}], "in the prompt only"),
    ],
)
def test_a_survey_refuses_items_that_it_cannot_ask(items, said):
    with pytest.raises(UsageError, match=said):
        registry.create("survey", items=items)


# The table


def test_the_table_describes_every_type_as_it_is():
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert sorted(row[0].strip("`") for row in rows) == registry.names()
    for name, _, pictures, layout, _, columns, _, entry in rows:
        question = registry.from_config(yaml.safe_load(entry.strip("`")))
        assert f"`{question.name}`" == name
        few, many = question.pictures
        assert pictures.split(",")[0] == (f"{few}" if few == many else f"{few}–{many}")
        assert question.shuffled == ("sides change" in pictures)
        assert question.view(a_showing(question))["layout"] in layout.split(" or ")
        assert re.findall("`(.*?)`", columns) == list(question.columns)
