"""One small run of everything: datasets, a sweep, what takes its value, curves, training time.

What is stored is computed again here, from the weights, by other means.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load, save_file
from tiny_run import InThisProcess, Log, experiment
from torch.nn import functional as F

from engine import attacks, datasets, defenses, models
from engine.artifacts import ArtifactStore
from engine.errors import PlausiblyError, UsageError
from engine.execution.executor import TasksFailedError
from engine.experiments import plan as pipeline
from engine.jobs import making
from engine.jobs.context import load_model
from engine.jobs.model import CURVE
from engine.jobs.training_time import FILE as PREDICTIONS
from engine.results import WEIGHTS, Results, diverged
from engine.robustness import doubt

VALUES = [0.01, 1000, 1e38]
PENALTY = {"name": "gradient_penalty", "strength": {"values": VALUES}}
CHOSEN = {"name": "gradient_penalty", "strength": {"chosen": "swept"}}
FGSM = {"title": "FGSM", "attack": {"name": "fgsm", "eps": 0.2}}
NONE = {"title": "No defense", "defense": "none"}


def small(**changes):
    """An experiment without maps."""
    return experiment(
        **{"saliency": {}, "defenses": {"none": NONE}, "dataset": "digits:3,8"} | changes
    )


def whole():
    return small(
        dataset=None,
        datasets={
            "curved": {"title": "3 or 8", "dataset": "digits:3,8"},
            "round": {"title": "0 or 1", "dataset": "digits:0,1", "training": {"lr": 0.02}},
        },
        training={"steps": 20, "batch_size": 32, "lr": 0.01, "report_every": 10},
        # The sweep comes first and trains longest: its reference must be planned before it.
        defenses={
            "swept": {
                "title": "Penalty",
                "defense": PENALTY,
                "training": {"steps": 24, "keep_every": 12},
            },
            "none": {**NONE, "training": {"keep_every": 8}},
            "both": {"title": "Both", "defense": [CHOSEN, "adversarial_training"]},
        },
        selection={"eps": [0.1, 0.3], "clean_drop": 0.2},
        attacks={
            "fgsm": FGSM,
            "tgsm": {"title": "TGSM", "attack": "tgsm", "target": "second_choice"},
        },
        minimum_norms={
            "l2": {
                "title": "Smallest",
                "attack": {"name": "minimum_norm", "norm": "l2", "steps": 10, "restarts": 1},
                "split": "train",
                "images": 20,
            }
        },
        grids={"tgsm": {"title": "TGSM", "attack": {"name": "tgsm", "steps": 2}, "per_class": 3}},
        curves={
            "all": {**FGSM, "over": {"eps": [0, 0.3]}},
            "own": {
                **FGSM,
                "over": {"eps": [0.1]},
                "split": "train",
                "images": 7,
                "transfer": False,
            },
        },
        training_time={**FGSM, "images": 50},
    )


@pytest.fixture(autouse=True, scope="module")
def torch_as_it_was():
    """What is computed here, and not in a worker, changes torch's settings."""
    before = torch.get_deterministic_debug_mode()
    yield
    torch.set_deterministic_debug_mode(before)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("swept"))


@pytest.fixture(scope="module")
def runs(store):
    return [
        Results(store, index) for index in pipeline.run(whole(), store, Log(), InThisProcess(store))
    ]


@pytest.fixture(scope="module")
def first(runs):
    return runs[0]


def parent(results, role):
    reference = results.index.recipe.parents[role]
    return results.store.get(reference.kind, reference.key)


def candidates(results):
    recipe = parent(results, "selection:swept").recipe
    roles = [f"candidate:{number:02}" for number in range(len(VALUES))]
    return [results.store.get("model", recipe.parents[role].key) for role in roles]


def network(artifact, file=WEIGHTS):
    """Build the network without the code under test."""
    made = models.create("small_cnn", channels=(2, 2), hidden=8).build((1, 28, 28), 2, seed=9)
    made.load_state_dict(load((artifact.path / file).read_bytes()))
    return made.eval()


def accuracy(net, x, y):
    return float((net(x).argmax(1) == y).float().mean())


def tensors(split):
    return torch.from_numpy(split.pixels) / 255, torch.from_numpy(split.labels)


def signs(net, x, y):
    x = x.clone().requires_grad_(True)
    F.cross_entropy(net(x), y, reduction="sum").backward()
    return x.grad.sign()


