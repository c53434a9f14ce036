"""Networks with odd habits through a whole run; a broken one is told before anything is trained."""

import lab_networks
import numpy as np
import pytest
import torch
from lab_networks import colour_data
from PIL import Image
from safetensors.torch import load, save_file
from tiny_run import InThisProcess, Log, experiment

from engine import defenses, models
from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError
from engine.experiments import plan
from engine.jobs.context import load_model
from engine.jobs.model import CURVE, PROBE, WEIGHTS
from engine.networks.inference import logits
from engine.results import Results
from engine.training.loop import TrainingConfig, train
from study_app.cli.experiments import _notes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Colour pictures of four classes, as files; they come out of them with channels last."""
    root = tmp_path_factory.mktemp("pictures")
    data = colour_data()
    for split in (data.train, data.valid, data.test):
        for place, (image, label) in enumerate(zip(split.pixels, split.labels, strict=True)):
            path = root / "abcd"[label] / f"{len(split)}-{place}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(path)
    return root


def own(name, **options):
    architecture = {"name": "external", "module": f"lab_networks:{name}", **options}
    return {"title": name, "defense": "none", "architecture": architecture}


def asked(folder, networks, **changes):
    document = {
        "dataset": {"name": "folder", "root": str(folder)},
        "training": {"steps": 2, "batch_size": 8, "report_every": 1},
        "defenses": networks,
        "doubt": {
            "eps": [0.1],
            "images": 4,
            "steps": 1,
            "restarts": 1,
            "queries": 5,
            "strong": "fgsm",
        },
    }
    return experiment(**{**document, **changes})


def test_odd_networks_go_the_whole_way(folder, tmp_path):
    penalty = {"name": "gradient_penalty", "strength": 1.0}
    networks = {
        "tutorial": {**own("Tutorial"), "defense": penalty},
        "tied": own("Tied"),
        "channels": own("ChannelsLast"),
        "headless": own("ConvolutionalHead"),
        "drawn": own("Stochastic", draws=2),
    }
    attacked = {
        name: {"title": name, "attack": {"name": name, "prepare": True, **options}}
        for name, options in {"fgsm": {"eps": 0.2}, "tgsm": {"steps": 1}}.items()
    }
    store, log = ArtifactStore(tmp_path / "store"), Log()
    document = asked(folder, networks, attacks=attacked)
    (index,) = plan.run(document, store, log, InThisProcess(store))
    results = Results(store, index)
    assert log.failures == []
    for label in networks:
        artifact = results.model(label)
        first, second = load_model(artifact), load_model(artifact)
        assert torch.equal(
            *(
                logits(each, results.source.pixels.astype(np.float32) / 255)
                for each in (first, second)
            )
        )
    assert load_model(results.model("tied")).c.weight is not None
    weights = load(results.model("tied").read(WEIGHTS))
    assert torch.equal(weights["b.weight"], weights["c.weight"])

    measured = results.measures("headless")
    assert set(measured.absent) == {
        f"{name}_{split}" for name in ("singular_values", "margins") for split in ("train", "test")
    }
    assert "no linear layer" in measured.absent["margins_test"]
    assert "gradient_norms" in measured
    with pytest.raises(PlausiblyError, match="margins_test was not computed: the network has no"):
        measured["margins_test"]
    assert "mean over 2 draws" in results.measures("drawn").absent["margins_test"]
    assert results.measures("tutorial").absent == {}
    assert results.measures("tutorial")["singular_values_train"].shape == (8,)

    assert results.notes("tutorial") == ()
    assert PROBE not in results.model("tutorial").manifest["files"]
    assert results.model("drawn").json(PROBE)["draws"] == 2
    assert any(note.startswith("Stochastic: stochastic, 2 draws") for note in _notes([results]))
    again = Log()
    assert plan.run(document, store, again, InThisProcess(store)) == [index]
    assert again.made == []


def test_a_broken_network_is_told_first_and_the_others_go_on(folder, tmp_path):
    class Order(Log):
        def __init__(self):
            super().__init__()
            self.order = []

        def failed(self, task, error):
            super().failed(task, error)
            self.order.append((task.name, str(error)))

        def finished(self, task, artifact, *, reused):
            super().finished(task, artifact, reused=reused)
            self.order.append((task.name, ""))

    networks = {
        "none": own("Plain"),
        "soft": own("SoftmaxFunctional"),
        "batch": {
            **own("BatchDependent"),
            "defense": {"name": "gradient_penalty", "strength": {"values": [0.1, 1]}},
        },
    }
    store, log = ArtifactStore(tmp_path / "store"), Order()
    document = asked(folder, networks, attacks={}, saliency={}, doubt=None)
    with pytest.raises(
        PlausiblyError, match="lab_networks:SoftmaxFunctional gives probabil"
    ) as failed:
        plan.run(document, store, log, InThisProcess(store), only="measure")
    assert failed.value.exit_code == 2
    # A sweep with one broken network is one failure.
    assert str(failed.value).count("lab_networks:BatchDependent depends on the batch") == 1
    broken = [name for name, said in log.order if said]
    assert broken == [name for name, _ in log.order[: len(broken)]]
    assert {"train soft", "train batch at 0.1", "train batch at 1"} <= set(broken)
    assert "train soft: lab_networks:SoftmaxFunctional gives" in dict(log.order)["train soft"]
    assert {"train none", "measure none"} <= set(log.made)
    assert [a.kind for a in store.all("model")] == ["model"]


def test_a_defense_that_needs_a_head_says_so_before_anything_is_trained(folder, tmp_path):
    two = {"name": "folder:a,b", "root": str(folder)}
    built_in = {"name": "small_cnn", "channels": [2, 2], "hidden": 4}
    networks = {
        "none": {**own("Plain"), "architecture": built_in},
        "pairs": {**own("TwoConvolutional"), "defense": "differential"},
    }
    store, log = ArtifactStore(tmp_path / "store"), Log()
    document = asked(folder, networks, dataset=two, attacks={}, saliency={}, doubt=None)
    with pytest.raises(PlausiblyError, match="train pairs: differential training sets the bias"):
        plan.run(document, store, log, InThisProcess(store), only="train")
    assert (log.made, log.failures) == (["train none"], ["train pairs"])


def test_weights_that_are_no_numbers_are_not_adopted(folder, tmp_path):
    path = tmp_path / "nan.safetensors"
    save_file(lab_networks.NaN().state_dict(), path)
    store = ArtifactStore(tmp_path / "store")
    document = asked(folder, {"nan": own("Plain", weights=str(path))})
    with pytest.raises(
        PlausiblyError, match=r"lab_networks:Plain has a weight that is nan, in n\.4"
    ):
        plan.run(document, store, Log(), InThisProcess(store))
    assert list(store.all("model")) == []


@pytest.mark.parametrize(
    "config",
    [
        ["none"],
        ["gradient_penalty"],
        [{"name": "adversarial_training", "eps": 0.1}],
        ["distillation"],
        [{"name": "adversarial_training", "eps": 0.1}, "gradient_penalty"],
    ],
    ids=str,
)
def test_every_defense_trains_networks_with_odd_habits(config):
    data, defense = colour_data(), defenses.combine(config)
    torch.manual_seed(0)
    required = {role: lab_networks.Tutorial() for role in defense.requires()}
    for name, draws in (("Tutorial", 1), ("ChannelsLast", 1), ("Stochastic", 2)):
        chosen = models.create("external", module=f"lab_networks:{name}", draws=draws)
        network = chosen.build(data.shape, 4, seed=0)
        schedule = TrainingConfig(steps=1, batch_size=8)
        (point,) = train(network, defense, data, schedule, seed=0, required=required)
        assert np.isfinite(point["loss"])


def test_notes_are_told_of_models_that_have_a_curve_alone(tmp_path):
    """Models from before there was a probe have none, and no notes."""
    from synthetic import experiment as written

    results = written(ArtifactStore(tmp_path))
    assert results.model("none").json(CURVE) == {"points": []}
    assert results.notes("none") == ()
