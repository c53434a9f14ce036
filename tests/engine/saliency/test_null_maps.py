"""Null maps lack what they say they lack, and nothing else."""

import copy

import numpy as np
import pytest
import torch
from networks import small_cnn, warmed
from torch import nn

from engine import preprocessing, saliency
from engine.errors import UsageError
from engine.networks.spaces import Preprocessed
from engine.networks.stochastic import Expectation
from engine.saliency import Target, laplacian_of_gaussian
from engine.saliency._nulls import Null

IMAGES = np.random.default_rng(0).random((4, 1, 12, 12), dtype=np.float32)
TARGET = Target(np.arange(4, dtype=np.int64))
GRADIENT = {"name": "input_gradient", "of": "log_probability"}


def test_the_list_of_null_methods_has_them_all():
    made = {name: saliency.create(name) for name in saliency.registry.names()}
    nulls = {name for name, method in made.items() if isinstance(method, Null)}
    assert len(nulls) == 2
    assert {*nulls, "edges"} == saliency.NULL_METHODS <= set(made)


def x():
    return torch.from_numpy(IMAGES[:2])


def changed(before, after):
    pairs = zip(before.state_dict().items(), after.state_dict().items(), strict=True)
    return {name for (name, old), (_, new) in pairs if not torch.equal(old, new)}


def test_edges_know_nothing_of_the_model():
    method = saliency.create("edges")
    maps = method.attribute(small_cnn(), IMAGES, TARGET).maps
    assert np.array_equal(maps, laplacian_of_gaussian(IMAGES))
    assert not method.explains_a_class
    assert "knows nothing of the model" in method.quantity("")
    dot = np.zeros((1, 1, 20, 20), np.float32)
    dot[0, 0, 10, 10] = 1
    assert laplacian_of_gaussian(dot)[0, 0, 10, 10] < 0  # bright: below zero, as the legend says


