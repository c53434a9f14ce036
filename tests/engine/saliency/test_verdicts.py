"""What each method says of each kind of network: the table that docs/saliency.md shows.

It is written from what the methods are; each entry is what is right, whatever the code does.
"""

import numpy as np
import pytest
import torch
from fit_networks import CASES
from fit_table import DOCUMENT, PARAMS, documented, judged, table, verdict
from torch import nn
from torch.nn import functional as F

from engine import saliency
from engine.saliency import Target

FITS = ("fits", set())


def refused(*codes):
    return "refused", set(codes)


EVERYWHERE = dict.fromkeys(CASES, FITS)
GUIDED = {
    **EVERYWHERE,
    "tutorial": refused("no_relu_modules"),
    "vit": refused("no_relu_modules"),
    "smooth": refused("no_relu_modules"),
}
VERDICTS = {
    # A gradient is a gradient, whatever the network is made of.
    "input_gradient": EVERYWHERE,
    "input_x_gradient": EVERYWHERE,
    "integrated_gradients": EVERYWHERE,
    "smooth_grad": EVERYWHERE,
    "gradient_shap": EVERYWHERE,
    # Its rule is one of ReLU modules. One that is used again has the rule each time.
    "guided_backprop": GUIDED,
    # A rule for each operation that bends: as modules alone, and for those that there are.
    "deep_lift": {
        **EVERYWHERE,
        "tutorial": refused("functional_relus"),
        "vit": refused("functional_relus"),
        "averaged": refused("averaged_draws"),
    },
    # Relevance goes through ReLU and max-pooling unchanged, be they modules or not.
    "lrp": {
        **EVERYWHERE,
        "vit": refused("unsupported_operations"),
        "smooth": refused("unsupported_operations"),
        "averaged": refused("averaged_draws"),
    },
    # With the layer named; of tokens with the grid that they lie on.
    "grad_cam": EVERYWHERE,
    "guided_grad_cam": GUIDED,
    # They ask the network and do not look into it.
    "occlusion": EVERYWHERE,
    "rise": EVERYWHERE,
    # Null maps, which are of the image or of a network like this one.
    "edges": EVERYWHERE,
    "same_spectrum": EVERYWHERE,
    "randomised_weights": EVERYWHERE,
}
EXISTING = [name for name in VERDICTS if name in saliency.registry.names()]
IMAGES = np.random.default_rng(1).random((3, 3, 8, 8), dtype=np.float32)


def close(found, expected):
    """Say whether maps are equal up to rounding, however small they are."""
    return expected.any() and np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def codes(fit):
    return fit.verdict, {reason.code for reason in fit.reasons}


def test_every_method_has_its_row():
    assert set(saliency.registry.names()) <= set(VERDICTS)


@pytest.mark.parametrize("method", EXISTING)
@pytest.mark.parametrize("network", CASES)
def test_the_verdict_is_right(network, method):
    assert codes(judged(network, method)) == VERDICTS[method][network]


@pytest.mark.parametrize(
    ("network", "params", "code"),
    [
        ("vit", {}, "no_cam_layer"),
        ("residual", {}, "no_cam_layer"),
        ("residual", {"layer": "nowhere"}, "no_cam_layer"),
        ("vit", {"layer": "enc.layers.0.norm1"}, "no_map"),
        ("vit", {"layer": "enc.layers.0.norm1", "reshape": "tokens"}, "no_map"),
        ("residual", {"layer": "relu"}, "no_map"),
        ("plain", {"layer": "n.7"}, "no_map"),
    ]
    if "grad_cam" in EXISTING
    else [],
)
def test_grad_cam_without_a_layer_that_is_a_map_is_refused(network, params, code):
    assert codes(verdict(network, "grad_cam", **params)) == refused(code)


@pytest.mark.parametrize(
    "null", [n for n in ("same_spectrum", "randomised_weights") if n in EXISTING]
)
def test_null_maps_are_refused_where_their_method_is(null):
    found = verdict("vit", null, of={"name": "guided_backprop"})
    assert codes(found) == refused("no_relu_modules")


class Guided(torch.autograd.Function):
    """A rectifier with guided backprop's rule, written out."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, outward):
        return outward.clamp(min=0) * (ctx.saved_tensors[0] > 0)


@pytest.mark.parametrize(
    "network",
    [
        name
        for name, right in GUIDED.items()
        if right == FITS and name != "averaged" and "guided_backprop" in EXISTING
    ],
)
def test_guided_maps_are_right_wherever_they_are_said_to_fit(network, monkeypatch):
    target = Target(np.array([0, 1, 2]))
    found = {
        name: saliency.create(name, **PARAMS.get(name, {}), **layer).attribute(
            CASES[network].network(), IMAGES, target
        )
        for name, layer in {
            "guided_backprop": {},
            "grad_cam": CASES[network].layer,
            "guided_grad_cam": CASES[network].layer,
        }.items()
        if name in EXISTING
    }
    monkeypatch.setattr(F, "relu", lambda x, inplace=False: Guided.apply(x))
    x = torch.from_numpy(IMAGES).requires_grad_(True)
    logits = CASES[network].network()(x)
    expected = torch.autograd.grad(logits[range(3), [0, 1, 2]].sum(), x)[0].numpy()
    assert close(found["guided_backprop"].maps, expected)
    if "guided_grad_cam" in found:
        cam = saliency.upsampled(found["grad_cam"].maps.clip(0), (8, 8), "bilinear")
        assert close(found["guided_grad_cam"].maps, expected * cam)


class Unrolled(nn.Module):
    """The residual network with a ReLU module of its own for each use."""

    def __init__(self, net) -> None:
        super().__init__()
        self.net, self.relu1, self.relu2 = net, nn.ReLU(), nn.ReLU()

    def forward(self, x):
        net = self.net
        x = self.relu1(net.bn(net.stem((x - net.mean) / net.std)))
        x = self.relu2(x + net.b1(net.c1(x)))
        return net.fc(F.adaptive_avg_pool2d(x, 2).flatten(1))


class Modular(nn.Module):
    """The tutorial's network with modules in place of functions."""

    def __init__(self, net) -> None:
        super().__init__()
        self.net = net
        self.n = nn.Sequential(
            net.conv1, nn.ReLU(), nn.MaxPool2d(2), net.conv2, nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), net.fc1, nn.ReLU(), net.fc2,
        )  # fmt: skip

    def forward(self, x):
        return self.n(x)


TWINS = {"residual": Unrolled, "tutorial": Modular}


@pytest.mark.parametrize(
    ("network", "method"),
    [
        (network, method)
        for network in TWINS
        for method in ("deep_lift", "lrp", "guided_backprop", "input_gradient")
        if method in EXISTING and VERDICTS[method][network] == FITS
    ],
)
def test_maps_are_those_of_the_same_network_in_modules(network, method):
    """Where a method is said to fit, how the network is written makes no difference."""
    net, explains = CASES[network].network(), saliency.create(method)
    given = {"baseline": np.zeros_like(IMAGES)} if explains.uses_baseline else {}
    target = Target(np.array([0, 1, 2]))
    own, same = (
        explains.attribute(n, IMAGES, target, **given).maps for n in (net, TWINS[network](net))
    )
    assert close(own, same)


def test_the_table_of_the_documentation_is_that_of_the_code():
    """`PYTHONPATH=. .venv/bin/python tests/support/fit_table.py --write` makes it."""
    shown = documented(DOCUMENT.read_text())
    for row in table().splitlines():
        assert row in shown
