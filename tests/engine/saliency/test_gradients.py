"""Gradient methods equal plain autograd, or what is written out by hand."""

import numpy as np
import pytest
import torch
from captum.attr import GuidedBackprop, Saliency
from guided import Reusing
from networks import small_cnn, warmed
from torch import nn
from torch.nn import functional as F

from engine import saliency
from engine.errors import UsageError
from engine.saliency import DELTA, Target

IMAGES = np.random.default_rng(1).random((6, 1, 12, 12), dtype=np.float32)
CLASSES = np.array([0, 1, 2, 3, 0, 1])
AGAINST = (CLASSES + 1) % 4
ROWS = range(6)
SEEDS = np.arange(6) + 3
X = torch.from_numpy(IMAGES)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return warmed(small_cnn(), (1, 12, 12))


def maps(name, network, *, against=None, baseline=None, seeds=SEEDS, **params):
    method = saliency.create(name, **params)
    return method.attribute(
        network, IMAGES, Target(CLASSES, against), seeds=seeds, baseline=baseline
    )


def plain(network, x, against=None):
    """Return the gradient of the logit, or difference of logits, at x (6, 1, 12, 12)."""
    x = x.clone().requires_grad_(True)
    logits = network(x)
    scalar = logits[ROWS, CLASSES]
    if against is not None:
        scalar = scalar - logits[ROWS, against]
    return torch.autograd.grad(scalar.sum(), x)[0]


SCALARS = {
    "sum_log_probabilities": lambda z, _: z.log_softmax(1).sum(1),
    "log_probability": lambda z, y: z.log_softmax(1)[ROWS, y],
    "cross_entropy": lambda z, y: F.cross_entropy(z, torch.from_numpy(y), reduction="none"),
    "logit": lambda z, y: z[ROWS, y],
}


@pytest.mark.parametrize("of", SCALARS)
@pytest.mark.parametrize("against", [None, AGAINST])
def test_input_gradients_are_those_of_the_scalar(net, of, against):
    x = X.clone().requires_grad_(True)
    logits = net(x)
    scalar = SCALARS[of](logits, CLASSES)
    if against is not None and of != "sum_log_probabilities":
        scalar = scalar - SCALARS[of](logits, against)
    (expected,) = torch.autograd.grad(scalar.sum(), x)
    found = maps("input_gradient", net, of=of, against=against).maps
    assert np.allclose(found, expected.numpy(), atol=1e-6)


def test_the_papers_input_gradient_has_the_bits_that_captum_gives_it(net):
    x = X.clone().requires_grad_(True)
    expected = Saliency(lambda x: net(x).log_softmax(1).sum(1)).attribute(x, abs=False)
    assert np.array_equal(maps("input_gradient", net).maps, expected.numpy())
    assert saliency.create("input_gradient").version == 1


def test_legends_of_input_gradients_read_the_sign_of_their_scalar():
    def legend(of, explained):
        return saliency.create("input_gradient", of=of).quantity(explained)

    one, two = "the logit of the true label", "the logit of the model's answer minus that of 3"
    assert "speaks for y" in legend("log_probability", one)
    assert "for y and against z" in legend("log_probability", two)
    assert "y is the model's answer and z is 3:" in legend("cross_entropy", two)
    assert "speaks against y" in legend("cross_entropy", one)
    assert "against y and for z" in legend("cross_entropy", two)
    assert f"gradient of {two}: " in legend("logit", two)


@pytest.mark.parametrize("against", [None, AGAINST])
def test_input_times_gradient(net, against):
    expected = X * plain(net, X, against)
    found = maps("input_x_gradient", net, against=against).maps
    assert np.allclose(found, expected.numpy(), atol=1e-6)


def test_integrated_gradients_are_the_mean_gradient_on_the_way(net):
    baseline = np.full_like(IMAGES, 0.4)
    start, way = torch.from_numpy(baseline), X - torch.from_numpy(baseline)
    places = (torch.arange(150) + 0.5) / 150
    expected = way * sum(plain(net, start + place * way) for place in places) / 150
    found = maps("integrated_gradients", net, baseline=baseline, steps=150)
    assert np.allclose(found.maps, expected.numpy(), atol=0.02 * expected.abs().max())
    logits = (net(X) - net(start)).detach().numpy()[ROWS, CLASSES]
    off = np.abs(found.maps.sum((1, 2, 3), np.float64) - logits) / np.abs(logits)
    assert np.allclose(found.facts["delta"], off, atol=1e-4)


class Steep(nn.Module):
    """Logit 0 steps up between brightness .63 and .64, logit 1 is linear, the rest is 0."""

    def forward(self, x):
        mean = x.flatten(1).mean(1)
        step = (100 * (mean - 0.63)).clamp(0, 1)
        return torch.stack([step, mean, mean * 0, mean * 0], 1)


