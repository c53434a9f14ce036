"""Raters files: what they may say, and how they are refused."""

from __future__ import annotations

import pytest

from engine.errors import UsageError
from engine.statistics.logit_normal import marginal
from study_app import study as studies
from study_app.simulation import rater_file
from study_app.simulation.rater_file import Deviations, Model, load


def refusal(tmp_path, text, study="demo"):
    file = tmp_path / "people.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        load(str(file), studies.load(study))
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: A\nlapse: 1.5\n", "lapse"),
        ("title: A\nlapsing: 0.1\n", "lapsing"),
        ("title: A\nanswers: {share: 0}\n", "answers.share"),
        ("title: A\nanswers: {deviations: {person: -1}}\n", "answers.deviations.person"),
        (
            "title: A\nanswers: {conditions: {none: 0.3}, effects: {none: 1}}\n",
            "'none' has a share in conditions and an effect in effects; keep one of them",
        ),
        (
            "title: A\ninattentive: 0.7\nstraight_lining: 0.4\n",
            "inattentive 0.7 and straight_lining 0.4 are shares of the same people",
        ),
        (
            "title: A\nanswers: {conditions: {nome: 0.3}}\n",
            "answers.conditions.nome: the study has no condition 'nome' (did you mean 'none'?); "
            "known: none, gradient_penalty",
        ),
        (
            "title: A\nanswers: {arms: {first: {none: 0.3}}}\n",
            "answers.arms.first: the study has no arm 'first'; known: all",
        ),
        (
            "title: A\noutcomes: {said_plausable: {share: 0.3}}\n",
            "outcomes.said_plausable: the study has no yes-or-no outcome 'said_plausable' "
            "(did you mean 'said_plausible'?); known: chose_target",
        ),
        (
            "title: A\noutcomes: {chose_target: {share: 0.3}, chose_true: {share: 0.6}}\n",
            "outcomes: chose_target and chose_true are of the same answers, those to label_nafc",
        ),
        (
            "title: A\nlanguages: {fr: 1}\n",
            "languages.fr: the study has no language 'fr'; known: en, de, ja",
        ),
    ],
)
def test_a_refusal_names_the_place_the_value_and_what_would_do(tmp_path, text, said):
    assert said in refusal(tmp_path, text)


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(UsageError, match=r"unknown raters file 'alice'.*alike, demo"):
        load("alice", studies.load("demo"))


def test_the_default_fits_every_study_that_is_shipped():
    for path in studies.BUILT_IN.glob("*.yaml"):
        assert load(rater_file.DEFAULT, studies.load(path.stem)).answers.share == 0.5


def test_a_share_is_met_over_all_people_and_images():
    wide = Deviations(person=1.5, image=1.0, person_condition=0.5, image_condition=0.8)
    model = Model(
        share=0.3,
        conditions={"b": 0.8},
        arms={"x": {"b": 0.6}},
        effects={"c": 1.0},
        deviations=wide,
    )

    def share(arm, condition):
        return float(marginal(model.log_odds(arm, condition), wide.in_all))

    assert wide.in_all == pytest.approx((1.5**2 + 1 + 0.25 + 0.64) ** 0.5)
    assert share("y", "a") == pytest.approx(0.3)
    assert share("y", "b") == pytest.approx(0.8)
    assert share("x", "b") == pytest.approx(0.6)
    assert model.log_odds("x", "c") == pytest.approx(model.log_odds("x", "a") + 1)
    assert 0.3 < share("x", "c") < 0.51  # wide deviations flatten the effect of one log-odds


def test_an_outcome_is_found_by_its_name_or_by_its_question_type():
    text = {"share": 0.9}
    by_name = rater_file.Raters(title="A", outcomes={"chose_true": text})
    by_task = rater_file.Raters(title="A", outcomes={"label_nafc": text})
    neither = rater_file.Raters(title="A")
    found = [raters.modelled("label_nafc") for raters in (by_name, by_task, neither)]
    assert [outcome.name for outcome in found] == ["chose_true", "chose_target", "chose_target"]
    shares = [
        raters.model(outcome).share
        for raters, outcome in zip((by_name, by_task, neither), found, strict=True)
    ]
    assert shares == [0.9, 0.9, 0.5]
    assert neither.modelled("rank") is None
