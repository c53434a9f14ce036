"""The pair losses against explicit double loops; the bias against the scores themselves."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Scaled
from torch import nn

from engine import defenses, models
from engine.datasets import Data, Split
from engine.defenses import Context
from engine.errors import UsageError
from engine.networks.inference import logits
from engine.training.loop import TrainingConfig, accuracy, train

PAIR_LOSSES = ["squared", "logistic"]
NO_HEAD = "no linear layer .* whose output is its logits; make an nn.Linear the last step"


def linear_head(outputs=2, **options):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(9, 5), nn.Tanh(), nn.Linear(5, outputs, **options))


@pytest.fixture
def tiny():
    x = torch.rand(8, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return linear_head().double(), x, torch.tensor([0, 1, 1, 0, 1, 1, 0, 1])


def parameter_gradient(net, loss):
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])


def sum_over_pairs(net, x, y, pair_loss, margin):
    total = torch.zeros((), dtype=torch.float64)
    for i in range(len(y)):
        for j in range(len(y)):
            if y[i] == 1 and y[j] == 0:
                (a0, a1), (b0, b1) = net(x[i : i + 1])[0], net(x[j : j + 1])[0]
                m = (a1 - a0) - (b1 - b0)
                total = total + (
                    (m - margin) ** 2 if pair_loss == "squared" else (1 + (-m).exp()).log()
                )
    return total


@pytest.mark.parametrize(
    ("pair_loss", "margin"), [("squared", 1.0), ("squared", 2.5), ("logistic", 1.0)]
)
def test_loss_and_gradient_are_those_of_all_pairs(tiny, pair_loss, margin):
    net, x, y = tiny
    defense = defenses.create("differential", pair_loss=pair_loss, margin=margin)
    loss, terms = defense.loss(net, x, y, Context())
    pairs = int((y == 1).sum() * (y == 0).sum())
    expected = sum_over_pairs(net, x, y, pair_loss, margin)
    assert set(terms) == {"differential"}
    assert math.isclose(loss.item() * pairs, expected.item(), rel_tol=1e-12)
    ours, theirs = pairs * parameter_gradient(net, loss), parameter_gradient(net, expected)
    assert theirs.abs().max() > 0.01
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-6)


class Given(nn.Module):
    """A network whose logits are its input."""

    def forward(self, x):
        return x


@settings(max_examples=50)
@given(
    scores=st.lists(st.floats(-30, 30), min_size=2, max_size=12),
    shift=st.floats(-100, 100),
    common=st.floats(-100, 100),
    pair_loss=st.sampled_from(PAIR_LOSSES),
)
def test_a_shift_of_the_score_changes_neither_loss_nor_gradient(scores, shift, common, pair_loss):
    s = torch.tensor(scores, dtype=torch.float64)
    y = torch.arange(len(scores)) % 2
    defense = defenses.create("differential", pair_loss=pair_loss)
    values, gradients = [], []
    # The canonical form of a binary score, and any other logits with the same differences.
    for z in (torch.stack([-s / 2, s / 2], 1), torch.stack([0 * s, s + shift], 1) + common):
        z.requires_grad_(True)
        _, terms = defense.loss(Given(), z, y, context := Context(wants_input_gradient=True))
        values.append(terms["differential"].item())
        (gradient,) = torch.autograd.grad(terms["differential"], context.clean(Given(), z)[0])
        gradients.append(gradient)
        assert gradient.sum().abs() < 1e-9
    assert math.isclose(*values, rel_tol=1e-9, abs_tol=1e-9)
    assert torch.allclose(*gradients, atol=1e-9)


@pytest.mark.parametrize("pair_loss", PAIR_LOSSES)
@pytest.mark.parametrize("label", [0, 1])
def test_a_batch_of_one_class_is_a_zero_with_zero_gradients(tiny, pair_loss, label):
    net, x, y = tiny
    loss, _ = defenses.create("differential", pair_loss=pair_loss).loss(
        net, x, torch.full_like(y, label), Context()
    )
    assert loss.item() == 0
    loss.backward()
    assert all((weight.grad == 0).all() for weight in net.parameters())


@pytest.mark.parametrize("pair_loss", PAIR_LOSSES)
def test_huge_scores_give_no_nan(pair_loss):
    z = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [1e4, -1e4]])
    defense = defenses.create("differential", pair_loss=pair_loss)
    for y in ([0, 1, 0], [1, 0, 1]):
        loss, _ = defense.loss(Given(), z, torch.tensor(y), Context())
        assert torch.isfinite(loss)


def test_only_the_logistic_loss_keeps_falling_when_the_features_grow():
    s = torch.linspace(-1, 1, 6, dtype=torch.float64)
    y = (s > 0).long()

    def losses(pair_loss):
        defense = defenses.create("differential", pair_loss=pair_loss)
        return [
            defense.loss(Given(), torch.stack([-k * s / 2, k * s / 2], 1), y, Context())[0].item()
            for k in (0.1, 1, 10, 100)
        ]

    logistic, squared = losses("logistic"), losses("squared")
    assert logistic == sorted(logistic, reverse=True)
    assert logistic[-1] < 1e-15
    assert squared.index(min(squared)) == 1
    assert squared[-1] > 1000


@pytest.mark.parametrize("outputs", [1, 3, 10])
def test_a_network_that_is_not_binary_is_refused(tiny, outputs):
    _, x, y = tiny
    net = linear_head(outputs)
    defense = defenses.create("differential")
    with pytest.raises(UsageError, match=rf"two classes, the network has {outputs} output"):
        defense.loss(net, x.float(), y, Context())
    with pytest.raises(UsageError, match=rf"two classes, the network has {outputs} output"):
        defense.finalize(net, corner(two_classes()).train)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (nn.Sequential(linear_head(), nn.Softplus()), NO_HEAD),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), NO_HEAD),
        (Scaled(linear_head(), 3.0), NO_HEAD),
        (linear_head(bias=False), "bias=True"),
    ],
)
def test_a_network_without_a_bias_to_set_is_refused_before_training(net, said):
    weights = [weight.clone() for weight in net.parameters()]
    data, schedule = corner(two_classes()), TrainingConfig(steps=1)
    for names in (["differential"], ["differential", "gradient_penalty"]):
        with pytest.raises(UsageError, match=said):
            train(net, defenses.combine(names), data, schedule, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(weights, net.parameters(), strict=True))


def test_a_margin_without_effect_is_refused():
    with pytest.raises(UsageError, match=r"margin = 2: .*logistic pair loss has no margin"):
        defenses.create("differential", pair_loss="logistic", margin=2)
    with pytest.raises(UsageError, match="one objective plus penalties"):
        defenses.combine(["differential", "adversarial_training"])


def two_classes() -> Data:
    """A bright left half or a bright right half of a 12x12 picture; bright pixels are rare."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count, dtype=np.int64) % 2
        pixels = rng.integers(0, 60, (count, 1, 12, 12)).astype(np.uint8)
        for image, label in zip(pixels, labels, strict=True):
            image[0, :, 6 * label : 6 * label + 6] += 60
        return Split(pixels, labels)

    return Data(split(80), split(20), split(20), ("left", "right"))


