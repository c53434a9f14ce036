"""Grad-CAM is Captum's with its sign kept; it finds the layer that the model declares."""

import numpy as np
import pytest
import torch
from networks import small_cnn
from torch import nn

from engine import models, saliency
from engine.errors import UsageError
from engine.saliency import Target

IMAGES = np.random.default_rng(0).random((5, 1, 12, 12), dtype=np.float32)
TARGET = Target(np.arange(5, dtype=np.int64) % 4)


class Transformer(nn.Module):
    """A class token before 2x4 patches of an image of 8x16; answers follow from that token."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, 4)
        self.token = nn.Parameter(torch.ones(1, 1, 8))
        self.places = nn.Parameter(torch.randn(1, 9, 8))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation=gelu)
            for gelu in (nn.GELU(), nn.GELU())
        )
        self.norm = nn.LayerNorm(8)
        self.logits = nn.Linear(8, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        for block in self.blocks:
            x = block(x)
        return self.logits(self.norm(x)[:, 0])


class Reused(nn.Module):
    """One ReLU in place, used twice."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.logits = nn.Linear(6, 4)

    def forward(self, x):
        x = self.relu(self.second(self.relu(self.first(x))))
        return self.logits(x.mean((2, 3)))


class Noisy(Reused):
    """It draws when it answers."""

    def forward(self, x):
        return super().forward(x + torch.randn_like(x) / 4)


@pytest.fixture
def transformer():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Transformer().eval()


def fit(method, net, images=IMAGES, target=TARGET):
    seeds = np.arange(len(images))
    return method.fit(net, images, target, seeds=seeds, baseline=np.zeros_like(images))


@pytest.mark.parametrize("against", [None, np.arange(1, 6) % 4])
def test_grad_cam_is_captums_with_its_sign(against):
    from captum.attr import LayerGradCam

    net = small_cnn().eval()
    target = Target(TARGET.classes, against)
    found = saliency.create("grad_cam").attribute(net, IMAGES, target)

    def scalar(x):
        logits, rows = net(x), range(5)
        value = logits[rows, target.classes]
        return value if against is None else value - logits[rows, against]

    expected = LayerGradCam(scalar, net.relu2).attribute(torch.from_numpy(IMAGES))
    assert found.maps.shape == (5, 1, 6, 6)
    assert np.allclose(found.maps, expected.detach().numpy(), atol=1e-8)
    assert (found.maps < 0).any()
    assert (found.maps > 0).any()
    assert found.at((12, 12)).shape == (5, 1, 12, 12)
    assert not any(module._forward_hooks for module in net.modules())


def test_a_layer_before_one_that_writes_in_place_keeps_what_it_gave():
    net = Reused().eval()
    maps = saliency.create("grad_cam", layer="second").attribute(net, IMAGES, TARGET).maps
    before = net.second(net.first(torch.from_numpy(IMAGES)).relu()).detach().requires_grad_(True)
    logits = net.logits(before.relu().mean((2, 3)))
    (gradient,) = torch.autograd.grad(logits[range(5), TARGET.classes].sum(), before)
    expected = (gradient.mean((2, 3), keepdim=True) * before).sum(1, keepdim=True)
    assert np.allclose(maps, expected.detach().numpy(), atol=1e-7)


def test_tokens_become_a_grid_with_the_images_sides(transformer):
    images = np.random.default_rng(1).random((3, 1, 8, 16), dtype=np.float32)
    target = Target(np.array([0, 1, 2]))
    method = saliency.create("grad_cam", layer="blocks.1.norm1", reshape="tokens", skip=1)
    maps = method.attribute(transformer, images, target).maps
    kept = []
    handle = transformer.blocks[1].norm1.register_forward_hook(lambda *a: kept.append(a[2]))
    logits = transformer(torch.from_numpy(images).requires_grad_(True))
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[range(3), target.classes].sum(), kept[0])
    weights = gradient[:, 1:].mean(1, keepdim=True)
    expected = (weights * kept[0][:, 1:]).sum(2).view(3, 1, 2, 4)
    assert np.allclose(maps, expected.detach().numpy(), atol=1e-7)


