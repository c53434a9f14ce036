"""Simulated people answer every question type."""

from __future__ import annotations

import pytest
from synthetic import protocols

from engine import results
from study_app import questions
from study_app import study as studies
from study_app.design.study_design import design
from study_app.simulation.in_memory import Everything, take_part
from study_app.simulation.rater_file import Raters
from study_app.study import Study

NAMES = (
    "colin2022",
    "demo",
    "hive2022-agreement",
    "hive2022-distinction",
    "saliency-preference",
    "veerabadran2023",
)
"""Shipped studies that together ask most; all ten: benchmarks/simulated_studies.py."""
RATERS = Raters(title="A", inattentive=0.3, straight_lining=0.3, lapse=0.1)
ONE = [
    {"name": "detect_with_confidence"},
    {"name": "point_or_brush", "mode": "brush"},
    {"name": "free_text"},
    {"name": "rating_scale", "prompt": "How much is this like {label}?"},
    {
        "name": "survey",
        "items": [
            {"name": "sure", "kind": "number", "prompt": "How sure?", "low": 0, "high": 10},
            {"name": "why", "kind": "text", "prompt": "Why?", "required": False},
        ],
    },
]
SEVERAL = [{"name": "same_different"}, {"name": "rank", "prompt": "Which is clearer?"}]


@pytest.fixture(scope="module")
def store(simulated_store):
    protocols(simulated_store)
    return simulated_store


def answered(study, store):
    """All that three people answer: each must be an answer to its question."""
    made = design(study, results.find(store, study.experiment))
    given = [
        answer
        for took in take_part(Everything(study, made.document, made.stimuli, RATERS, 1), 3)
        for answer in took.done.answers
    ]
    for answer in given:
        trial = answer.question.trial
        assert questions.read(trial.task, trial.view, answer.answer).answer == answer.answer
    return {answer.question.trial.task for answer in given}


def asking(study, asked):
    """The study with other questions in every condition."""
    every = {
        label: c.model_copy(update={"questions": None}) for label, c in study.conditions.items()
    }
    fields = {name: getattr(study, name) for name in Study.model_fields}
    return Study(
        **{**fields, "conditions": every, "questions": asked, "translations": {}, "analysis": None}
    )


def test_every_question_type_is_answered(store):
    found = set().union(*(answered(studies.load(name), store) for name in NAMES))
    found |= answered(asking(studies.load("demo"), ONE), store)
    found |= answered(asking(studies.load("veerabadran2023"), SEVERAL), store)
    assert found == set(questions.registry.names())
