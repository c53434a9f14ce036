"""The prepared copy is the network: for every architecture, and for what cannot be rewritten."""

import contextlib
import copy

import lab_networks
import pytest
import torch
from networks import Branching, Own, Scaled, small_cnn, warmed
from torch import nn
from torch.nn import functional as F

from engine import attacks, models
from engine.attacks import GradientAttack
from engine.errors import UsageError
from engine.networks import inference
from engine.networks.fast_copy import prepare
from engine.networks.spaces import Preprocessed

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
SMALL = {
    "small_cnn": {"channels": (8, 8), "hidden": 16},
    "paper_cnn": {"channels": (8, 8), "hidden": 16},
    "resnet18": {"width": 4},
    "external": {"module": "networks:Own"},
}
STEPS = {
    (1, 12, 12): {},
    (3, 16, 16): {"preprocessing": ["grey", "gcn"], "input_layers": ["lcn"]},
}
GRADIENT = [
    n for n in attacks.registry.names() if issubclass(attacks.registry.get(n), GradientAttack)
]


def images(shape, count=40):
    generator = torch.Generator().manual_seed(3)
    return torch.rand(count, *shape, generator=generator)


def build(name, shape):
    architecture = models.create(name, **SMALL.get(name, {}), **STEPS[shape])
    return warmed(architecture.build(shape, 4, seed=0), shape)


def logits_and_gradient(model, x):
    x = x.clone().requires_grad_(True)
    logits = model(x)
    label = torch.arange(len(x)) % logits.shape[1]
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, label, reduction="sum"), x)
    return logits.detach(), gradient


def same(made, model, x):
    (ours, our_gradient), (theirs, gradient) = (logits_and_gradient(m, x) for m in (made, model))
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()
    assert (our_gradient.sign() == gradient.sign()).float().mean() >= 0.999


@pytest.mark.parametrize("shape", STEPS, ids=str)
@pytest.mark.parametrize("name", models.registry.names())
def test_the_copy_is_the_network_and_leaves_it_alone(name, shape):
    network, x = build(name, shape), images(shape)
    network.train()
    modes = [module.training for module in network.modules()]
    before = copy.deepcopy(network.state_dict())
    made = prepare(network, x)
    assert modes == [module.training for module in network.modules()]
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(weight.requires_grad for weight in network.parameters())
    assert any(isinstance(module, NORMS) for module in network.modules())
    assert not any(isinstance(module, NORMS) for module in made.modules())
    assert not any(weight.requires_grad for weight in made.parameters())
    assert not made.training
    same(made, network.eval(), x)


@pytest.mark.parametrize("shape", STEPS, ids=str)
@pytest.mark.parametrize("name", models.registry.names())
def test_attacks_on_the_copy_succeed_as_often(name, shape):
    network, x = build(name, shape), images(shape, 200)
    with torch.no_grad():
        logits = network(x)
        last = next(m for m in reversed(list(network.modules())) if isinstance(m, nn.Linear))
        last.bias -= logits.mean(0)  # no class is far ahead
        y = network(x).argmax(1)
    for config in ({"name": "fgsm", "eps": 0.005}, {"name": "pgd", "eps": 0.005, "steps": 3}):
        made = {}
        for prepared in (False, True):
            attack = attacks.registry.from_config({**config, "prepare": prepared})
            x_adv = attack(network, x, y)
            assert x_adv.is_contiguous()
            with torch.no_grad():
                made[prepared] = (network(x_adv).argmax(1) != y).float().mean()
        assert abs(made[True] - made[False]) <= 0.01
        assert 0 < made[False] < 1


@pytest.mark.parametrize("name", GRADIENT)
def test_every_gradient_attack_works_on_a_copy(name):
    network, x = build("small_cnn", (3, 16, 16)), images((3, 16, 16), 4)
    y = torch.tensor([0, 1, 2, 3])
    for space in ("pixels", "model_input"):
        x_adv = attacks.create(name, prepare=True, space=space)(network, x, y)
        assert x_adv.shape == x.shape
        assert x_adv.is_contiguous()
        assert torch.isfinite(x_adv).all()
        assert x_adv.min() >= 0
        assert x_adv.max() <= 1
    assert attacks.create(name, prepare=True).config()["prepare"] is True


def test_behind_the_preprocessing_the_result_is_that_of_the_network():
    network, x = build("small_cnn", (3, 16, 16)), images((3, 16, 16), 20)
    y = torch.arange(20) % 4
    plain, quick = (
        attacks.create("fgsm", eps=0.1, space="model_input", prepare=prepared)(network, x, y)
        for prepared in (False, True)
    )
    assert not torch.equal(plain, x)
    assert ((plain - quick).abs() <= 1e-5).float().mean() >= 0.999
    assert isinstance(prepare(network, x), Preprocessed)


def test_pooling_comes_before_the_relu():
    made = prepare(warmed(small_cnn(), (1, 12, 12)), images((1, 12, 12)))
    kinds = [type(module) for module in made if not isinstance(module, nn.Identity)]
    assert kinds[:3] == [nn.Conv2d, nn.MaxPool2d, nn.ReLU]


