"""The loop: equal seeds give equal weights; divergence is named."""

import gc
import tracemalloc

import numpy as np
import pytest
import torch
from networks import small_cnn
from torch.nn import functional as F
from toy_data import toy_data

from engine import defenses
from engine.datasets import Split
from engine.errors import DivergedError, PlausiblyError
from engine.training import loop
from engine.training.checkpoint import Checkpoint
from engine.training.loop import TrainingConfig, accuracy, train, watch


def run(defense="none", *, seed=0, steps=30, **params):
    net = small_cnn()
    config = TrainingConfig(steps=steps, batch_size=16, lr=5e-3, report_every=10)
    curve = train(net, defenses.create(defense, **params), toy_data(), config, seed=seed)
    return net, curve


def test_it_learns_and_reports():
    net, curve = run(steps=60)
    assert accuracy(net, toy_data().test) > 0.9
    assert [point["step"] for point in curve] == [10, 20, 30, 40, 50, 60]
    assert curve[-1]["loss"] < curve[0]["loss"]
    assert not net.training


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("writeable", [True, False])  # some loaders' arrays are not
def test_a_batch_of_bytes_has_the_bits_of_the_images(writeable):
    levels = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)
    levels.flags.writeable = writeable
    split = Split(levels, np.arange(4))
    x, y = loop._Batches(torch.device("cpu"), split, size=4, seed=0).of(1)
    assert x.dtype == torch.float32
    assert x.is_contiguous()
    assert torch.equal(x, torch.from_numpy(split.images)[y])


@pytest.mark.parametrize("defense", ["none", "gradient_penalty", "adversarial_training"])
def test_equal_seeds_give_equal_weights_and_others_do_not(defense):
    torch.manual_seed(123)
    one, _ = run(defense)
    torch.manual_seed(456)
    two, _ = run(defense)
    other, _ = run(defense, seed=1)
    same = [torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_the_callers_random_state_is_untouched():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    run()
    assert torch.equal(torch.rand(3), expected)


def test_divergence_names_the_step_and_the_term():
    with pytest.raises(PlausiblyError, match=r"diverged: penalty is inf at step 1;"):
        run("gradient_penalty", strength=1e38)


def test_a_weight_that_the_last_step_broke_is_a_divergence():
    # One step: the loss is looked at before the update, and no other loss sees what it left.
    net = small_cnn()
    net.logits.bias.register_hook(lambda gradient: gradient * float("nan"))
    config = TrainingConfig(steps=1, batch_size=16)
    with pytest.raises(DivergedError, match=r"logits\.bias is nan at step 1"):
        train(net, defenses.create("none"), toy_data(), config, seed=0)


@pytest.mark.parametrize("defense", ["none", "gradient_penalty", "distillation"])
def test_watching_more_often_does_not_change_the_weights(defense):
    def weights(report_every):
        net = small_cnn()
        config = TrainingConfig(steps=12, batch_size=16, lr=5e-3, report_every=report_every)
        required = {"teacher": small_cnn(seed=5)} if defense == "distillation" else {}
        train(net, defenses.create(defense), toy_data(), config, seed=0, required=required)
        return net.state_dict()

    often, seldom = weights(1), weights(10)
    assert all(torch.equal(often[name], seldom[name]) for name in often)


def test_watching_leaves_the_model_as_found():
    net = small_cnn().train()
    net.norm1.eval()
    net.conv1.bias.requires_grad_(False)
    net.logits.bias.grad = torch.ones_like(net.logits.bias)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    random = torch.random.get_rng_state()
    seen = watch(net, toy_data().valid, TrainingConfig(watch_eps=0.1))
    assert set(seen) == {
        "accuracy", "adversarial_accuracy", "true_gradient_norm", "other_gradient_norm"
    }  # fmt: skip
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())
    assert [m.training for m in net] == [m is not net.norm1 for m in net]
    assert [n for n, w in net.named_parameters() if not w.requires_grad] == ["conv1.bias"]
    assert torch.equal(net.logits.bias.grad, torch.ones_like(net.logits.bias))
    assert net.conv1.weight.grad is None
    assert torch.equal(torch.random.get_rng_state(), random)


def test_what_is_watched_follows_from_the_model():
    net, _ = run()
    valid = toy_data().valid
    x, y = torch.from_numpy(valid.images), torch.from_numpy(valid.labels)
    seen = watch(net, valid, TrainingConfig(watch_eps=0.1))
    assert seen["accuracy"] == pytest.approx(float((net(x).argmax(1) == y).float().mean()))
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(F.cross_entropy(net(x), y, reduction="sum"), x)
    x_adv = (x + 0.1 * gradient.sign()).clamp(0, 1)
    right = (net(x_adv).argmax(1) == y).float().mean()
    assert seen["adversarial_accuracy"] == pytest.approx(float(right))
    norms = gradient.double().flatten(1).norm(dim=1)
    assert seen["true_gradient_norm"] == pytest.approx(float(norms.quantile(0.5)))


def live_tensors() -> tuple[int, int]:
    """Return the number of tensors made since `gc.freeze`, and of their elements."""
    gc.collect()
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    return len(found), sum(tensor.numel() for tensor in found)


@pytest.mark.parametrize(
    "defense", ["none", "gradient_penalty", "adversarial_training", "distillation"]
)
def test_memory_does_not_grow_with_the_steps(defense, tmp_path, request):
    """Tensors during the training, and Python's memory after it, do not depend on its length.

    Counted while it runs: what leaked until the end would be gone after it.
    """
    counts: dict[int, list[tuple[int, int]]] = {}
    traced: dict[int, int] = {}
    required = {"teacher": small_cnn(seed=5)} if defense == "distillation" else {}
    data, objective = toy_data(), defenses.create(defense)
    # What was there before is not looked at: there is a lot of it.
    gc.collect()
    gc.freeze()
    request.addfinalizer(gc.unfreeze)

    def measure(steps):
        # The same number of reports: the curve is meant to grow with them.
        config = TrainingConfig(
            steps=steps, batch_size=16, report_every=steps // 4, keep_every=steps // 2
        )
        counts[steps] = []
        gc.collect()
        tracemalloc.start()
        net = small_cnn()
        train(
            net,
            objective,
            data,
            config,
            seed=0,
            required=required,
            progress=lambda _event: counts[steps].append(live_tensors()),
            checkpoint=Checkpoint(tmp_path / str(steps)),
        )
        gc.collect()
        traced[steps] = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()

    measure(8)  # what is set up once
    measure(20)
    measure(80)
    # Before the first step, then at each of the four reports.
    assert counts[20] == counts[80]
    assert counts[80][1] == counts[80][4]
    # Python keeps some freed objects for the next ones; a step left behind would be far more.
    assert abs(traced[80] - traced[20]) < 60_000
