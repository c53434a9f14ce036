"""A key covers everything that decides the content: networks of one's own that are nearly equal.

Two have the same file of weights and other arguments; of one the code is edited between two runs.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from tiny_run import InThisProcess, Log, experiment
from torch.nn import functional as F

from engine import attacks, datasets, models, preprocessing, saliency
from engine.artifacts import ArtifactStore, Parent
from engine.errors import UsageError
from engine.execution import regenerate
from engine.execution.regenerate import Comparison
from engine.experiments import plan
from engine.jobs import making
from engine.jobs.context import load_model
from engine.results import WEIGHTS, Results, Role, code_sha256
from study_app.gallery.addresses import Place
from study_app.gallery.exhibit import Exhibit
from study_app.gallery.facts import map_facts

DATASET, EPS = "digits:3,8", 0.1
NETWORK = """
    from torch import nn
    from scaled_parts import stretched

    class Scaled(nn.Sequential):
        def __init__(self, scale=1.0):
            super().__init__(nn.Flatten(), nn.Linear(784, 2))
            self.scale = scale

        def forward(self, x):
            return stretched(super().forward(x), self.scale)
"""
PARTS = """
    def stretched(logits, scale):
        return logits * scale
"""


@pytest.fixture(scope="module")
def split():
    return datasets.create(DATASET).load().test


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A linear network that is right on most images, trained in a moment."""
    train = datasets.create(DATASET).load().train
    x, y = torch.from_numpy(train.images).flatten(1), torch.from_numpy(train.labels)
    layer = torch.nn.Linear(784, 2)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(layer(x), y).backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_file({"1.weight": layer.weight.detach(), "1.bias": layer.bias.detach()}, path)
    return path, layer.requires_grad_(False)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder of code; what `write` puts there is imported anew, as in a new process."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(network=NETWORK, parts=PARTS):
        for name, text in (("scaled_network", network), ("scaled_parts", parts)):
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
            sys.modules.pop(name, None)

    write()
    yield write
    for name in ("scaled_network", "scaled_parts"):
        sys.modules.pop(name, None)


def asked(weights, **scales):
    def model(scale):
        own = {
            "name": "external",
            "module": "scaled_network:Scaled",
            "arguments": {"scale": scale},
            "weights": str(weights[0]),
        }
        return {"title": f"Logits x {scale}", "defense": "none", "architecture": own}

    return experiment(
        dataset=DATASET,
        defenses={label: model(scale) for label, scale in scales.items()},
        attacks={"fgsm": {"title": "FGSM", "attack": {"name": "fgsm", "eps": EPS}}},
        doubt={
            "eps": [0.1],
            "images": 10,
            "steps": 1,
            "restarts": 1,
            "queries": 5,
            "strong": "fgsm",
        },
    )


def run(document, store):
    log = Log()
    (index,) = plan.run(document, store, log, InThisProcess(store))
    return Results(store, index), log


def truth(layer, split, scale):
    """Clean and FGSM accuracy and the share of zero gradients of the scaled linear network."""
    x, y = torch.from_numpy(split.images).requires_grad_(True), torch.from_numpy(split.labels)
    logits = layer(x.flatten(1)) * scale
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), x)
    # .1 is 25 of 255 levels and a half: so many fit in the ball.
    attacked = ((255 * x).round() + 25 * gradient.sign()).clamp(0, 255).detach() / 255
    after = (layer(attacked.flatten(1)) * scale).argmax(1)
    share = (gradient == 0).flatten(1).all(1).float().mean()
    return [float((p == y).float().mean()) for p in (logits.argmax(1), after)] + [float(share)]


def reported(results, label):
    found = results.evaluation()
    return [
        found["models"][label]["clean_accuracy"],
        found["examples"]["fgsm"][label]["tested"][label]["accuracy"],
        found["models"][label]["zero_gradient_share"],
    ]