def unrounded_fgsm(net, x, y, eps):
    return (x + eps * signs(net, x, y)).clamp(0, 1)


def rounded_fgsm(net, x, y, eps):
    """8-bit pixels, as many whole levels from the image as fit in the ball: 25 for .1."""
    levels = math.floor(255 * eps)
    return ((255 * x).round() + levels * signs(net, x, y)).clamp(0, 255) / 255


def test_every_dataset_is_a_run_of_its_own(runs):
    assert [results.name for results in runs] == ["tiny_curved", "tiny_round"]
    assert [results.config["dataset_label"] for results in runs] == ["curved", "round"]
    assert [results.class_names for results in runs] == [["3", "8"], ["0", "1"]]
    assert len({results.data_sha256 for results in runs}) == 2
    rates = [results.model("none").recipe.config["training"]["lr"] for results in runs]
    assert rates == [0.01, 0.02]
    assert not [p for results in runs for a in results.store.all() for p in a.problems()]


def test_what_diverged_is_recorded_and_not_chosen(runs):
    for results in runs:
        lost = candidates(results)[2]
        assert diverged(lost)
        assert list(lost.manifest["files"]) == [CURVE]
        record = lost.json(CURVE)["diverged"]
        assert record["term"] == "penalty"
        assert record["step"] == 1
        assert record["value"] == "inf"
        table = results.selection("swept")["candidates"]
        assert table[2] == {"value": 1e38, "diverged": record["message"]}
        assert results.selection("swept")["chosen"] != 1e38
        with pytest.raises(PlausiblyError, match="penalty is inf at step 1"):
            load_model(lost)


def test_the_chosen_value_is_the_best_of_those_allowed(runs):
    for results in runs:
        selection = results.selection("swept")
        table = [row for row in selection["candidates"] if "diverged" not in row]
        assert [row["value"] for row in table] == VALUES[:2]
        for row in table:
            assert row["allowed"] == (row["clean"] >= selection["clean_floor"])
        best = max(row["transferred"] for row in table if row["allowed"])
        (chosen, *_) = [r["value"] for r in table if r["allowed"] and r["transferred"] == best]
        assert selection["chosen"] == chosen
        model = results.model("swept")
        assert model.recipe.config["defense"]["strength"] == chosen
        assert model.key == candidates(results)[VALUES.index(chosen)].key


def test_the_selections_numbers_follow_from_the_weights(first):
    x, y = tensors(datasets.create("digits:3,8").load().valid)
    reference = network(first.model("none"))
    selection = first.selection("swept")
    assert selection["images"] == len(y)
    assert selection["clean_floor"] == pytest.approx(accuracy(reference, x, y) - 0.2)
    for row, artifact in list(zip(selection["candidates"], candidates(first), strict=True))[:2]:
        net = network(artifact)
        found = {
            "clean": accuracy(net, x, y),
            "transferred": np.mean(
                [accuracy(net, rounded_fgsm(reference, x, y, eps), y) for eps in (0.1, 0.3)]
            ),
            "white_box": np.mean(
                [accuracy(net, rounded_fgsm(net, x, y, eps), y) for eps in (0.1, 0.3)]
            ),
            "transferred_float": np.mean(
                [accuracy(net, unrounded_fgsm(reference, x, y, eps), y) for eps in (0.1, 0.3)]
            ),
            "white_box_float": np.mean(
                [accuracy(net, unrounded_fgsm(net, x, y, eps), y) for eps in (0.1, 0.3)]
            ),
        }
        assert {key: row[key] for key in found} == pytest.approx(found)


def test_what_takes_the_chosen_value_has_it(runs):
    for results in runs:
        chosen = results.selection("swept")["chosen"]
        wanted = defenses.combine(
            [{"name": "gradient_penalty", "strength": chosen}, "adversarial_training"]
        )
        assert results.model("both").recipe.config["defense"] == wanted.config()


