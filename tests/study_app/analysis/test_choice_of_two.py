"""A choice of one of two pictures is told by d', where no tie makes chance unknown."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from simulated_ratings import frame
from some_findings import some_findings

from study_app import study as studies
from study_app.analysis.findings import _Analysis
from study_app.analysis.further_figures import detected
from study_app.outcomes import outcomes

CONDITIONS = {"toward_one": 0.76, "against_noise": 0.6}


@pytest.fixture(scope="module")
def ratings():
    return frame(CONDITIONS, 24, 20, seed=2, outcome="chose_aimed", task="two_image_choice")


def found(ratings, study):
    view = SimpleNamespace(ratings=ratings, shown=())
    analysis = _Analysis(view, study, None, with_excluded=False, by="cell")
    return analysis.of(outcomes()["chose_aimed"], "primary", alone=True).detections


def test_each_condition_has_a_sensitivity_and_no_criterion(ratings):
    made = {one.signal: one for one in found(ratings, studies.load("veerabadran2023"))}
    assert set(made) == set(CONDITIONS)
    assert all((one.noise, one.criterion) == ("", None) for one in made.values())
    assert made["toward_one"].sensitivity > made["against_noise"].sensitivity > 0


def test_where_a_tie_is_offered_there_is_none(ratings):
    study = studies.load("veerabadran2023")
    tied = tuple(q.model_copy(update={"tie": "Neither"}) for q in study.questions)
    assert found(ratings, study.model_copy(update={"questions": tied})) == ()


def test_the_page_names_the_condition_and_draws_no_criterion(ratings):
    told = some_findings()
    one = replace(told.outcomes[0], detections=found(ratings, studies.load("veerabadran2023")))
    (figure,) = detected(told, one)
    assert {row[0] for row in figure.grid.rows} == set(CONDITIONS)
