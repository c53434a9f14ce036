"""An experiment with three models, one of which fails on request (`odd_network`)."""

from __future__ import annotations

import odd_network
from tiny_run import InThisProcess, Log, experiment

from engine.execution.executor import TasksFailedError
from engine.experiments import plan
from engine.results import Results

DOCUMENT = {
    "name": "three",
    "title": "Three models",
    "dataset": "digits:3,8",
    "training": {"steps": 2, "batch_size": 16, "report_every": 1},
    "defenses": {
        "none": {"title": "No defense", "defense": "none"},
        "penalty": {"title": "Penalty", "defense": {"name": "gradient_penalty", "strength": 1.0}},
        "odd": {
            "title": "Odd",
            "defense": "none",
            "architecture": {
                "name": "external",
                "module": "odd_network:OddNetwork",
                "arguments": {"pixels": 784, "classes": 2},
            },
        },
    },
    "attacks": {
        "fgsm": {"title": "FGSM", "attack": {"name": "fgsm", "eps": 0.2}},
        "tgsm": {"title": "TGSM", "attack": {"name": "tgsm", "steps": 2}},
    },
    "curves": {
        "c": {"title": "Curve", "attack": "fgsm", "over": {"eps": [0.1, 0.3]}, "images": 20}
    },
}

PLACES = {
    "training": "engine.training.loop",
    "measures": "engine.jobs.measures",
    "attack": "engine.attacks.tgsm",
    "ladder": "engine.robustness.climbing",
}
"""Where the odd model fails: in its training, its measures, one of the attacks, or the ladder."""


def run(
    store, monkeypatch, place: str | None = None
) -> tuple[Results, Log, TasksFailedError | None]:
    """Run the experiment with the odd model failing at `place`; None: it is whole."""
    monkeypatch.setenv(odd_network.FAULT, PLACES[place] if place else "")
    log, error = Log(), None
    executor = InThisProcess(store)
    try:
        (index,) = plan.run(experiment(**DOCUMENT), store, log, executor)
    except TasksFailedError as failed:
        error = failed
        index = failed.made["index"]
    return Results(store, index), log, error
