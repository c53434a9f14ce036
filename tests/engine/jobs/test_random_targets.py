"""Random targets are the same for every model and whatever is attacked beside."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_run import InThisProcess, Log, experiment

from engine.artifacts import ArtifactStore
from engine.experiments import plan
from engine.results import Results

FIRST = {"name": "pgd", "norm": "l2", "eps": 1.0, "label": "target", "steps": 1}
SECOND = {"name": "tgsm", "steps": 1}


def run(store: ArtifactStore, seed: int = 0, **attacks: dict) -> Results:
    asked = experiment(
        dataset="digits",
        seed=seed,
        defenses={
            "none": {"title": "Plain", "defense": "none"},
            "gradient_penalty": {"title": "Penalty", "defense": "gradient_penalty"},
        },
        attacks={label: {"title": label, **spec} for label, spec in attacks.items()},
        saliency={},
        doubt=None,
    )
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    return Results(store, index)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("targets"))


@pytest.fixture(scope="module")
def found(store):
    some = {"images": 40}
    return run(
        store,
        one={"attack": FIRST, "target": "random"},
        other={"attack": FIRST, "target": "random", **some},
        few={"attack": SECOND, "target": "random", **some},
        next={"attack": {**SECOND, "step_size": 0.2}, **some},
        like_one={"attack": {"name": "random_sign", "like": FIRST}, **some},
        like_few={"attack": {"name": "random_sign", "like": SECOND}, **some},
        like_next={"attack": {"name": "random_sign", "like": {**SECOND, "step_size": 0.2}}, **some},
        own={"attack": {"name": "permuted", "like": FIRST}, "target": "next_class", **some},
    )


def targets(found: Results, attack: str, defense: str = "none"):
    return found.examples(defense, attack).target


@pytest.mark.parametrize("attack", ["one", "other", "few", "like_one", "like_few"])
def test_every_model_is_attacked_towards_the_same_classes(found, attack):
    own, other = (targets(found, attack, label) for label in ("none", "gradient_penalty"))
    assert own.tolist() == other.tolist()
    made = found.examples("none", attack)
    assert (made.target != made.true_label).all()


def test_they_are_balanced_within_each_true_class(found):
    labels, drawn = found.source.labels, targets(found, "one")
    for label in range(10):
        aims = np.bincount(drawn[labels == label], minlength=10)
        assert aims[label] == 0
        assert np.ptp(np.delete(aims, label)) <= 1


def test_attacks_of_different_labels_draw_apart_and_a_control_follows_its_attack(found):
    few = found.examples("none", "few")
    one = targets(found, "one")[few.indices]
    assert (one == targets(found, "other")).mean() < 0.4
    assert targets(found, "like_one").tolist() == one.tolist()
    assert targets(found, "like_few").tolist() == few.target.tolist()
    for attack in ("next", "like_next", "own"):
        assert targets(found, attack).tolist() == ((few.true_label + 1) % 10).tolist()


def test_an_images_target_is_the_same_whatever_else_is_attacked_and_follows_the_seed(found, store):
    whole = run(store, few={"attack": SECOND, "target": "random"})
    some = found.examples("none", "few")
    assert len(some) == 40
    assert targets(whole, "few")[some.indices].tolist() == some.target.tolist()
    elsewhere = run(store, seed=1, few={"attack": SECOND, "target": "random"})
    assert (targets(elsewhere, "few") != targets(whole, "few")).any()


def test_the_rule_is_in_the_recipe_and_other_recipes_stay_as_they_were(found):
    configs = {
        label: found.examples("none", label).artifact.recipe.config
        for label in found.config["attacks"]
    }
    assert (configs["one"]["target"], configs["one"]["target_of"]) == ("random", "one")
    assert configs["like_one"]["target_of"] == "one"
    assert configs["next"]["target"] == configs["own"]["target"] == "next_class"
    assert "target_of" not in configs["next"]