def test_curves_start_at_the_clean_predictions_and_follow_from_the_weights(first):
    x, y = tensors(datasets.create("digits:3,8").load().test)
    nets = {label: network(first.model(label)) for label in ("swept", "none", "both")}
    for source, net in nets.items():
        found = first.curve("all", source)
        assert found.values == [0, 0.3]
        assert np.array_equal(found.labels, y)
        assert set(found.tested) == set(nets)
        x_adv = rounded_fgsm(net, x, y, 0.3)
        for label, predictions in found.tested.items():
            assert np.array_equal(predictions[0], nets[label](x).argmax(1))
            assert np.array_equal(predictions[1], nets[label](x_adv).argmax(1))
        before = unrounded_fgsm(net, x, y, 0.3)
        for label, predictions in found.unrounded.items():
            assert np.array_equal(predictions[1], nets[label](before).argmax(1))
        assert set(found.unrounded) == set(nets)
        assert found.excess is None


def test_a_curve_without_transfer_tests_the_source_alone(first):
    data = datasets.create("digits:3,8").load().train
    found = first.curve("own", "both")
    assert set(found.tested) == {"both"}
    chosen = np.linspace(0, len(data) - 1, 7).round().astype(int)
    assert np.array_equal(found.labels, data.labels[chosen])
    x, y = (part[chosen] for part in tensors(data))
    net = network(first.model("both"))
    assert np.array_equal(found.tested["both"][0], net(rounded_fgsm(net, x, y, 0.1)).argmax(1))


def test_kept_weights_are_those_of_their_steps(first):
    kept = [name for name in first.model("none").manifest["files"] if name.startswith("weights-")]
    assert kept == ["weights-000008.safetensors", "weights-000016.safetensors"]
    model = first.model("swept")
    kept = [name for name in model.manifest["files"] if name.startswith("weights-")]
    assert kept == ["weights-000012.safetensors", "weights-000024.safetensors"]
    last, final = (load(model.read(name)) for name in (kept[1], WEIGHTS))
    assert last.keys() == final.keys()
    assert all(torch.equal(last[name], final[name]) for name in final)
    assert not torch.equal(load(model.read(kept[0]))["logits.weight"], final["logits.weight"])
    read = load_model(model, step=24).state_dict()
    assert all(torch.equal(read[name], final[name]) for name in final)


def test_training_time_follows_from_the_kept_weights(first):
    roles = [role for role in first.index.recipe.parents if role.startswith("training_time:")]
    assert sorted(roles) == ["training_time:none", "training_time:swept"]
    found = parent(first, "training_time:swept").arrays(PREDICTIONS)
    assert found["steps"].tolist() == [12, 24]
    test = datasets.create("digits:3,8").load().test
    chosen = np.linspace(0, len(test) - 1, 50).round().astype(int)
    x, y = (part[chosen] for part in tensors(test))
    assert np.array_equal(found["labels"], y)
    transferred = rounded_fgsm(network(first.model("none")), x, y, 0.2)
    for row, step in enumerate((12, 24)):
        net = network(first.model("swept"), f"weights-{step:06}.safetensors")
        assert np.array_equal(found["clean"][row], net(x).argmax(1))
        assert np.array_equal(found["transferred"][row], net(transferred).argmax(1))
        assert np.array_equal(found["white_box"][row], net(rounded_fgsm(net, x, y, 0.2)).argmax(1))


def test_a_grid_aims_at_every_class_from_the_same_images(first):
    test = datasets.create("digits:3,8").load().test
    for defense in ("none", "both"):
        made, net = first.grid(defense, "tgsm"), network(first.model(defense))
        assert made.true_label.tolist() == [0, 0, 0, 1, 1, 1]
        for label in (0, 1):
            own = test.pixels[test.labels == label]
            chosen = np.linspace(0, len(own) - 1, 3).round().astype(int)
            assert np.array_equal(made.clean[made.true_label == label], own[chosen])
        x, y = torch.from_numpy(made.clean) / 255, torch.from_numpy(made.true_label)
        x_adv = x
        for _ in range(2):
            x_adv = x_adv.clone().requires_grad_(True)
            F.cross_entropy(net(x_adv), 1 - y, reduction="sum").backward()
            x_adv = (x_adv - 0.1 * x_adv.grad.sign()).clamp(0, 1).detach()
        rows = np.arange(6)
        assert np.array_equal(made.pixels[rows, y], made.clean)
        assert np.array_equal(made.pixels[rows, 1 - y], (x_adv * 255).round().byte())
        answers = net(torch.from_numpy(made.pixels).flatten(0, 1) / 255).softmax(1)
        assert np.array_equal(made.label.ravel(), answers.argmax(1))
        assert made.confidence.ravel() == pytest.approx(answers.amax(1).detach().numpy(), abs=1e-5)
        assert (made.linf[rows, y] == 0).all()
        assert not made.hit[rows, y].any()
        wrong = made.label[rows, 1 - y] == 1 - made.true_label
        assert np.array_equal(made.hit[rows, 1 - y], wrong)


