"""The one scorer, and the outcomes that several answers make."""

import json

import pandas as pd
import pytest
from databases import on_sqlite
from stored_study import excludes_nothing

from db import export
from engine.analysis.outcomes import Outcome
from study_app import outcomes as room
from study_app.outcomes import outcomes, registry
from study_app.outcomes.scoring import score
from study_app.questions import registry as questions

PEOPLE = ("ada", "bob", "cyd")


def noted(who, condition, image, said, **more):
    """One answer to the second question; `said`: whether it was yes, None for none in time."""
    return {
        "participant_id": who,
        "study_version": 1,
        "arm": "all",
        "trial_type": "main",
        "condition": condition,
        "stimulus_kind": {"noise": "control", "clean": "clean"}.get(condition, "adversarial"),
        "source_image_id": image,
        "asked_label": 5,
        "presentation_id": f"{who} {condition} {image}",
        "excluded": False,
        "said_plausible": said,
        "cant_tell": None,
    } | more


def table(*rows):
    dtypes = dict.fromkeys(("study_version", "asked_label"), "Int64")
    dtypes |= dict.fromkeys(("excluded", "said_plausible", "cant_tell"), "boolean")
    words = dict.fromkeys(set(rows[0]) - set(dtypes), "string")
    return pd.DataFrame(rows).astype(dtypes | words)


def values(name, *rows):
    found = registry.create(name).values(table(*rows))
    return [None if pd.isna(value) else value for value in found]


def test_a_mistake_is_held_against_what_others_said_of_its_noise_control():
    noise = [
        noted(who, "noise", "one", said)
        for who, said in zip(PEOPLE, (True, False, False), strict=True)
    ]
    mistake = noted("ada", "none", "one", True), noted("bob", "none", "one", False)
    found = values("plausible_beyond_noise", *noise, *mistake, noted("dan", "none", "one", True))
    assert found[:3] == [None] * 3  # the controls themselves
    assert found[3:] == pytest.approx([1 - 0 / 2, 0 - 1 / 2, 1 - 1 / 3])


@pytest.mark.parametrize(
    "other",
    [
        {"source_image_id": "two"},
        {"asked_label": 6},
        {"arm": "other"},
        {"study_version": 2},
        {"excluded": True},
        {"trial_type": "practice"},
        {"said_plausible": None},
        {"participant_id": "bob"},
    ],
)
def test_a_control_of_something_else_is_no_control(other):
    noise = noted("ada", "noise", "one", True)
    mistake = noted("bob", "none", "one", True)
    assert values("plausible_beyond_noise", noise, mistake) == [None, 0.0]
    assert values("plausible_beyond_noise", noise | other, mistake) == [None, None]


@pytest.mark.parametrize(
    ("plausible", "cant_tell", "either"),
    [
        (True, True, True), (True, False, True), (False, True, True), (False, False, False),
        (None, True, None), (True, None, None), (False, None, None),
    ],
)  # fmt: skip
def test_a_picture_that_cannot_be_told_is_a_reasonable_mistake(plausible, cant_tell, either):
    first = noted("ada", "none", "one", None, cant_tell=cant_tell)
    second = noted("ada", "none", "one", plausible)
    other = noted("bob", "none", "one", plausible)
    found = values("plausible_or_cant_tell", first, second, other)
    assert found == [None, either, None]


def test_outcomes_have_names_of_their_own(monkeypatch):
    declared = outcomes()
    assert list(declared) == [each.name for each in declared.values()]
    assert {each.name for each in declared.values() if each.combined} == set(registry.names())
    task = questions.get("rank")
    again = Outcome("rating", "ordinal", "again", "again", "rank")
    monkeypatch.setattr(task, "outcomes", (again,))
    with pytest.raises(ValueError, match="'rating' of rating_scale is declared by rank already"):
        room.outcomes.__wrapped__()
    lost = Outcome("seen", "detection", "seen", "seen", "rank", signal="there")
    monkeypatch.setattr(task, "outcomes", (lost,))
    with pytest.raises(ValueError, match="'seen': there is no signal 'there'"):
        room.outcomes.__wrapped__()


def test_no_column_of_the_export_is_there_twice():
    names = [column["column"] for column in export.codebook("ratings", score.columns)]
    assert len(set(names)) == len(names)
    assert set(outcomes()) <= set(names)
    assert "confidence" in names


@on_sqlite
def test_every_answer_of_the_demo_is_scored_under_the_types_that_are_declared(lab):
    person = lab.participant()
    for trial in person.plan():
        person.answer(trial).raise_for_status()
    with lab.database.read() as s:
        ratings = export.ratings(s, "demo", judge=excludes_nothing, score=score)
    for column in score.columns:
        assert ratings[column.name].dtype == column.dtype, column.name
    main = ratings[ratings["trial_type"] == "main"]
    asked = main.groupby("task")[list(outcomes())].agg("count")
    assert asked.loc["label_nafc", ["chose_target", "chose_true", "cant_tell"]].tolist() == [20] * 3
    assert asked.loc["target_plausible", "said_plausible"] == 20
    assert asked.loc["target_plausible", "plausible_or_cant_tell"] == 20
    named = main[main["task"] == "target_plausible"]
    assert named["asked_label"].equals(named["shown_label_index"])
    both = main.groupby("presentation_id")["asked_label"]
    assert (both.nunique() == 1).all()
    assert (both.count() == 2).all()
    mistakes = main["stimulus_kind"] == "adversarial"
    assert main["selected_by_answer"].equals(mistakes.astype("boolean"))
    assert ratings.loc[ratings["trial_type"] != "main", "selected_by_answer"].all()
    (items,) = set(main.loc[main["condition"] == "none", "items_json"])
    assert json.loads(items) == ["mistake:none:pgd"]
