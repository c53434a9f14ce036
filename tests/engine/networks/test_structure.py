"""What a network is made of is seen as it answers, whatever way it computes it."""

import pytest
import torch
from fit_networks import CASES
from lab_networks import BatchStatistics, InPlace, StochasticElsewhere
from networks import Counted
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from engine import preprocessing
from engine.networks import structure
from engine.networks.spaces import Preprocessed
from engine.networks.stochastic import Expectation

X = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Rectified(nn.Module):
    """A convolution and a rectifier of one's own, then an own ReLU module."""

    def __init__(self, rectify) -> None:
        super().__init__()
        self.conv, self.relu, self.rectify = nn.Conv2d(3, 4, 3), nn.ReLU(), rectify
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        x = self.rectify(self.conv(x))
        return self.fc(self.relu(x - 0.1).mean((2, 3)))


class OwnReLU(nn.ReLU):
    """Somebody's class, which hooks by PyTorch's name do not find."""


class Unregistered:
    """Modules in a plain list are no part of the network."""

    def __init__(self) -> None:
        self.relus = [nn.ReLU()]

    def __call__(self, x):
        return self.relus[0](x)


@pytest.mark.parametrize(
    "rectify",
    [
        F.relu,
        torch.relu,
        F.relu_,
        lambda x: x.relu(),
        lambda x: x.relu_(),
        lambda x: x.clamp(min=0),
        lambda x: x.clamp_(min=0.0),
        lambda x: x.clamp_min(0),
        lambda x: torch.maximum(x, torch.zeros_like(x)),
        lambda x: F.threshold(x, 0, 0),
        lambda x: x.view(len(x), -1).relu_().view_as(x),
        lambda x: torch.cat([x[:, :2].relu_(), x[:, 2:]], 1),
        lambda x: nn.ReLU()(x),
        Unregistered(),
        OwnReLU(),
        torch.jit.script(nn.Sequential(nn.ReLU())),
        lambda x: checkpoint(F.relu, x, use_reentrant=False),
        lambda x: checkpoint(F.relu, x, use_reentrant=True),
    ],
)
def test_rectifiers_in_no_relu_module_are_counted(rectify):
    found = structure.of(Rectified(rectify), X)
    assert (found.relu_operations, found.functional_relus) == (2, 1)
    assert found.other_activations == {}
    assert found.named("ReLU") == ["relu"]


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (F.gelu, "gelu"),
        (F.silu, "silu"),
        (F.leaky_relu, "leaky_relu"),
        (F.elu, "elu"),
        (F.softplus, "softplus"),
        (F.hardswish, "hardswish"),
        (F.mish, "mish"),
        (torch.sigmoid, "sigmoid"),
        (torch.tanh_, "tanh"),
        (F.relu6, "hardtanh"),
        (nn.PReLU(), "prelu"),
        (torch.abs, "absolute"),
        (lambda x: x * (x > 0), "mask"),
        (lambda x: torch.where(x > 0, x, 0.1 * x), "mask"),
        (lambda x: torch.maximum(x, 0.1 * x), "maximum"),
        (lambda x: x.clamp(0, 6), "hardtanh"),
        (lambda x: F.scaled_dot_product_attention(x, x, x), "softmax"),
        (lambda x: nn.LSTM(36, 36, batch_first=True)(x.flatten(2))[0].view_as(x), "recurrent"),
    ],
)
def test_other_activations_have_names(other, name):
    found = structure.of(Rectified(other), X)
    assert set(found.other_activations) == {name}
    assert found.functional_relus == 0


@pytest.mark.parametrize(
    "linear",
    [lambda x: x, lambda x: x.clamp(min=-100.0), lambda x: F.avg_pool2d(x, 2), nn.Dropout(0.5)],
)
def test_what_is_no_activation_is_none(linear):
    found = structure.of(Rectified(linear), X)
    assert found.activations == {"relu": 1}
    assert found.functional_relus == 0


