"""8-bit examples stay in the ball of their attack, by whole numbers; what was before is kept."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tiny_run import InThisProcess, Log, experiment

from engine import attacks, stimuli
from engine.artifacts import ArtifactStore
from engine.experiments import plan
from engine.jobs import making
from engine.report.figures import curves, models, transfer
from engine.report.runs import Dataset
from engine.results import Results, Role
from study_app.cli.experiment_tables import run_tables
from study_app.gallery.phrases import ball, parameters

EPS = 0.03  # 7.65 levels: to the nearest, examples would leave their ball
STEPS = {"steps": 2}
PGD = {"name": "pgd", "eps": EPS, **STEPS}
GCN = {"name": "small_cnn", "channels": (2, 2), "hidden": 8, "preprocessing": ["gcn"]}
SOME = {
    "flipped": {"like": PGD},
    "jsma": {"gamma": 0.02},
    "minimum_norm": {**STEPS, "restarts": 1},
    "permuted": {"like": PGD},
    "random_sign": {"like": PGD},
    "tgsm": {**STEPS, "eps": EPS},
    "worst_case": {"attacks": [PGD], "eps": EPS},
}
"""What keeps the attacks short; all that have an eps get one."""


def _configs():
    """Every registered attack, and those that know L2 or the model input also there."""
    for name in attacks.registry.names():
        kind = attacks.registry.get(name)
        own = {key: value for key, value in STEPS.items() if key in kind.model_fields}
        own |= {"eps": EPS} if "eps" in kind.model_fields else {}
        config = {"name": name, **own, **SOME.get(name, {})}
        yield name, config
        if "norm" in kind.model_fields and "eps" in config:
            yield f"{name}_l2", {**config, "norm": "l2", "eps": 0.6}
    yield "inside", {"name": "fgsm", "eps": 0.1, "space": "model_input"}
    yield "inside_l2", {**PGD, "norm": "l2", "eps": 1.5, "space": "model_input"}


CONFIGS = dict(_configs())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("balls"))
    spec = {"title": "T", "images": 8}
    asked = experiment(
        dataset="digits:3,8",
        defenses={
            "none": {"title": "Plain", "defense": "none"},
            "gcn": {"title": "Normalised", "defense": "none", "architecture": GCN},
        },
        attacks={
            label: {"title": label, "attack": config, "images": 6}
            for label, config in CONFIGS.items()
        },
        curves={
            "fgsm": {**spec, "attack": "fgsm", "over": {"eps": [0, EPS, 8 / 255]}},
            "inside": {
                **spec,
                "attack": {"name": "fgsm", "space": "model_input"},
                "over": {"eps": [EPS, 0.1]},
                "transfer": False,
            },
        },
        grids={"tgsm": {"title": "G", "attack": {"name": "tgsm", "eps": EPS}, "per_class": 1}},
        training={"steps": 4, "batch_size": 16, "report_every": 1, "keep_every": 2},
        training_time={**spec, "attack": {"name": "fgsm", "eps": EPS}},
        saliency={},
        doubt=None,
    )
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    return Results(store, index)


@pytest.mark.parametrize("label", CONFIGS)
@pytest.mark.parametrize("defense", ["none", "gcn"])
def test_examples_of_every_attack_stay_in_its_ball_by_whole_levels(results, defense, label):
    made = results.examples(defense, label)
    attack = attacks.registry.from_config(CONFIGS[label])
    change = np.abs(made.pixels.astype(int) - made.clean.astype(int)).reshape(len(made), -1)
    if attack.pixel_ball is None:
        assert made.ball is None or made.ball["space"] == "model_input"
        return
    norm, eps = attack.pixel_ball
    assert made.ball == {"norm": norm, "eps": eps, "space": "pixels"}
    assert made.excess is None
    if norm == "linf":
        assert change.max() <= math.floor(255 * eps + 1e-6) == 7
    else:
        assert np.square(change).sum(1).max() <= (255 * eps + 1e-6) ** 2
    # What a model gets wrong undisturbed, the worst case leaves as it is.
    assert change.any() or (made.before_label != made.true_label).any()


@pytest.mark.parametrize(("label", "order"), [("inside", np.inf), ("inside_l2", 2)])
def test_of_the_model_input_the_excess_is_recorded(results, label, order):
    made, eps = results.examples("gcn", label), CONFIGS[label]["eps"]
    before, after = (each.astype(float) / 255 for each in (made.clean, made.pixels))
    deviation = before.reshape(len(made), -1).std(1, ddof=1)
    change = (after - before).reshape(len(made), -1) / deviation[:, None]
    over = np.linalg.norm(change, order, axis=1) - eps
    assert np.allclose(made.excess, np.where(over > 1e-6, over, 0), rtol=1e-6)
    assert (made.excess > 0).any() or order == 2
    # Half a level of each pixel, at most, and not more.
    assert (made.excess < np.linalg.norm(np.full_like(change, 0.5 / 255), order) / deviation).all()
    found = results.evaluation()["examples"][label]["gcn"]
    assert found["excess"] == made.excess.max()
    # Without preprocessing the model input is the pixels.
    assert results.examples("none", label).excess.max() < 0.05


def test_a_curve_at_a_hundredth_uses_whole_levels(results):
    """Predictions are those of the example seven levels away, for both models."""
    import torch

    from engine.jobs.context import load_model

    found = results.curve("fgsm", "none")
    net = load_model(results.model("none"))
    chosen = np.linspace(0, len(results.source) - 1, 8).round().astype(int)
    x = torch.from_numpy(results.source.pixels[chosen] / np.float32(255)).requires_grad_(True)
    y = torch.from_numpy(found.labels)
    torch.nn.functional.cross_entropy(net(x), y, reduction="sum").backward()
    sign, source = x.grad.sign(), (255 * x).detach().round()
    for place, (eps, levels) in enumerate([(0, 0), (EPS, 7), (8 / 255, 8)]):
        after = (source + levels * sign).clamp(0, 255) / 255
        before = (x + eps * sign).clamp(0, 1).detach()
        for label in ("none", "gcn"):
            tested = load_model(results.model(label))
            assert np.array_equal(found.tested[label][place], tested(after).argmax(1))
            assert np.array_equal(found.unrounded[label][place], tested(before).argmax(1))
    assert found.excess is None
    inside = results.curve("inside", "gcn")
    assert inside.excess.shape == (2,)
    assert (inside.excess > 0).all()


def test_the_evaluation_has_both_accuracies_of_the_model_itself(results):
    for label in ("fgsm", "pgd_l2"):
        for defense in ("none", "gcn"):
            made = results.examples(defense, label)
            tested = results.evaluation()["examples"][label][defense]["tested"]
            assert tested[defense]["accuracy"] == np.mean(made.label == made.true_label)
            before = np.mean(made.unrounded_label == made.true_label)
            assert tested[defense]["accuracy_float"] == before
            (other,) = {"none", "gcn"} - {defense}
            assert "accuracy_float" not in tested[other]


def test_the_report_gives_both_and_names_the_ball(results):
    data = Dataset([results], "Tiny")
    (drawn,) = curves.draw(data)
    rows = [dict(zip(drawn.table.columns, row, strict=True)) for row in drawn.table.rows]
    assert [row["levels"] for row in rows[:3]] == [0, 7, 8]
    found = results.curve("fgsm", "none")
    for row in rows:
        made = results.curve("fgsm", row["source"])
        at = made.values.index(row["at"])
        right = made.unrounded[row["tested"]][at] == made.labels
        assert row["value_float"] == pytest.approx(right.mean())
    assert found.values[1] == EPS
    (matrix,) = transfer.draw(data)
    assert "ε = .03 (7/255)" in matrix.pictures[0].svg
    assert "ε = 8/255" in matrix.pictures[0].svg
    assert "; float " in matrix.pictures[0].svg
    (shown,) = models.draw(data)
    assert "fgsm: L∞, ε = .03 (7/255)." in shown.notes
    assert "pgd_l2: L2, ε = .6." in shown.notes
    assert any(note.startswith("ε is one of the model input") for note in shown.notes)
    assert "; float " in shown.shown[1][2]
    assert "fgsm: ε = .03 (7/255)." in str(run_tables([results])[0].caption)


def test_a_passport_says_the_ball_and_what_was_reached(results):
    index = int(results.examples("none", "fgsm").indices[2])
    passport = stimuli.adversarial(results, "none", "fgsm", index).passport
    known = {"norm": "linf", "eps": EPS, "space": "pixels", "levels": 7, "excess": None}
    assert passport["attack"]["ball"] == known
    assert passport["norms"]["linf"] <= 7 / 255
    assert ball(known) == "L∞, ε = .03 (7/255)"
    assert parameters({"eps": EPS, "label": "true"}) == "eps .03 (7/255), label true"
    assert stimuli.adversarial(results, "none", "jsma", index).passport["attack"]["ball"] is None
    inside = stimuli.adversarial(results, "gcn", "inside", index).passport["attack"]["ball"]
    made = results.examples("gcn", "inside")
    assert inside["excess"] == made.excess[made.row(index)]
    assert inside["levels"] is None
    assert "of the model input; 8-bit pixels exceed it by" in ball(inside)


OLD = {
    Role("examples", "none", "fgsm"): ("examples", 2),
    Role("curve", "fgsm", "none"): ("curve", 2),
    Role("grid", "tgsm", "none"): ("grid", 1),
    Role("training_time", "none"): ("training_time", 1),
    Role("evaluation"): ("evaluation", 3),
}


@pytest.fixture(scope="module")
def old(results):
    """What earlier versions stored of the same, made again from recipes as theirs were."""

    def made(role):
        kind, version = OLD[role]
        recipe = results.artifact(role).recipe
        config = {key: value for key, value in recipe.config.items() if key != "ball"}
        versions = {**recipe.versions, kind: version}
        store = results.store
        return making.run(
            replace(recipe, config=config, versions=versions), store, lambda _values: None
        )

    parents = {str(role): made(role).as_parent() for role in OLD}
    index = replace(results.index.recipe, parents={**results.index.recipe.parents, **parents})
    with results.store.draft(index) as draft:
        (draft / "index.json").write_bytes(results.index.read("index.json"))
    return Results(results.store, results.store.find(index))


def test_what_was_stored_before_is_made_as_it_was(results, old):
    made = old.examples("none", "fgsm")
    before = old.source.pixels[made.indices].astype(int)
    assert np.abs(made.pixels.astype(int) - before).max() == 8
    assert old.curve("fgsm", "none").tested.keys() == {"none", "gcn"}
    grid = old.grid("none", "tgsm")
    assert np.abs(grid.pixels.astype(int) - grid.clean[:, None].astype(int)).max() == 8
    now = results.grid("none", "tgsm")
    assert np.abs(now.pixels.astype(int) - now.clean[:, None].astype(int)).max() == 7


def test_what_was_not_stored_before_is_absent_and_no_zero(old):
    assert old.examples("none", "fgsm").ball is None
    assert "ball" not in stimuli.adversarial(old, "none", "fgsm", 0).passport["attack"]
    assert old.curve("fgsm", "none").unrounded is None
    assert old.grid("none", "tgsm").unrounded_label is None
    kept = old.training_time("none")
    assert set(kept) == {"clean", "white_box", "transferred", "labels", "steps"}
    tested = old.evaluation()["examples"]["fgsm"]["none"]["tested"]["none"]
    assert set(tested) == {"accuracy", "hit"}
    (drawn,) = curves.draw(Dataset([old], "Tiny"))
    rows = [dict(zip(drawn.table.columns, row, strict=True)) for row in drawn.table.rows]
    assert {row["value_float"] for row in rows if row["source"] == "none"} == {None}
    assert any("before rounding to 8 bits are not there" in note for note in drawn.notes)