def test_minimum_norms_are_those_of_the_disturbances_found(first):
    train = datasets.create("digits:3,8").load().train
    chosen = np.linspace(0, len(train) - 1, 20).round().astype(int)
    x, y = (part[chosen] for part in tensors(train))
    attack = attacks.create("minimum_norm", norm="l2", steps=10, restarts=1)
    for defense in ("none", "both"):
        made, net = first.minimum_norm("l2", defense), network(first.model(defense))
        assert (made.norm_name, made.split) == ("l2", "train")
        assert np.array_equal(made.labels, y)
        x_adv = attack(net, x, y)
        wrong = net(x_adv).argmax(1) != y
        length = (x_adv - x).flatten(1).norm(dim=1)
        assert made.norm == pytest.approx(torch.where(wrong, length, torch.inf).numpy(), abs=1e-5)
        assert np.array_equal(made.norm == 0, net(x).argmax(1) != y)
        rounded = net((x_adv * 255).round() / 255).argmax(1)
        assert np.array_equal(made.rounded_away, wrong & (rounded == y))


def test_a_declared_target_is_stored_with_the_examples(first):
    made = first.examples("none", "tgsm")
    assert made.artifact.recipe.config["target"] == "second_choice"
    assert np.array_equal(made.target, 1 - made.true_label)  # of two classes


def test_every_model_is_put_to_the_ladder_and_tested_on_the_others_examples(first):
    test = datasets.create("digits:3,8").load().test
    chosen = np.linspace(0, len(test) - 1, 20).round().astype(int)
    x, y = (part[chosen] for part in tensors(test))
    nets = {label: network(first.model(label)) for label in ("swept", "none", "both")}
    for label, net in nets.items():
        climbed = first.ladder(label)
        assert climbed.eps == [0.1]
        assert np.array_equal(climbed.labels, y)
        assert np.array_equal(climbed.clean, net(x).argmax(1))
        assert np.array_equal(climbed.fgsm[0], net(rounded_fgsm(net, x, y, 0.1)).argmax(1))
        assert set(climbed.transferred) == set(nets) - {label}
        for source, answers in climbed.transferred.items():
            made = rounded_fgsm(nets[source], x, y, 0.1)
            assert np.array_equal(answers[0], net(made).argmax(1))
        zero = first.measures(label)["zero_gradient"]
        assert first.doubts(label) == doubt.summary(doubt.examine(climbed, zero))


def test_runs_are_found_by_exactly_what_the_file_says(runs, store, tmp_path):
    found = pipeline.find(whole(), store)
    assert [index.key for index in found] == [results.index.key for results in runs]
    changed = whole().model_copy(update={"seed": 5})
    with pytest.raises(PlausiblyError, match=r"^curved 5: train none has not been made in .*run"):
        pipeline.find(changed, store)
    with pytest.raises(PlausiblyError, match=r"^curved 1: train none has not been made"):
        pipeline.find(whole(), store, seeds=2)


def test_a_second_run_only_looks(runs, store):
    again = Log()
    indices = pipeline.run(whole(), store, again)
    assert [index.key for index in indices] == [results.index.key for results in runs]
    assert again.made == []
    assert len(again.reused) == len(set(again.reused)) == 2 * 38


def test_an_unknown_stage_is_refused(tmp_path):
    with pytest.raises(UsageError, match="unknown stage 'training'; known: train, select, attack"):
        pipeline.run(small(), ArtifactStore(tmp_path), Log(), only="training")
    assert list(tmp_path.iterdir()) == []


def test_further_seeds_are_other_runs_and_one_stage_can_be_made_alone(tmp_path):
    store, log = ArtifactStore(tmp_path), Log()
    assert pipeline.run(small(), store, log, InThisProcess(store), seeds=2, only="train") == []
    assert sorted(log.made) == ["seed 1: train none", "train none"]
    assert [artifact.kind for artifact in store.all()] == ["model", "model"]

    log = Log()
    one, two = pipeline.run(small(), store, log, InThisProcess(store), seeds=2)
    assert sorted(log.reused) == ["seed 1: train none", "train none"]
    assert [Results(store, index).name for index in (one, two)] == ["tiny", "tiny_seed1"]
    first, second = (Results(store, index).model("none") for index in (one, two))
    assert first.key != second.key
    assert first.content_sha256 != second.content_sha256
    assert not torch.equal(*(load(m.read(WEIGHTS))["conv1.weight"] for m in (first, second)))


