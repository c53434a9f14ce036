"""What the authors' models had otherwise than ours: computed, and nothing where nothing is."""

from __future__ import annotations

import json

import pytest

from engine import canonical
from engine.experiments import experiment_file
from engine.replication import published

SCHEDULE = {"steps": 15000, "batch_size": 256, "lr": 2e-4, "adam_eps": 1e-4}
PAPER = {"name": "paper_cnn", "channels": [32, 64], "hidden": 1024, "dropout": 0.5}
TITLES = {"none": "No defense", "penalty_loss": "Penalty", "distillation": "Distillation"}


def models(dataset="mnist", **strength):
    layers = [{"name": "lcn", "window": 7, "sigma": 3.0}] if dataset == "svhn" else []
    common = {"architecture": {**PAPER, "input_layers": layers}, "training": SCHEDULE}
    penalty = {"name": "gradient_penalty", "space": "model_input", "strength": 109.66, **strength}
    found = {
        "none": {"name": "none", "temperature": 1.0},
        "penalty_loss": penalty,
        "distillation": {"name": "distillation", "temperature": 50.0},
    }
    return {
        label: [json.loads(json.dumps({**common, "defense": defense}))]
        for label, defense in found.items()
    }


def test_their_own_network_schedule_and_strength_are_no_difference():
    assert published.differences("mnist", models(), TITLES) == []
    assert published.differences("svhn", models("svhn", strength=19.5), TITLES) == []


def test_each_difference_is_named_with_both_values_and_who_has_it():
    small = models()
    for each in small.values():
        each[0]["architecture"] = {"name": "small_cnn"}
    small["penalty_loss"][0]["training"] = {**SCHEDULE, "steps": 1000, "batch_size": 64}
    small["penalty_loss"][0]["defense"]["strength"] = 19.5
    assert published.differences("mnist", small, TITLES) == [
        "a different network (paper_cnn; ours small_cnn)",
        "a different schedule (15000 steps of 256 at learning rate 0.0002 and Adam’s ε 0.0001; "
        "ours 1000 steps of 64 at learning rate 0.0002 and Adam’s ε 0.0001 for “Penalty”)",
        "a different strength (“Penalty” strength 109.8, ours 19.5)",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden": 512}, "a different network"),
        ({"dropout": 0.0}, "a different network"),
        ({"batch_norm": False}, "a different network"),
        ({"input_layers": [{"name": "lcn"}]}, "a different network"),
    ],
)
def test_a_network_of_their_name_with_other_arguments_is_a_different_one(change, said):
    own = models()
    own["none"][0]["architecture"] |= change
    (found,) = published.differences("mnist", own, TITLES)
    assert found == f"{said} (paper_cnn; ours paper_cnn for “No defense”)"


def test_a_temperature_and_a_space_are_strengths_too():
    own = models("svhn", strength=19.5, space="pixels")
    own["distillation"][0]["defense"]["temperature"] = 20.0
    (found,) = published.differences("svhn", own, TITLES)
    assert found == (
        "a different strength (“Penalty” behind contrast normalisation, ours in pixels; "
        "“Distillation” temperature 50, ours 20)"
    )


def test_a_network_of_ones_own_and_a_model_that_they_did_not_have():
    own = models()
    own["none"][0] |= {"architecture": {"name": "external"}, "training": None}
    own["mine"] = [{"architecture": {"name": "small_cnn"}, "training": None, "defense": {}}]
    found = published.differences("mnist", own, {**TITLES, "mine": "Mine"})
    assert [each.split(" (")[0] for each in found] == [
        "a different network", "a different schedule",
    ]  # fmt: skip
    assert "ours external for “No defense”" in found[0]
    assert "ours not trained here for “No defense”" in found[1]


def test_the_shipped_replication_differs_where_its_file_says_so():
    """It has their network, schedule and strengths, but for Adam's epsilon in distillation."""
    experiment = experiment_file.load("ross2018")
    run = next(run for run in experiment.runs(1) if run.label == "mnist")
    found = {
        label: [
            {
                "architecture": json.loads(canonical.dumps(run.architecture(label).config())),
                "training": run.schedule(label).model_dump(mode="json"),
                "defense": {"strength": 109.66, "temperature": 50.0, "eps": 0.3},
            }
        ]
        for label in ("none", "distillation", "adversarial_training", "penalty_loss")
    }
    titles = {label: label for label in found}
    (said,) = published.differences("mnist", found, titles)
    assert said.startswith("a different schedule")
    assert said.endswith("Adam’s ε 1e-08 for “distillation”)")