def test_only_images_whose_map_does_not_add_up_get_more_steps():
    method = saliency.create("integrated_gradients", steps=10, most_steps=300)
    images = np.ones((4, 1, 12, 12), np.float32)
    images[3] = 0
    target, black = Target(np.array([0, 1, 0, 0])), np.zeros_like(images)
    found = method.attribute(Steep(), images, target, baseline=black)
    delta, steps = found.facts["delta"], found.facts["steps"]
    assert steps[1] == 10
    assert delta[1] < 1e-4
    assert steps[0] in {80, 160, 300}
    assert steps[0] == steps[2]
    assert delta[0] <= DELTA
    assert (delta[3], steps[3]) == (0, 10), "an image that is its baseline adds up"
    few = saliency.create("integrated_gradients", steps=10, most_steps=20)
    off = few.attribute(Steep(), images, target, baseline=black).facts
    assert off["delta"][0] > DELTA
    assert off["steps"][0] in {10, 20}


def test_most_steps_are_no_fewer_than_steps():
    with pytest.raises(UsageError, match="most_steps = 20 is below steps = 50"):
        saliency.create("integrated_gradients", steps=50, most_steps=20)


def test_smooth_grad_is_the_mean_over_each_images_own_noise(net):
    generators = [torch.Generator().manual_seed(int(seed)) for seed in SEEDS]
    total = 0
    for _ in range(7):
        noise = torch.stack([torch.randn(1, 12, 12, generator=own) for own in generators])
        total = total + plain(net, X + 0.2 * noise)
    found = maps("smooth_grad", net, samples=7, sigma=0.2).maps
    assert np.allclose(found, (total / 7).numpy(), atol=1e-5)


def test_gradient_shap_is_the_mean_over_each_images_own_draws(net):
    generators = [torch.Generator().manual_seed(int(seed)) for seed in SEEDS]
    start, total = torch.full_like(X, 0.3), 0
    for _ in range(7):
        places = torch.stack([torch.rand(1, 1, 1, generator=own) for own in generators])
        noise = torch.stack([torch.randn(1, 12, 12, generator=own) for own in generators])
        way = X + 0.2 * noise - start
        total = total + way * plain(net, start + places * way)
    found = maps("gradient_shap", net, baseline=start.numpy(), samples=7, sigma=0.2).maps
    assert np.allclose(found, (total / 7).numpy(), atol=1e-5)


@pytest.mark.filterwarnings("ignore:Input Tensor 0", "ignore:Setting backward")
def test_guided_backpropagation_is_captums_where_that_is_right(net):
    expected = GuidedBackprop(net).attribute(X.clone(), target=torch.from_numpy(CLASSES))
    found = maps("guided_backprop", net).maps
    assert np.allclose(found, expected.numpy(), atol=1e-6)
    assert not np.allclose(found, plain(net, X).numpy(), atol=1e-3)


@pytest.mark.parametrize("inplace", [False, True])
def test_guided_backpropagation_of_a_reused_relu_is_that_of_a_network_written_so(inplace):
    written = Reusing(inplace, guided=True).eval()
    found = maps("guided_backprop", Reusing(inplace), against=AGAINST).maps
    assert np.allclose(found, plain(written, X, AGAINST).numpy(), atol=1e-5)


def _verdict(network: nn.Module) -> list[tuple[str, bool]]:
    guided = saliency.create("guided_backprop")
    fit = guided.fit(network, IMAGES, Target(CLASSES), seeds=SEEDS, baseline=None)
    return [(reason.code, reason.refuses) for reason in fit.reasons]


class Functional(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(144, 8), inner)
        self.last = nn.Linear(8, 4)

    def forward(self, x):
        return self.last(F.relu(self.layers(x)))


class Mixed(nn.Sequential):
    def __init__(self, *activations: nn.Module) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Flatten(), nn.Linear(144, 8), *activations, nn.Linear(8, 4))


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Mixed(nn.ReLU()), []),
        (Reusing(True), []),
        (Mixed(), [("no_relu_modules", True)]),
        (Mixed(nn.GELU()), [("no_relu_modules", True)]),
        (Mixed(nn.ReLU6()), [("no_relu_modules", True)]),
        (Functional(nn.Identity()), [("no_relu_modules", True)]),
        (Functional(nn.ReLU()), [("functional_relus", True)]),
        (Mixed(nn.SiLU(), nn.ReLU(), nn.ReLU6()), [("other_activations", False)]),
    ],
)
def test_guided_backpropagation_is_for_networks_whose_relus_are_modules(network, expected):
    assert _verdict(network) == expected