@pytest.mark.parametrize("side", [11, 12])
def test_same_spectrum_keeps_amplitudes_and_mean_and_loses_places(side):
    images = np.random.default_rng(0).random((2, 3, side, 12), dtype=np.float32)
    target = Target(np.array([0, 1]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    own = saliency.registry.from_config(GRADIENT).attribute(net, images, target).maps
    method = saliency.create("same_spectrum", of=GRADIENT)
    maps, again, other = (
        method.attribute(net, images, target, seeds=np.array(seeds)).maps
        for seeds in ([3, 4], [3, 4], [4, 3])
    )
    spectra = np.fft.fft2(own), np.fft.fft2(maps)
    assert np.allclose(*map(np.abs, spectra), atol=1e-5 * np.abs(spectra[0]).max())
    assert np.allclose(own.mean((2, 3)), maps.mean((2, 3)), atol=1e-8)
    assert np.array_equal(maps, again)
    assert abs(np.corrcoef(own.ravel(), maps.ravel())[0, 1]) < 0.3
    assert np.abs(maps - other).max() > np.abs(maps).max() / 10
    # What channels have in common stays: their phases are shifted alike.
    between = [np.angle(each[:, 0] * each[:, 1].conj()) for each in spectra]
    large = np.abs(spectra[0]).min(1) > 1e-3 * np.abs(spectra[0]).max()
    assert large.any()
    assert np.allclose(np.exp(1j * between[0])[large], np.exp(1j * between[1])[large], atol=1e-3)


def test_a_null_map_has_the_resolution_of_its_method_and_names_it():
    net = small_cnn()
    for name in ("same_spectrum", "randomised_weights"):
        method = saliency.create(name, of={"name": "grad_cam"})
        found = method.attribute(net, IMAGES, TARGET)
        assert (found.maps.shape, found.upsampling) == ((4, 1, 6, 6), "bilinear")
        assert "Grad-CAM of the logit" in method.quantity("the logit")
        assert method.config()["of"] == saliency.create("grad_cam").config()
        assert (method.explains_a_class, method.uses_baseline) == (True, False)
        asks = saliency.create(name, of={"name": "rise", "masks": 9})
        assert (asks.uses_baseline, asks.work) == (True, "answers")
        assert asks.draws
        assert method.draws == (name == "same_spectrum")
        assert not method.complete
        with pytest.raises(UsageError, match="unknown saliency 'rice'"):
            saliency.create(name, of={"name": "rice"})


def test_a_null_map_is_made_anew_with_its_method(monkeypatch):
    monkeypatch.setattr(saliency.registry.get("rise"), "version", 3)
    inner = saliency.create("randomised_weights", of={"name": "rise"}).config()
    made = saliency.create("same_spectrum", of=inner)
    assert made.versions() == {"saliency": 1, "saliency.rise": 3}


def test_a_null_map_applies_where_its_method_does():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(400, 4))
    method = saliency.create("same_spectrum", of={"name": "guided_grad_cam", "layer": "0"})
    found = method.fit(net, IMAGES, TARGET, seeds=np.arange(4), baseline=None)
    assert [each.code for each in found.reasons] == ["no_relu_modules"]


def test_weights_are_randomised_from_the_logits_down():
    net = warmed(small_cnn(), (1, 12, 12))
    before = copy.deepcopy(net)
    layers = ["logits", "norm3", "hidden", "norm2", "conv2", "norm1", "conv1"]
    for count, layer in enumerate(layers):
        made = saliency.create("randomised_weights", down_to=layer).randomised(net, x())
        names = {f"{each}.{key}" for each in layers[: count + 1] for key in ("weight", "bias")}
        assert changed(net, made) == names
    assert changed(before, net) == set()
    everything = saliency.create("randomised_weights").randomised(net, x())
    assert changed(made, everything) == set()
    weight, drawn = net.hidden.weight, everything.hidden.weight
    assert abs(drawn.mean() - weight.mean()) < 4 * weight.std() / weight.numel() ** 0.5
    assert 0.9 < drawn.std() / weight.std() < 1.1
    other = saliency.create("randomised_weights", seed=1).randomised(net, x())
    assert changed(everything, other) == {
        f"{each}.{k}" for each in layers for k in ("weight", "bias")
    }


def test_the_map_is_that_of_the_randomised_network():
    net = small_cnn().train()
    before = copy.deepcopy(net)
    method = saliency.create("randomised_weights", of=GRADIENT, down_to="hidden")
    inner = saliency.registry.from_config(GRADIENT)
    maps = method.attribute(net, IMAGES, TARGET).maps
    made = method.randomised(net, x())
    assert np.array_equal(maps, inner.attribute(made, IMAGES, TARGET).maps)
    assert not np.allclose(maps, inner.attribute(net, IMAGES, TARGET).maps)
    nested = saliency.create("same_spectrum", of=method.config()).attribute(net, IMAGES, TARGET)
    amplitudes = [np.abs(np.fft.fft2(each)) for each in (nested.maps, maps)]
    assert np.allclose(*amplitudes, atol=1e-5 * amplitudes[0].max())
    assert changed(before, net) == set()
    assert all(module.training for module in net.modules())
    assert all(weight.requires_grad and weight.grad is None for weight in net.parameters())
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_layers_are_ordered_by_their_calls_within_wrappers_and_tied_weights_stay_tied():
    class Odd(nn.Module):
        """Registered from the top; a layer without a call of its own, tied to one with it."""

        def __init__(self):
            super().__init__()
            self.logits = nn.Linear(8, 4)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.second, self.first = nn.Conv2d(8, 8, 1), nn.Conv2d(1, 8, 4, 4)
            self.third = nn.Conv2d(8, 8, 1)
            self.third.weight = self.second.weight
            self.token = nn.Parameter(torch.ones(1, 1, 8))

        def forward(self, x):
            x = self.third(self.second(self.first(x))).flatten(2).transpose(1, 2)
            x = x + self.token * torch.rand(1)
            return self.logits(self.attention(x, x, x)[0].mean(1))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inner = Odd()
    inner.declared_cam = None
    net = Preprocessed([preprocessing.create("gcn")], [], Expectation(inner, 2)).eval()

    def drawn(down_to):
        made = saliency.create("randomised_weights", down_to=down_to).randomised(net, x())
        return {name.removeprefix("network.") for name in changed(net, made)}, made

    top = {"logits.weight", "logits.bias"}
    assert drawn("logits")[0] == top
    attention = {f"attention.{name}" for name in ("in_proj_weight", "out_proj.weight")}
    assert drawn("attention")[0] == top | attention  # their biases are all zero: nothing is known
    names, made = drawn("third")
    assert names == top | attention | {"third.weight", "third.bias", "second.weight"}
    assert made.network.network.third.weight is made.network.network.second.weight
    assert "token" not in drawn("first")[0]
    assert (
        saliency.create("randomised_weights")
        .fit(net, IMAGES, TARGET, seeds=np.arange(4), baseline=None)
        .verdict
        == "fits"
    )


@pytest.mark.parametrize(
    ("down_to", "says"),
    [("logit", "no layer 'logit'; similar ones are logits"), ("pool1", "'pool1' has no weights")],
)
def test_a_layer_that_cannot_be_randomised_is_refused(down_to, says):
    method = saliency.create("randomised_weights", down_to=down_to)
    found = method.fit(small_cnn(), IMAGES, TARGET, seeds=np.arange(4), baseline=None)
    assert [each.code for each in found.reasons] == ["no_such_layer"]
    assert says in found.reasons[0].says


def test_a_network_that_cannot_be_copied_is_refused():
    net = small_cnn()
    net.kept = (weight * 2 for weight in net.parameters())
    method = saliency.create("randomised_weights")
    found = method.fit(net, IMAGES, TARGET, seeds=np.arange(4), baseline=None)
    assert [each.code for each in found.reasons] == ["no_copy"]
