"""DeepLIFT and relevance propagation equal what is computed by hand, layer by layer in numpy."""

import numpy as np
import pytest
import torch
from captum.attr import LRP as CaptumsLRP
from captum.attr import DeepLift as CaptumsDeepLift
from networks import Branching, Own, warmed
from torch import nn
from torch.nn import functional as F

from engine import preprocessing, saliency
from engine.networks import structure
from engine.networks.spaces import Preprocessed
from engine.networks.stochastic import Expectation
from engine.saliency import Target

RANDOM = np.random.default_rng(2)
IMAGES = RANDOM.random((5, 1, 6, 6), dtype=np.float32)
BASELINE = RANDOM.random((5, 1, 6, 6), dtype=np.float32)
CLASSES = np.array([0, 1, 2, 0, 1])
AGAINST = (CLASSES + 1) % 3
ROWS = np.arange(5)


def maps(name, network, *, images=IMAGES, baseline=BASELINE, against=None, **params):
    method = saliency.create(name, **params)
    target = Target(CLASSES, against)
    return method.attribute(network, images, target, baseline=baseline)


def dense(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), *layers, nn.Linear(8, 3))
    return net.eval()


def weights(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    return layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()


def gap(network, against=None):
    with torch.no_grad():
        z = (network(torch.from_numpy(IMAGES)) - network(torch.from_numpy(BASELINE))).numpy()
    return z[ROWS, CLASSES] - (0 if against is None else z[ROWS, against])


def test_deep_lift_of_a_linear_network_is_weight_times_difference():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    weight, _ = weights(net[1])
    found = maps("deep_lift", net, against=AGAINST)
    expected = (weight[CLASSES] - weight[AGAINST]) * (IMAGES - BASELINE).reshape(5, 36)
    assert np.allclose(found.maps.reshape(5, 36), expected, atol=1e-6)
    assert (found.facts["delta"] < 1e-3).all()


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        (nn.ReLU(), lambda z: np.maximum(z, 0)),
        (nn.ReLU(inplace=True), lambda z: np.maximum(z, 0)),
        (nn.Sigmoid(), lambda z: 1 / (1 + np.exp(-z))),
    ],
)
def test_deep_lift_follows_the_rescale_rule(activation, function):
    net = dense(activation)
    (one, first), (two, _) = weights(net[1]), weights(net[3])
    hidden, other = (x.reshape(5, 36) @ one.T + first for x in (IMAGES, BASELINE))
    slope = (function(hidden) - function(other)) / (hidden - other)
    expected = (two[CLASSES] * slope) @ one * (IMAGES - BASELINE).reshape(5, 36)
    found = maps("deep_lift", net)
    assert np.allclose(found.maps.reshape(5, 36), expected, atol=1e-5)


class Pooled(nn.Module):
    """A convolution before pooling, called twice with one ReLU."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.one, self.two = (nn.Conv2d(c, 4, 3, padding=1) for c in (1, 4))
        self.relu, self.pool, self.last = nn.ReLU(), pool, nn.LazyLinear(3)
        self(torch.zeros(1, 1, 6, 6))

    def forward(self, x):
        x = self.pool(self.relu(self.one(x)))
        return self.last((x + self.relu(self.two(x))).flatten(1))


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2, ceil_mode=True, dilation=2)]
)
def test_deep_lift_adds_up_behind_pooling_with_windows_that_overlap(pool):
    net = Pooled(pool)
    found = maps("deep_lift", net, against=AGAINST)
    assert np.allclose(found.maps.sum((1, 2, 3)), gap(net, AGAINST), atol=1e-5)
    assert (found.facts["delta"] < 1e-3).all()


class Scaling(nn.Module):
    """Its ReLU is called on a constant, and then on what depends on the image."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.relu, self.scale = dense(), nn.ReLU(), nn.Parameter(torch.ones(3) * 2)

    def forward(self, x):
        return self.relu(self.scale) * self.relu(self.inner(x))