def corner(data: Data) -> Data:
    """The same with 3x3 pictures, which `linear_head` takes."""
    parts = (data.train, data.valid, data.test)
    return Data(*(Split(p.pixels[:, :, :3, :3], p.labels) for p in parts), data.class_names)


def binary_cnn(seed=0):
    return models.create("small_cnn", channels=(4, 4), hidden=8).build((1, 12, 12), 2, seed=seed)


def scores(net, split):
    z = logits(net, split.images).double()
    return z[:, 1] - z[:, 0]


@pytest.mark.parametrize("seed", range(3))
def test_finalize_puts_the_boundary_midway_and_leaves_score_differences(seed):
    net, split = binary_cnn(seed), two_classes().train
    with torch.no_grad():
        net.logits.bias += torch.tensor([3.0, -4.0])
    net.train()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    before = scores(net, split)
    defenses.create("differential").finalize(net, split)
    after, positive = scores(net, split), torch.from_numpy(split.labels) == 1
    assert after[positive].min().item() == pytest.approx(-after[~positive].max().item(), abs=1e-5)
    expected = -(before[positive].min() + before[~positive].max()) / 2
    assert torch.allclose(after - before, expected.expand_as(before), atol=1e-5)
    change = (net.logits.bias - state["logits.bias"]).double()
    assert torch.allclose(change, torch.stack([-expected / 2, expected / 2]), atol=1e-6)
    assert net.training
    same = {k for k, v in net.state_dict().items() if torch.equal(v, state[k])}
    assert set(state) - same == {"logits.bias"}


def test_finalize_needs_both_classes():
    split = two_classes().train
    with pytest.raises(UsageError, match="one class only"):
        defenses.create("differential").finalize(
            binary_cnn(), Split(split.pixels, np.ones_like(split.labels))
        )


@pytest.mark.parametrize("pair_loss", PAIR_LOSSES)
@pytest.mark.parametrize("penalised", [False, True])
def test_training_ends_with_the_bias_set(pair_loss, penalised):
    net, data = binary_cnn(), two_classes()
    configs = [{"name": "differential", "pair_loss": pair_loss}]
    configs += [{"name": "gradient_penalty", "strength": 0.1}] * penalised
    config = TrainingConfig(steps=60, batch_size=16, lr=5e-3, report_every=1)
    curve = train(net, defenses.combine(configs), data, config, seed=0)
    assert curve[-1]["terms"]["differential"] < curve[0]["terms"]["differential"]
    s, positive = scores(net, data.train), torch.from_numpy(data.train.labels) == 1
    assert s[positive].min().item() == pytest.approx(-s[~positive].max().item(), abs=1e-5)
    assert accuracy(net, data.test) == 1
    assert not net.training