def keys(results, label):
    """The artifacts that were made of one model."""
    parents = results.index.recipe.parents
    return {parents[role].key for role in parents if Role.parse(role).label == label}


def test_equal_weights_and_other_arguments_share_nothing(lab, weights, split, tmp_path):
    store = ArtifactStore(tmp_path / "store")
    results, _ = run(asked(weights, plain=1, masked=1000), store)
    held = {results.model(label).sha256(WEIGHTS) for label in ("plain", "masked")}
    assert len(held) == 1
    expected = {label: truth(weights[1], split, s) for label, s in (("plain", 1), ("masked", 1000))}
    assert expected["plain"][1] < expected["plain"][0] == expected["masked"][0]
    assert expected["plain"][2] == 0 < 0.5 < expected["masked"][2]
    for label, figures in expected.items():
        assert reported(results, label) == pytest.approx(figures)
    assert len(keys(results, "plain")) == len(keys(results, "masked")) == 6
    assert not keys(results, "plain") & keys(results, "masked")
    shown = [Place(results.index.key, label, "clean", 0) for label in expected]
    facts = [map_facts(Exhibit(results), place, "gradient", "image")["model"] for place in shown]
    assert facts[0]["weights_sha256"] == facts[1]["weights_sha256"]
    assert facts[0]["code_sha256"] == facts[1]["code_sha256"] == code_sha256(results.model("plain"))
    assert facts[0]["id"] != facts[1]["id"]


@pytest.mark.parametrize(
    ("change", "file"),
    [
        ({"network": NETWORK.replace("return stretched", "return -stretched")}, "network"),
        ({"parts": PARTS.replace("logits * scale", "-logits * scale")}, "parts"),
    ],
    ids=["its module", "a module that it imports"],
)
def test_changed_code_is_another_model(change, file, lab, weights, split, tmp_path):
    store = ArtifactStore(tmp_path / "store")
    before, log = run(asked(weights, plain=1), store)
    assert log.notes == []
    stored = {artifact.key for artifact in store.all()}

    changed = {
        name: f"# why\n\n{textwrap.dedent(text)}"
        for name, text in (("network", NETWORK), ("parts", PARTS))
    }
    lab(**changed)
    again, log = run(asked(weights, plain=1), store)
    assert again.index.key == before.index.key
    assert {artifact.key for artifact in store.all()} == stored
    assert log.notes == []

    lab(**change)
    after, log = run(asked(weights, plain=1), store)
    model = before.model("plain")
    assert log.notes == [
        f"adopt plain: scaled_{file}.py changed since model/{model.key[:12]}… was made; changed "
        "code is another model, so all that is measured of it is made anew"
    ]
    assert not keys(before, "plain") & keys(after, "plain")
    right, _, _ = truth(weights[1], split, 1)
    assert reported(before, "plain")[0] == pytest.approx(right)
    assert reported(after, "plain")[0] == pytest.approx(1 - right)

    # Under the old identity nothing is computed with the new code; reading needs none of it.
    old = before.artifact(Role("examples", "plain", "fgsm"))
    with pytest.raises(UsageError, match=rf"^model/.* other code: scaled_{file}\.py changed"):
        load_model(model)
    task = regenerate._task(old, store, tmp_path / "again")
    with pytest.raises(UsageError, match="changed code is another model"):
        making.run(task.recipe({}), task.store, lambda _values: None)
    assert len(before.examples("plain", "fgsm").pixels) == len(split)
    sys.modules.pop("scaled_network")
    (tmp_path / "scaled_network.py").unlink()
    assert reported(before, "plain")[0] == pytest.approx(right)