def test_a_sweep_in_which_no_value_will_do_is_an_error_with_the_values(tmp_path):
    hopeless = {"name": "gradient_penalty", "strength": {"values": [1e38, 1e37]}}
    swept = {"title": "Hopeless", "defense": hopeless}
    store, made = ArtifactStore(tmp_path), {}
    *trainings, select = (
        task
        for task in plan(defenses={"none": NONE, "swept": swept}).values()
        if task.stage in ("train", "select")
    )
    for task in trainings:
        made[task.name] = making.run(task.recipe(made), store, lambda _event: None)
    with pytest.raises(
        PlausiblyError,
        match=r"^no strength keeps a clean validation accuracy of [\d.-]+ "
        r"\(1e\+38: diverged, 1e\+37: diverged\); sweep smaller values, or raise "
        r"selection\.clean_drop",
    ):
        making.run(select.recipe(made), store, lambda _event: None)


def plan(**changes):
    (run,) = small(**changes).runs()
    return {task.name: task for task in pipeline._of_run(run, run.spec.dataset.load()).tasks}


class Chosen:
    """Stands for a selection's artifact."""

    def json(self, _name):
        return {"chosen": 20.0}


def test_a_required_model_takes_the_chosen_value_too():
    warm = {"name": "distillation", "temperature": {"values": [5, 20]}}
    derived = {"name": "distillation", "temperature": {"chosen": "warm"}}
    tasks = plan(
        defenses={
            "derived": {"title": "Derived", "defense": [derived, "gradient_penalty"]},
            "warm": {"title": "Warm", "defense": warm},
            "none": NONE,
        },
    )
    teacher = tasks["train derived.teacher"]
    assert teacher.needs == ("select warm",)
    recipe = teacher.recipe({"select warm": Chosen()})
    assert recipe.config["defense"] == defenses.create("none", temperature=20).config()
    assert set(tasks["train warm at 5"].needs) == {"train warm at 5.teacher"}


def test_a_raised_version_of_a_part_makes_combined_models_anew(monkeypatch):
    both = {"both": {"title": "Both", "defense": ["gradient_penalty", "adversarial_training"]}}
    before = plan(defenses=both)["train both"].recipe({})
    monkeypatch.setattr(defenses.registry.get("gradient_penalty"), "version", 2)
    after = plan(defenses=both)["train both"].recipe({})
    assert before.versions["defense"] == 1
    assert before.key != after.key


def test_kept_weights_are_finished_by_the_defense_before_they_are_tested(tmp_path):
    store, made = ArtifactStore(tmp_path), {}
    differential = {"title": "D", "defense": "differential", "training": {"keep_every": 4}}
    tasks = plan(
        defenses={"none": NONE, "pairs": differential},
        training_time={**FGSM, "images": 50},
    )
    for name in ("train none", "train pairs", "training time of pairs"):
        made[name] = making.run(tasks[name].recipe(made), store, lambda _event: None)
    model = made["train pairs"]
    kept, final = (load(model.read(name)) for name in ("weights-000004.safetensors", WEIGHTS))
    unequal = [name for name in final if not torch.equal(kept[name], final[name])]
    assert unequal == ["logits.bias"]
    test = datasets.create("digits:3,8").load().test
    x, _ = tensors(test)
    chosen = np.linspace(0, len(test) - 1, 50).round().astype(int)
    found = made["training time of pairs"].arrays(PREDICTIONS)
    assert np.array_equal(found["clean"][0], network(model)(x[chosen]).argmax(1))


