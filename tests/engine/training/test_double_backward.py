"""The closed-form step against the ordinary one: values, statistics, randomness, its own check."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engine import defenses, models
from engine.defenses import Context
from engine.errors import PlausiblyError
from engine.training import double_backward
from engine.training.double_backward import ClosedFormBatchNorm, PenaltyStep

PENALTIES = {
    "loss": [{"name": "gradient_penalty", "strength": 3.0}],
    "uniform": [{"name": "gradient_penalty", "strength": 0.5, "target": "uniform"}],
    "with adversarial training": [
        {"name": "adversarial_training", "eps": 0.1},
        {"name": "gradient_penalty", "strength": 2.0},
    ],
}


def network():
    return models.create("small_cnn", channels=(4, 6), hidden=16).build((1, 12, 12), 5, seed=1)


def batch(step=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(step)
    x = torch.rand(12, 1, 12, 12, generator=generator).to(dtype)
    return x, torch.randint(0, 5, (12,), generator=generator)


def ordinary(model, defense):
    def step(x, y, context):
        model.zero_grad(set_to_none=True)
        loss, terms = defense.loss(model, x, y, context)
        loss.backward()
        return loss, terms

    return step


def train(model, step, steps=range(4), dtype=torch.float32):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for number in steps:
        torch.manual_seed(number)
        loss, terms = step(*batch(number, dtype), Context())
        losses.append(torch.stack([loss, *terms.values()]).detach())
        optimizer.step()
    return torch.stack(losses)


def apart(ours, theirs):
    """Largest relative distance of a gradient; of biases before BatchNorm it is rounding alone."""
    floor = 0.1 * max(weight.grad.norm() for weight in theirs.parameters())
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    return max(float((a.grad - b.grad).norm() / b.grad.norm().clamp(min=floor)) for a, b in pairs)


@pytest.mark.parametrize("configs", PENALTIES.values(), ids=PENALTIES)
def test_the_first_step_is_the_ordinary_one(configs):
    defense = defenses.combine(configs)
    model, twin = network(), network()
    found = train(model, PenaltyStep(model, defense), steps=[0])
    expected = train(twin, ordinary(twin, defense), steps=[0])
    assert torch.equal(found, expected)  # the forward passes have the same bits, dropout included
    for buffer, other in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(buffer, other)
    assert apart(model, twin) < 1e-5


@pytest.mark.parametrize("target", ["loss", "uniform"])
def test_several_steps_in_float64(target):
    defense = defenses.create("gradient_penalty", strength=3.0, target=target)
    model, twin = network().double(), network().double()
    found = train(model, PenaltyStep(model, defense), dtype=torch.float64)
    expected = train(twin, ordinary(twin, defense), dtype=torch.float64)
    assert torch.allclose(found, expected, rtol=1e-10, atol=0)
    assert apart(model, twin) < 1e-10
    for (name, value), other in zip(
        model.state_dict().items(), twin.state_dict().values(), strict=True
    ):
        assert torch.allclose(value, other, rtol=1e-10, atol=1e-12), name


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (3, 2, 4, 4)])
@pytest.mark.parametrize("affine", [True, False])
def test_second_derivative_against_finite_differences(shape, affine):
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    g = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(shape[1], dtype=torch.float64, requires_grad=True) if affine else None

    def input_gradient(x, g, *weight):
        with ClosedFormBatchNorm():
            out = F.batch_norm(x, None, None, *(weight or (None,)), None, training=True)
        return torch.autograd.grad(out, x, g, create_graph=True)

    inputs = (x, g, weight) if affine else (x, g)
    assert torch.autograd.gradcheck(input_gradient, inputs, check_undefined_grad=False)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_other_memory_layouts(memory_format):
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.BatchNorm2d(3))
    model = model.double().to(memory_format=memory_format)
    x = torch.rand(4, 2, 6, 6, dtype=torch.float64).to(memory_format=memory_format)
    found = []
    for mode in (ClosedFormBatchNorm(), torch.enable_grad()):
        x = x.detach().requires_grad_()
        with mode:
            out = model(x)
        # Sums and means give gradients that are expanded, not stored.
        (gradient,) = torch.autograd.grad(out[:, :2].exp().mean((2, 3)).sum(), x, create_graph=True)
        wanted = [x, *model.parameters()]
        total = gradient.square().sum() + gradient.sum() + out.square().mean()
        found.append(torch.autograd.grad(total, wanted, allow_unused=True))
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_a_scale_of_zero():
    x = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64, requires_grad=True)
    found = []
    for mode in (ClosedFormBatchNorm(), torch.enable_grad()):
        with mode:
            out = F.batch_norm(x, None, None, weight, None, training=True)
        (gradient,) = torch.autograd.grad(out.sin().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(gradient.square().sum(), (x, weight)))
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_evaluation_mode_and_single_values_go_the_ordinary_way():
    norm = nn.BatchNorm1d(3)
    with ClosedFormBatchNorm():
        with pytest.raises(ValueError, match="more than 1 value"):
            norm(torch.randn(1, 3))
        assert type(norm(torch.randn(4, 3)).grad_fn).__name__ == "_BatchNormBackward"
        norm.eval()
        ordinary_way = type(norm(torch.randn(4, 3)).grad_fn).__name__
    assert ordinary_way == type(norm(torch.randn(4, 3)).grad_fn).__name__ != "_BatchNormBackward"


def test_an_objective_on_weight_gradients_is_refused():
    x, weight = torch.randn(6, 3), torch.ones(3, requires_grad=True)
    with ClosedFormBatchNorm():
        out = F.batch_norm(x, None, None, weight, None, training=True)
    (gradient,) = torch.autograd.grad(out.square().sum(), weight, create_graph=True)
    with pytest.raises(PlausiblyError, match="gradients of the input"):
        gradient.sum().backward()


def test_two_runs_and_a_resumed_one_have_the_same_bits():
    defense = defenses.create("gradient_penalty", strength=3.0)
    runs = []
    for _ in range(2):
        model = network()
        train(model, PenaltyStep(model, defense))
        runs.append(model.state_dict())
    model = network()
    for number in range(4):  # as if stopped after every step: each checks anew
        train(model, PenaltyStep(model, defense), steps=[number])
    runs.append(model.state_dict())
    for name, value in runs[0].items():
        assert all(torch.equal(value, run[name]) for run in runs[1:]), name


def test_other_defenses_take_the_ordinary_path(monkeypatch):
    monkeypatch.setattr(double_backward, "ClosedFormBatchNorm", None)
    model, twin = network(), network()
    defense = defenses.create("none")
    found = train(model, PenaltyStep(model, defense))
    assert torch.equal(found, train(twin, ordinary(twin, defense)))
    for value, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(value, other)


def _lost(function):
    """The second derivative towards x left out, as a wrong derivation would."""

    def broken(ctx, *cotangents):
        to_g, _, *rest = function(ctx, *cotangents)
        return (to_g, None, *rest)

    return broken


def test_the_check_catches_a_lost_second_derivative(monkeypatch):
    function = double_backward._BatchNormBackward
    monkeypatch.setattr(function, "backward", staticmethod(_lost(function.backward)))
    model = network()
    before = copy.deepcopy(model.state_dict())
    step = PenaltyStep(model, defenses.create("gradient_penalty", strength=3.0))
    with pytest.raises(PlausiblyError, match=r"the gradient of \S+ differs"):
        step(*batch(), Context())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_check_catches_statistics_updated_twice(monkeypatch):
    replaced = ClosedFormBatchNorm.__torch_function__

    def twice(self, func, types, args=(), kwargs=None):
        if func is F.batch_norm:
            func(*args, **(kwargs or {}))
        return replaced(self, func, types, args, kwargs)

    monkeypatch.setattr(ClosedFormBatchNorm, "__torch_function__", twice)
    step = PenaltyStep(network(), defenses.create("gradient_penalty"))
    with pytest.raises(PlausiblyError, match=r"the buffer norm1.running_mean"):
        step(*batch(), Context())


def test_the_check_leaves_the_random_state():
    model = network()
    step = PenaltyStep(model, defenses.create("gradient_penalty"))
    torch.manual_seed(5)
    step(*batch(), Context())
    after_checked = torch.get_rng_state()
    torch.manual_seed(5)
    step(*batch(), Context())
    assert torch.equal(after_checked, torch.get_rng_state())