def test_a_model_of_before_code_was_recorded_is_made_again_as_it_was(lab, weights, tmp_path):
    store = ArtifactStore(tmp_path / "store")
    now, _ = run(asked(weights, plain=1), store)
    recipe = now.model("plain").recipe
    architecture = {k: v for k, v in recipe.config["architecture"].items() if k != "code_sha256"}
    training = {"steps": 1, "batch_size": 8}
    trained = replace(
        recipe,
        config={
            **recipe.config,
            "architecture": {k: v for k, v in architecture.items() if k != "weights_sha256"},
            "training": training,
            "defense": {"name": "none"},
        },
    )
    made = making.run(trained, store, lambda _values: None)
    assert "code.json" not in made.manifest["files"]
    assert code_sha256(made) == "not recorded"
    found = Comparison("model", made.key, "different", environment=("device abacus then",))
    assert str(regenerate._noted(found, made, store)).endswith(
        "(device abacus then; the code of its network was not recorded then)"
    )
    known = now.model("plain")
    assert code_sha256(known) == recipe.config["architecture"]["code_sha256"]
    assert regenerate._noted(found, known, store) == found
    assert made.problems() == []
    assert load_model(made)(torch.zeros(1, 1, 28, 28)).shape == (1, 2)

    # Adopted without its code recorded, a model is said to be made anew.
    adopted = replace(recipe, config={**recipe.config, "architecture": architecture})
    other = ArtifactStore(tmp_path / "other")
    with other.draft(adopted) as draft:
        (draft / "weights.safetensors").write_bytes(weights[0].read_bytes())
    _, log = run(asked(weights, plain=1), other)
    assert log.notes[0].startswith("adopt plain: the code was not recorded when model/")
    assert torch.equal(load_model(other.find(adopted))[1].weight, weights[1].weight)


def test_what_a_member_is_made_of_is_in_the_key(monkeypatch):
    """A version that rises decides the content wherever the member is part of something."""
    steps = [{"name": "gcn"}, "grey"]
    made_of = [
        (attacks.create("worst_case"), "attack.pgd", "pgd", attacks),
        (attacks.create("random_sign", like={"name": "fgsm"}), "attack.fgsm", "fgsm", attacks),
        (attacks.create("flipped", like={"name": "worst_case"}), "attack.pgd", "pgd", attacks),
        (models.create("small_cnn", preprocessing=steps), "step.gcn", "gcn", preprocessing),
        (models.create("small_cnn", input_layers=["lcn"]), "step.lcn", "lcn", preprocessing),
    ]
    for whole, key, name, room in made_of:
        before = whole.versions()
        with monkeypatch.context() as patch:
            patch.setattr(room.registry.get(name), "version", 7)
            assert whole.versions() == {**before, key: 7}, whole
            assert whole.versions() != before
    # At 1 they are left out, so that trained models keep their keys.
    assert models.create("small_cnn", preprocessing=steps).versions() == {"model": 1}


def test_what_a_kind_uses_by_itself_is_in_the_key(monkeypatch, split):
    document = experiment(
        dataset=DATASET,
        defenses={
            "none": {"title": "No defense", "defense": "none"},
            "swept": {
                "title": "Penalty",
                "defense": {"name": "gradient_penalty", "strength": {"values": [1, 2]}},
            },
        },
        attacks={},
    )

    def keys():
        """Of every task, as if all that it needs were stored."""
        artifact = SimpleNamespace(
            as_parent=lambda: Parent("x", "k" * 64, "c" * 64),
            manifest={"files": ["weights.safetensors"]},
            json=lambda _name: {"chosen": 1.0},
        )
        planned = plan._planned(document, 1).tasks
        made = {task.name: artifact for task in planned}
        return {task.name: task.recipe(made).key for task in planned}

    before = keys()
    for room, name, changed in (
        (attacks, "pgd", {"doubt none", "doubt swept"}),
        (attacks, "fgsm", {"doubt none", "doubt swept", "select swept"}),
        (saliency, "input_gradient", {"measure none", "measure swept", "explain"}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(room.registry.get(name), "version", 9)
            after = keys()
        found = {
            task.split(" none by")[0].split(" swept by")[0]
            for task in before
            if before[task] != after[task]
        }
        assert found == changed, name
