"""What differs between versions is named with its place; what answers mean is told apart."""

from __future__ import annotations

import json

import pytest

from study_app import study
from study_app.exclusions import registry as rules
from study_app.study import StoredStudy, briefly, differences

DEMO = study.load("demo")


def changed(**parts):
    return DEMO.model_copy(update=parts)


def with_condition(label="none", **parts):
    conditions = {**DEMO.conditions}
    conditions[label] = conditions[label].model_copy(update=parts)
    return changed(conditions=conditions)


def said(other, **runs):
    return [str(each) for each in briefly(differences(DEMO, other, **runs))]


def meant(other, **runs):
    return any(each.changes_meaning for each in differences(DEMO, other, **runs))


@pytest.mark.parametrize("name", [path.stem for path in study.BUILT_IN.glob("*.yaml")])
def test_what_was_stored_and_read_back_differs_in_nothing(name):
    declared = study.load(name)
    stored = StoredStudy.model_validate(json.loads(json.dumps(declared.to_json(), sort_keys=True)))
    assert differences(declared, stored) == []


def test_a_condition_of_the_same_name_that_shows_something_else_changes_the_meaning():
    for other, path in [
        (with_condition(defense="distillation"), "conditions.none.defense: was none, now distilla"),
        (with_condition(attack="tgsm"), "conditions.none.attack: was pgd, now tgsm"),
        (with_condition("clean", shown="true_label"), "conditions.clean.shown: was "),
        (changed(exclusions=(rules.create("catch_below", share=0.25),)), "exclusions."),
        (changed(selection="each"), "selection: was shared, now each"),
    ]:
        assert meant(other)
        assert said(other)[0].startswith(path)


def test_a_question_that_all_conditions_ask_is_named_once():
    asked = DEMO.questions[0].model_copy(update={"prompt": "What is this?"})
    other = changed(questions=(asked, DEMO.questions[1]))
    assert meant(other)
    assert said(other) == [
        "questions.label_nafc.prompt: was Which digit fits this picture best?, now What is this?"
    ]
    assert len(differences(DEMO, other)) == 1 + len(DEMO.conditions)


def test_texts_numbers_and_titles_leave_the_meaning():
    for other in (
        changed(title="Digits"),
        changed(catch=6),
        with_condition(presentations=6, title="No defence"),
        changed(quota=study.Quota(participants=80)),
        changed(analysis=DEMO.analysis.model_copy(update={"secondary": ()})),
        changed(analysis=None),
        changed(texts=DEMO.texts.model_copy(update={"consent": "Short."})),
    ):
        assert said(other)
        assert not meant(other)
    (line,) = said(changed(texts=DEMO.texts.model_copy(update={"consent": "x " * 500})))
    assert line.startswith("texts.consent: was You will see **26 small")
    assert len(line) < 170
    assert said(changed(quota=study.Quota(participants=80))) == [
        'quota: was nothing, now {"participants": 80, "per_arm": null}'
    ]


def test_a_condition_that_is_new_or_gone_is_one_difference():
    few = {label: c for label, c in DEMO.conditions.items() if label != "noise"}
    other = changed(conditions=few)
    assert meant(other)
    first, second = said(other)
    assert first == "arms.all.conditions: now without noise"
    assert second.startswith('conditions.noise: was {"label": "noise", "title": "Random noise"')
    assert second.endswith("now not there")


def test_another_run_of_the_experiment_is_another_meaning():
    assert not meant(DEMO, runs=("a" * 64, "a" * 64))
    assert said(DEMO, runs=("a" * 64, "b" * 64)) == [
        "experiment run: was aaaaaaaaaaaa, now bbbbbbbbbbbb"
    ]
    assert meant(DEMO, runs=("a" * 64, "b" * 64))