@pytest.mark.parametrize(
    ("params", "code", "says"),
    [
        ({}, "no_cam_layer", "declares no layer.*cam: {layer: NAME}"),
        ({"layer": "block.1.norm1"}, "no_cam_layer", "similar ones are blocks.1.norm1"),
        ({"layer": "blocks.1.norm1"}, "no_map", "gives 2x9x8 .* write reshape: tokens"),
        ({"layer": "blocks.1.norm1", "skip": 1}, "no_map", "write reshape: tokens"),
        ({"layer": "blocks.1.norm1", "reshape": "tokens"}, "no_map", "9 are no grid .* 8x16"),
        ({"layer": "norm", "reshape": "tokens", "skip": 1}, "no_gradient", "the 1 skipped tokens"),
        ({"layer": "logits"}, "no_map", r"gives 2x4 of 2 images, which is not \(N, C, h, w\)"),
        ({"layer": "blocks.1.self_attn"}, "no_map", "gives no tensor"),
        ({"layer": "blocks"}, "no_map", "not called"),
    ],
)
def test_grad_cam_refuses_a_layer_that_has_no_map(params, code, says, transformer):
    images = np.random.default_rng(1).random((2, 1, 8, 16), dtype=np.float32)
    target = Target(np.array([0, 1]))
    found = fit(saliency.create("grad_cam", **params), transformer, images, target)
    assert (found.verdict, found.reasons[0].code) == ("refused", code)
    with pytest.raises(UsageError, match=says):
        saliency.create("grad_cam", **params).attribute(transformer, images, target)


def test_a_layer_that_is_used_twice_is_refused():
    assert (
        "called 2 times" in fit(saliency.create("grad_cam", layer="relu"), Reused()).reasons[0].says
    )


@pytest.mark.parametrize("steps", [{}, {"preprocessing": ["gcn"]}])
def test_names_of_layers_begin_in_the_network_whatever_wraps_it(steps):
    own = {"module": f"{__name__}:Noisy", "draws": 3, "cam": {"layer": "second"}}
    net = models.create("external", **own, **steps).build((1, 12, 12), 4, seed=0).eval()
    method = saliency.create("grad_cam")
    assert fit(method, net).verdict == "fits"
    maps = method.attribute(net, IMAGES, TARGET).maps
    assert maps.shape == (5, 1, 5, 5)
    alone = method.attribute(net, IMAGES[3:4], Target(TARGET.classes[3:4])).maps
    assert np.allclose(maps[3:4], alone, atol=1e-8)
    named = saliency.create("grad_cam", layer="second").attribute(net, IMAGES, TARGET).maps
    assert np.array_equal(maps, named)


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_guided_grad_cam_is_captums_with_bilinear_maps():
    from captum.attr import GuidedGradCam

    net = small_cnn().eval()
    maps = saliency.create("guided_grad_cam").attribute(net, IMAGES, TARGET).maps
    guided = GuidedGradCam(net, net.relu2)
    x, classes = torch.from_numpy(IMAGES).requires_grad_(), torch.from_numpy(TARGET.classes)
    expected = guided.attribute(x, classes, interpolate_mode="bilinear")
    assert np.allclose(maps, expected.detach().numpy(), rtol=1e-4, atol=1e-12)
    assert maps.any()


def test_guided_grad_cam_is_refused_where_rectifiers_cannot_be_reached(transformer):
    class Functional(Reused):
        def forward(self, x):
            return super().forward(torch.relu(x - 0.5))

    method = saliency.create("guided_grad_cam", layer="second")
    assert [each.code for each in fit(method, Functional()).reasons] == ["functional_relus"]
    images = np.zeros((2, 1, 8, 16), np.float32)
    refused = fit(method, transformer, images, Target(np.array([0, 1])))
    assert [each.code for each in refused.reasons] == ["no_relu_modules"]