class Turning(nn.Module):
    """Calls its ReLU once more for images than for a black baseline."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.relu = dense(), nn.ReLU()

    def forward(self, x):
        z = self.relu(self.inner(x))
        return self.relu(z - 0.1) if x.any() else z


def test_deep_lift_tells_calls_on_constants_from_others():
    net = Scaling()
    found = maps("deep_lift", net)
    assert np.allclose(found.maps.sum((1, 2, 3)), gap(net), atol=1e-5)


def test_deep_lift_does_not_mistake_one_call_for_another():
    with pytest.raises(ValueError, match="ReLU is called less often for the baselines than"):
        maps("deep_lift", Turning(), baseline=np.zeros_like(IMAGES))


def test_deep_lift_of_pooling_gives_the_change_to_where_the_maxima_are():
    net = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 2, bias=False))
    net[2].weight.data = torch.tensor([[3.0], [1.0]])
    images = np.array([[[[0.9, 0.1], [0.2, 0.3]]], [[[0.1, 0.2], [0.3, 0.2]]]], np.float32)
    other = np.array([[[[0.2, 0.1], [0.2, 0.5]]], [[[0.8, 0.2], [0.3, 0.2]]]], np.float32)
    method = saliency.create("deep_lift")
    found = method.attribute(net, images, Target(np.array([0, 0])), baseline=other).maps
    # .5 rises to .9 where the image's maximum is; .8 falls to .3 where the baseline's was.
    assert np.allclose(found[0, 0], [[3 * 0.4, 0], [0, 0]], atol=1e-6)
    assert np.allclose(found[1, 0], [[3 * -0.5, 0], [0, 0]], atol=1e-6)


@pytest.mark.filterwarnings("ignore:Input Tensor 0", "ignore:Setting forward")
def test_deep_lift_is_captums_where_nothing_is_pooled():
    net = dense(nn.Tanh(), nn.Linear(8, 8), nn.ReLU())
    expected = CaptumsDeepLift(net).attribute(
        torch.from_numpy(IMAGES), torch.from_numpy(BASELINE), target=torch.from_numpy(CLASSES)
    )
    assert np.allclose(maps("deep_lift", net).maps, expected.detach().numpy(), atol=1e-6)


def test_deep_lift_of_an_image_near_its_baseline_is_the_gradients_limit():
    net = dense(nn.ReLU())
    same = maps("deep_lift", net, baseline=IMAGES)
    assert (same.maps == 0).all()
    assert (same.facts["delta"] == 0).all()


def relevance(net, epsilon):
    """Return R (5, 36) of a convolution, a ReLU and a dense layer, by matrices in float64."""
    convolution, last = net[0], net[3]
    _, bias = weights(convolution)
    # The convolution as a matrix: its answers to unit images.
    units = torch.eye(36).reshape(36, 1, 6, 6)
    matrix = F.conv2d(units, convolution.weight, padding=1).flatten(1).detach().double().numpy()
    dense_weight, dense_bias = weights(last)

    def stable(z):
        return z + epsilon * np.sqrt((z**2).mean()) * np.sign(z)

    found = np.zeros((5, 36))
    for n, image in enumerate(IMAGES.reshape(5, 36).astype(float)):
        outputs = image @ matrix + np.repeat(bias, 36)
        active = np.maximum(outputs, 0)
        logits = dense_weight @ active + dense_bias
        y = CLASSES[n]
        middle = active * dense_weight[y] * logits[y] / stable(logits)[y]
        found[n] = image * (matrix @ (middle / stable(outputs)))
    return found


def convolved() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)
    )


@pytest.mark.parametrize("epsilon", [1e-6, 0.1, 0.25, 2])
def test_relevance_follows_the_epsilon_rule(epsilon):
    net = convolved()
    found = maps("lrp", net, baseline=None, epsilon=epsilon).maps
    expected = relevance(net, epsilon)
    assert np.allclose(found.reshape(5, 36), expected, atol=1e-5 * np.abs(expected).max())


def test_a_layer_that_gives_nothing_hands_on_nothing():
    net = convolved()
    for weight in net.parameters():
        weight.data.zero_()
    assert (maps("lrp", net, baseline=None).maps == 0).all()


class Plain(nn.Module):
    """Captum's rules know no `nn.Flatten`."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.last = nn.Linear(36, 3)

    def forward(self, x):
        return self.last(self.layers(x).flatten(1))


@pytest.mark.filterwarnings("ignore:Input Tensor 0")
def test_relevance_is_captums_of_plain_layers_and_then_input_times_gradient():
    net = warmed(Plain(), (1, 6, 6))
    expected = CaptumsLRP(net).attribute(torch.from_numpy(IMAGES), target=torch.tensor(CLASSES))
    found = maps("lrp", net, baseline=None, epsilon=1e-9).maps
    near = 1e-4 * np.abs(found).max()
    assert np.allclose(found, expected.detach().numpy(), atol=near)
    product = maps("input_x_gradient", net, baseline=None).maps
    assert np.allclose(found, product, atol=near)
    assert not np.allclose(maps("lrp", net, baseline=None).maps, product, atol=100 * near)


def test_relevance_without_biases_adds_up_through_sums_and_modules_called_twice():
    net = Pooled(nn.MaxPool2d(2))
    for layer in (net.one, net.two, net.last):
        layer.bias.data.zero_()
    found = maps("lrp", net, baseline=None, epsilon=1e-7).maps.sum((1, 2, 3))
    logits = net(torch.from_numpy(IMAGES)).detach().numpy()[ROWS, CLASSES]
    assert np.allclose(found, logits, rtol=1e-3, atol=1e-4)


class Product(nn.Sequential):
    def forward(self, x):
        z = super().forward(x)
        return z * z.sigmoid()


def codes(name: str, network: nn.Module) -> list[str]:
    x = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    reasons = saliency.create(name).unfit(structure.of(network.eval(), x))
    assert all(reason.refuses for reason in reasons)
    return [reason.code for reason in reasons]


GCN = (preprocessing.create("gcn"),)


@pytest.mark.parametrize(
    ("network", "deep_lift", "lrp"),
    [
        (dense(nn.ReLU()), [], []),
        (Pooled(nn.MaxPool2d(2)), [], []),
        (Own(), ["functional_relus"], []),
        (Branching(), ["functional_relus"], []),
        (dense(nn.GELU()), [], ["unsupported_operations"]),
        (dense(nn.LayerNorm(8)), ["unsupported_operations"], ["unsupported_operations"]),
        (Product(dense()), ["unsupported_operations"], ["unsupported_operations"]),
        (Preprocessed((), (), dense(nn.ReLU())), [], []),
        (Preprocessed(GCN, (), dense()), ["unsupported_operations"], ["unsupported_operations"]),
        (Expectation(dense(nn.ReLU()), 2), ["averaged_draws"], ["averaged_draws"]),
    ],
)
def test_networks_with_operations_that_have_no_rule_are_refused(network, deep_lift, lrp):
    assert codes("deep_lift", network) == deep_lift
    assert codes("lrp", network) == lrp


def test_a_refusal_names_the_operations():
    x = torch.zeros(2, 1, 6, 6)
    (reason,) = saliency.create("lrp").unfit(structure.of(dense(nn.GELU(), nn.Softmax(1)), x))
    assert reason.says.endswith("has no rule: 1 Gelu, 1 Softmax")