class Twice(nn.Module):
    """One convolution with two norms, one norm behind two convolutions, a weight used bare."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(1, 3, 3, padding=1)
        self.two = nn.Conv2d(3, 3, 3, padding=1)
        self.bare = nn.Conv2d(3, 3, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(4))
        self.logits = nn.Linear(3, 4)

    def forward(self, x):
        once = self.one(x)
        x = self.norms[0](once) * self.norms[1](once)
        x = self.norms[2](self.two(x)) + self.norms[2](x)
        x = self.norms[3](self.bare(x)) + F.conv2d(x, self.bare.weight, padding=1)
        return self.logits(x.mean((2, 3)))


class Rows(nn.Module):
    """BatchNorm over the second of three dimensions, which is as long as the features."""

    def __init__(self, features=12):
        super().__init__()
        self.hidden, self.norm = nn.Linear(12, features), nn.BatchNorm1d(12)
        self.logits = nn.Linear(features, 4)

    def forward(self, x):
        return self.logits(self.norm(self.hidden(x[:, 0])).mean(1))


def fewer_features_than_rows():
    return Rows(5)


class Unscaled(nn.Module):
    """Layers without a bias, before norms without weights of their own."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm1 = nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3, affine=False)
        self.hidden, self.norm2 = nn.Linear(3, 6, bias=False), nn.BatchNorm1d(6, affine=False)
        self.logits = nn.Linear(6, 4)

    def forward(self, x):
        x = torch.tanh(self.norm1(self.conv(x))).mean((2, 3))
        return self.logits(self.norm2(self.hidden(x)))


class Looking(Own):
    """It reads what only a BatchNorm has."""

    def forward(self, x):
        return super().forward(x) + self.norm.running_mean.mean()


def hooked():
    network = small_cnn()
    network.conv1.register_forward_hook(lambda _module, _input, output: output.tanh())
    return network


def own_statistics():
    network = small_cnn()
    network.norm1 = nn.BatchNorm2d(4, track_running_stats=False)
    return network


@pytest.mark.parametrize(
    "make", [Branching, Twice, Rows, fewer_features_than_rows, Looking, hooked, own_statistics]
)
def test_what_cannot_be_folded_stays(make):
    network = make()
    x = images((1, 12, 12))
    warmed(network, (1, 12, 12))
    made = prepare(network, x)
    assert any(isinstance(module, NORMS) for module in made.modules())
    same(made, network, x)
    same(made, network, 1 - x / 2)


@pytest.mark.parametrize("make", [Unscaled, lambda: Scaled(Own(), 100)], ids=["plain", "wrapped"])
def test_norms_without_weights_and_wrapped_networks_are_folded(make):
    network = warmed(make(), (1, 12, 12))
    made = prepare(network, images((1, 12, 12)))
    assert not any(isinstance(module, NORMS) for module in made.modules())
    same(made, network, images((1, 12, 12)))


def test_a_copy_is_not_copied_again_and_a_changed_network_is():
    network, x = warmed(small_cnn(), (1, 12, 12)), images((1, 12, 12))
    made = prepare(network, x)
    assert prepare(made, x) is made
    with torch.no_grad():
        network.logits.bias += 1
    torch.testing.assert_close(prepare(network, x)(x), made(x) + 1, atol=1e-5, rtol=0)
    attack = attacks.create("fgsm", prepare=True)
    y = torch.zeros(40, dtype=torch.int64)
    assert torch.equal(attack(made, x, y), attacks.create("fgsm")(made, x, y))


def test_a_network_that_cannot_be_copied_is_refused_with_the_way_out():
    class Locked(Own):
        def __deepcopy__(self, _memo):
            raise RuntimeError("one of a kind")

    with pytest.raises(UsageError, match=r"Locked cannot be copied.*one of a kind.*prepare false"):
        prepare(Locked(), images((1, 12, 12)))


@pytest.mark.parametrize(
    "name", ["Tutorial", "ViewMinusOne", "ViewDataDependent", "FiveDimensions"]
)
def test_a_network_that_needs_its_own_layout_keeps_it(name):
    network, x = getattr(lab_networks, name)().eval(), images((3, 8, 8), 6)
    made = prepare(network, x.clone(memory_format=torch.channels_last))
    assert made is not network
    logits, gradient = logits_and_gradient(network, x)
    found, found_gradient = logits_and_gradient(made, x)
    assert torch.equal(found, logits)
    assert torch.equal(found_gradient, gradient)


def test_a_view_behind_convolutions_works_on_grey_images_too():
    network, x = lab_networks.Tutorial(channels=1).eval(), images((1, 8, 8), 6)
    same(prepare(network, x), network, x)


def test_the_callers_images_stay_as_they_are():
    x = images((3, 8, 8), 4)
    before, array = x.clone(), x.numpy().copy()
    for network in (lab_networks.InPlace().eval(), lab_networks.Minus().eval()):
        prepare(network, x)
        inference.logits(network, array)
        with contextlib.suppress(RuntimeError):
            attacks.create("pgd", eps=0.1, steps=2, label="predicted")(network, x, torch.arange(4))
    assert torch.equal(x, before)
    assert (array == before.numpy()).all()