NETWORK = """
from torch import nn

class Own(nn.Sequential):
    def __init__(self, width=4):
        super().__init__(
            nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, 2)
        )
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A network of one's own with weights; workers can import it, too."""
    (tmp_path / "own_network.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = tmp_path / "weights.safetensors"
    save_own(path, seed=3)
    return path


def save_own(path, seed):
    made = models.create("external", module="own_network:Own").build((1, 28, 28), 2, seed=seed)
    save_file(made.state_dict(), path)


def adopted(path, defense="none", keep_every=None, **more):
    return {
        "own": {
            "title": "Our own",
            "defense": defense,
            "training": {"keep_every": keep_every},
            "architecture": {
                "name": "external",
                "module": "own_network:Own",
                "weights": str(path),
                **more,
            },
        }
    }


def test_a_network_of_ones_own_is_attacked_and_not_trained(own, tmp_path):
    store, log = ArtifactStore(tmp_path / "store"), Log()
    time = {"title": "Time", "attack": "fgsm", "images": 5}
    both = {**adopted(own, keep_every=1), "none": {**NONE, "training": {"keep_every": 4}}}
    # It keeps no weights on the way, whatever the schedule says.
    asked = small(defenses=both, training_time=time)
    (index,) = pipeline.run(asked, store, log, InThisProcess(store))
    results = Results(store, index)
    assert "training_time:own" not in index.recipe.parents
    assert "adopt own" in log.reused
    assert [name for name in log.made if name.startswith("train ")] == ["train none"]
    model = results.model("own")
    assert model.recipe.config["training"] is None
    assert "weights" not in model.recipe.config["architecture"]
    weights, given = load(model.read(WEIGHTS)), load(own.read_bytes())
    assert weights.keys() == given.keys()
    assert all(torch.equal(weights[name], given[name]) for name in given)
    x, y = tensors(datasets.create("digits:3,8").load().test)
    net = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(784, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)
    )
    net.load_state_dict(given)
    made = results.examples("own", "fgsm")
    assert np.array_equal(made.pixels, (rounded_fgsm(net, x, y, 0.2) * 255).round().byte())
    assert model.json(CURVE)["accuracy"]["test"] == pytest.approx(accuracy(net, x, y))

    # The file moves: everything is found. Other weights: another artifact.
    moved = own.rename(tmp_path / "moved.safetensors")
    again = Log()
    elsewhere = small(defenses={**both, **adopted(moved, keep_every=1)}, training_time=time)
    assert pipeline.run(elsewhere, store, again, InThisProcess(store)) == [index]
    assert again.made == []
    save_own(own, seed=4)
    pipeline.run(small(defenses=adopted(own)), store, Log(), InThisProcess(store), only="train")
    digests = {m.recipe.config["architecture"].get("weights_sha256") for m in store.all("model")}
    assert len(digests) == 3


def test_an_adopted_network_must_fit(own, tmp_path):
    store = ArtifactStore(tmp_path / "store")
    with pytest.raises(ValueError, match=r"defenses\.own: .*its defense must be none"):
        small(defenses=adopted(own, "gradient_penalty"))
    swapped = small(defenses=adopted(own, class_names=["8", "3"]))
    with pytest.raises(UsageError, match="own: its class_names are 8, 3, the dataset's are 3, 8"):
        pipeline.run(swapped, store, Log())
    wide = small(defenses=adopted(own, arguments={"width": 5}))
    ten = small(defenses=adopted(own), dataset="digits")
    for unfit, said in (
        (wide, r"adopt own: .*does not fit own_network:Own; of another shape: 1\.bias"),
        (ten, r"one for each class of the dataset; for N = 2 it gave"),
    ):
        with pytest.raises(TasksFailedError, match=said) as failed:
            pipeline.run(unfit, store, Log(), InThisProcess(store))
        assert failed.value.exit_code == 2
        assert list(store.all("model")) == []
    fits = ArtifactStore(tmp_path / "fits")
    pipeline.run(
        small(defenses=adopted(own, class_names=["3", "8"])),
        fits,
        Log(),
        InThisProcess(fits),
        only="train",
    )
    assert [artifact.kind for artifact in fits.all()] == ["model"]


def test_looking_for_a_run_makes_nothing(own, tmp_path):
    """Not even of a network that needs no training."""
    store = ArtifactStore(tmp_path / "store")
    asked = small(defenses=adopted(own))
    with pytest.raises(PlausiblyError, match=r"^adopt own has not been made in .*run the experim"):
        pipeline.find(asked, store)
    assert not store.root.exists()
    pipeline.run(asked, store, Log(), InThisProcess(store), only="train")
    with pytest.raises(PlausiblyError, match=r"^source images has not been made"):
        pipeline.find(asked, store)
    assert [artifact.kind for artifact in store.all()] == ["model"]