def test_modules_that_are_called_again_are_reused():
    assert structure.of(CASES["residual"].network(), X).reused == ["relu"]
    assert structure.of(CASES["residual"].network(), X).functional_relus == 0
    assert structure.of(CASES["tied"].network(), X).reused == ["relu"]

    class Twice(Rectified):
        def __init__(self) -> None:
            super().__init__(nn.Conv2d(4, 4, 1))

        def forward(self, x):
            x = self.rectify(self.rectify(self.conv(x)))
            return self.fc(self.relu(x).mean((2, 3)))

    assert structure.of(Twice(), X).reused == ["rectify"]


def test_a_network_in_others_is_not_reused():
    """A mean over draws asks image by image; steps and counters are called around it."""
    inner = CASES["plain"].network()
    asked = structure.of(Expectation(inner, 3), X)
    assert asked.reused == []
    assert asked.draws == 3
    assert asked.named("ReLU") == ["network.n.2", "network.n.5"]
    assert asked.functional_relus == 0
    steps = (preprocessing.create("grey"),)
    behind = structure.of(Preprocessed((), (), Counted(inner)), X)
    assert behind.reused == []
    assert behind.named("ReLU") == ["network.inner.n.2", "network.inner.n.5"]
    assert structure.of(Preprocessed(steps, (), Grey()), X).functional_relus == 0


class Grey(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.n = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4))

    def forward(self, x):
        return self.n(x)


def test_a_layer_with_a_parametrised_weight_is_one_module():
    net = CASES["plain"].network()
    nn.utils.parametrizations.weight_norm(net.n[4])
    found = structure.of(net, X)
    assert found.calls["n.4"] == 1
    assert not any("parametrizations" in name for name in found.calls)


def test_what_the_answer_does_not_depend_on_is_not_called():
    class Aside(Rectified):
        def forward(self, x):
            self.fc(self.relu(self.conv(x)).mean((2, 3)))
            return self.fc(F.relu(self.conv(x)).mean((2, 3)))

    found = structure.of(Aside(F.relu), X)
    assert found.named("ReLU") == []
    assert found.functional_relus == 1
    assert found.nonlinear == {"Relu": 1}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", {"Relu": 2, "MaxPool2DWithIndices": 1}),
        ("residual", {"Relu": 2}),
        ("tutorial", {"Relu": 3, "MaxPool2DWithIndices": 2}),
        ("smooth", {"Gelu": 1}),
    ],
)
def test_nonlinear_operations_are_those_of_the_gradient(name, expected):
    assert structure.of(CASES[name].network(), X).nonlinear == expected


def test_attention_is_nonlinear_however_it_is_computed():
    found = structure.of(CASES["vit"].network(), X)
    assert found.other_activations == {"softmax": 1}
    assert found.named("ReLU") == []
    assert "NativeLayerNorm" in found.nonlinear
    assert any("Attention" in name or name == "Softmax" for name in found.nonlinear)


@pytest.mark.parametrize("make", [InPlace, BatchStatistics, StochasticElsewhere])
def test_odd_networks_are_seen_and_left_as_found(make):
    net = make().train()
    for weight in net.parameters():
        weight.requires_grad_(False)
    x, state = X.clone(), torch.get_rng_state()
    assert structure.of(net, x).functional_relus == 0
    assert net.training
    assert torch.equal(x, X)
    assert torch.equal(state, torch.get_rng_state())
    assert not any(module._forward_hooks for module in net.modules())
    assert not any(weight.requires_grad for weight in net.parameters())


def test_hooks_go_also_where_the_network_fails():
    class Failing(Rectified):
        def forward(self, x):
            self.conv(x)
            raise RuntimeError("odd")

    net = Failing(F.relu)
    with pytest.raises(RuntimeError, match="odd"):
        structure.of(net, X)
    assert not any(module._forward_hooks for module in net.modules())
