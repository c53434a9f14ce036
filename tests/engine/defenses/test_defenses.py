"""Each objective against an independent computation in float64."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engine import attacks, defenses
from engine.defenses import Context
from engine.errors import UsageError


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(9, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    x = torch.rand(7, 1, 3, 3, dtype=torch.float64)
    return net, x, torch.tensor([0, 1, 2, 0, 1, 2, 0])


def parameter_gradient(net, loss):
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])


def log_softmax(z):
    return z - z.exp().sum(1, keepdim=True).log()


def explicit_input_gradients(net, x, weights):
    """d (sum_k weights_k log p_k) / d x of a two-layer tanh network, by the chain rule by hand."""
    _, first, _, second = net
    hidden = torch.tanh(x.flatten(1) @ first.weight.T + first.bias)
    z = hidden @ second.weight.T + second.bias
    probability = log_softmax(z).exp()
    d_z = weights - weights.sum(1, keepdim=True) * probability
    return ((d_z @ second.weight) * (1 - hidden**2)) @ first.weight


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("target", ["loss", "uniform"])
def test_gradient_penalty_is_the_formula(tiny, target, norm):
    net, x, y = tiny
    defense = defenses.create("gradient_penalty", strength=1.7, target=target, norm=norm)
    loss, terms = defense.loss(net, x, y, Context())
    weights = F.one_hot(y, 3).double() if target == "loss" else torch.full((7, 3), 1 / 3).double()
    gradients = explicit_input_gradients(net, x, weights)
    size = (gradients.square() if norm == "l2" else gradients.abs()).sum(1).mean()
    plain = -log_softmax(net(x))[range(7), y].mean()
    expected = plain + 1.7 * size
    assert torch.allclose(loss, expected, atol=1e-12)
    assert torch.allclose(terms["penalty"], 1.7 * size, atol=1e-12)
    ours, theirs = (parameter_gradient(net, value) for value in (loss, expected))
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_gradient_penalty_against_finite_differences(tiny):
    net, x, y = tiny
    step = 1e-6
    _, terms = defenses.create("gradient_penalty").loss(net, x, y, Context())
    squared = torch.zeros(7, dtype=torch.float64)
    for pixel in range(9):
        shift = torch.zeros(9, dtype=torch.float64)
        shift[pixel] = step
        up, down = (
            F.cross_entropy(net(x + sign * shift.view(1, 3, 3)), y, reduction="none")
            for sign in (1, -1)
        )
        squared += ((up - down) / (2 * step)) ** 2
    assert math.isclose(terms["penalty"].item(), squared.mean().item(), rel_tol=1e-6)


def test_adversarial_training_mixes_clean_and_adversarial_loss(tiny):
    net, x, y = tiny
    net, x = net.float(), x.float()
    loss, terms = defenses.create("adversarial_training", eps=0.1, mix=0.3).loss(
        net, x, y, Context()
    )
    z = net(x.requires_grad_(True))
    (gradient,) = torch.autograd.grad(F.cross_entropy(z, z.argmax(1), reduction="sum"), x)
    x_adv = (x.detach() + 0.1 * gradient.sign()).clamp(0, 1)
    expected = 0.7 * F.cross_entropy(net(x.detach()), y) + 0.3 * F.cross_entropy(net(x_adv), y)
    assert torch.allclose(loss, expected, atol=1e-6)
    assert set(terms) == {"cross_entropy", "adversarial"}
    ours, theirs = (parameter_gradient(net, value) for value in (loss, expected))
    assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "step_size"),
    [
        ({}, 0.1),
        ({"random_start": True}, 0.125),
        ({"steps": 5}, 0.05),
        ({"steps": 5, "step_size": 0.03, "random_start": True}, 0.03),
    ],
)
def test_adversarial_training_variants_are_pgd_on_the_predicted_label(tiny, params, step_size):
    net, x, y = tiny
    net, x = net.float(), x.float()
    predicted = net(x).argmax(1)
    assert (predicted != y).any()
    defense = defenses.create("adversarial_training", eps=0.1, mix=1, **params)
    torch.manual_seed(3)
    loss, _ = defense.loss(net, x, y, Context())
    torch.manual_seed(3)
    again, _ = defense.loss(net, x, y, Context())
    assert torch.equal(loss, again)
    torch.manual_seed(3)
    seeds = torch.randint(2**62, (7,)) if params.get("random_start") else None
    attack = attacks.create(
        "pgd",
        eps=0.1,
        steps=params.get("steps", 1),
        step_size=step_size,
        random_start=params.get("random_start", False),
    )
    expected = F.cross_entropy(net(attack(net, x, predicted, seeds=seeds)), y)
    assert torch.allclose(loss, expected, atol=1e-6)


@pytest.mark.parametrize("start", [False, True])
def test_examples_of_several_steps_have_the_bits_that_models_were_trained_with(tiny, start):
    net, x, y = tiny
    net, x = net.float(), x.float()
    defense = defenses.create("adversarial_training", eps=0.1, steps=3, random_start=start)
    label = net(x).argmax(1)
    torch.manual_seed(3)
    z = x
    if start:
        drawn = [torch.Generator().manual_seed(s) for s in torch.randint(2**62, (7,)).tolist()]
        noise = torch.stack([2 * torch.rand((1, 3, 3), generator=each) - 1 for each in drawn])
        z = (x + 0.1 * noise).clamp(0, 1)
    for _ in range(3):  # a constant step: what PGD takes by itself has changed since
        z = z.detach().requires_grad_(True)
        (g,) = torch.autograd.grad(F.cross_entropy(net(z), label, reduction="none").sum(), z)
        step = 2.5 * 0.1 / 3 * g.sign()
        z = torch.clamp(z.detach() + step, x - 0.1, x + 0.1).clamp(0, 1)
    torch.manual_seed(3)
    assert torch.equal(defense._examples(net, x, y), z)
    assert defense.version == 1


def test_distillation_is_cross_entropy_with_soft_labels_at_the_temperature(tiny):
    net, x, y = tiny
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(9, 3)).double()
    defense = defenses.create("distillation", temperature=20)
    assert defense.requires() == {"teacher": defenses.create("none", temperature=20)}
    loss, _ = defense.loss(net, x, y, Context(required={"teacher": teacher}))
    soft = log_softmax(teacher(x).detach() / 20).exp()
    expected = -(soft * log_softmax(net(x) / 20)).sum(1).mean()
    assert torch.allclose(loss, expected, atol=1e-12)
    ours, theirs = (parameter_gradient(net, value) for value in (loss, expected))
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_no_defense_at_a_temperature(tiny):
    net, x, y = tiny
    loss, _ = defenses.create("none", temperature=5).loss(net, x, y, Context())
    expected = -log_softmax(net(x) / 5)[range(7), y].mean()
    assert torch.allclose(loss, expected, atol=1e-12)


def test_penalty_and_adversarial_training_combine_to_the_sum_of_their_terms(tiny):
    net, x, y = tiny
    net, x = net.float(), x.float()
    configs = [{"name": "gradient_penalty", "strength": 2}, {"name": "adversarial_training"}]
    both = defenses.combine(configs)
    loss, terms = both.loss(net, x, y, Context())
    penalty = defenses.create("gradient_penalty", strength=2).loss(net, x, y, Context())[1]
    adversarial = defenses.create("adversarial_training").loss(net, x, y, Context())[1]
    expected = {**adversarial, "penalty": penalty["penalty"]}
    assert set(terms) == set(expected)
    assert all(torch.allclose(terms[name], expected[name], atol=1e-6) for name in terms)
    assert torch.allclose(loss, sum(expected.values()), atol=1e-6)
    assert both.config()["parts"] == [part.config() for part in both.parts]


@pytest.mark.parametrize("configs", [[], ["adversarial_training", "distillation"]])
def test_two_objectives_or_none_are_refused(configs):
    with pytest.raises(UsageError, match="one objective plus penalties"):
        defenses.combine(configs)
