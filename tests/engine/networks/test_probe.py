"""Every network that people bring gets its verdict, in words, and is left as found."""

import lab_networks
import numpy as np
import pytest
import torch
from lab_networks import CLASSES, SHAPE, colour_data

from engine import models, preprocessing
from engine.datasets import Split
from engine.errors import UsageError
from engine.networks.probe import Probe, probe, some
from engine.networks.spaces import Preprocessed

GOOD = (
    "Tutorial", "ViewMinusOne", "ViewDataDependent", "ViewOfTheImage", "DropoutLast", "Plain",
    "ConvolutionalHead", "Scaled", "Double", "Tied", "ChannelsLast", "FiveDimensions", "Masked",
    "Normalised", "Transformer", "Rows", "Bicubic", "ReflectPad",
)  # fmt: skip
NOTED = {
    "LogSoftmax": "its outputs are log-probabilities",
    "Quantised": "exactly zero for 4 of 4 training images",
}
REFUSED = {
    "SoftmaxEnd": "gives probabilities: .* return the logits, without the softmax",
    "SoftmaxFunctional": "gives probabilities: .* return the logits",
    "Pair": "for N = .* it gave a tuple; return the tensor of logits alone",
    "OneLogit": r"it gave torch.float32 \(., 1\)$",
    "Lazy": "cannot take 2 images .* uninitialized parameter",
    "TwoConvolutional": r"it gave torch.float32 \(., 2\)$",
    "Half": r"it gave torch.float16 .*; return `logits.float\(\)`",
    "Dimensionless": r"for N = 1 it gave torch.float32 \(4,\); keep the axis of the images",
    "NoGradient": "no gradient of .* reaches the images; .* leave out torch.no_grad, detach",
    "Detached": "no gradient of .* reaches the images",
    "RootOfZero": "the input gradient of .* is not finite for 4 of 4 .* root or a norm of 0",
    "Stochastic": "is stochastic: asked twice, .* differ by .*`draws: 20`",
    "Grey": "is stochastic",
    "StochasticElsewhere": "is stochastic",
    "BatchDependent": "depends on the batch: an image alone gets logits that differ",
    "BatchStatistics": "depends on the batch: .* BatchNorm without running statistics",
    "InPlace": r"writes into the images .*`x = \(x - m\) / s`",
    "Minus": "writes into the images",
    "Counting": "changes asked when it is asked in evaluation mode; .*`if self.training:`",
    "RandomAttribute": "another network after it was saved and loaded: .*register_buffer",
    "NaN": "has a weight that is nan, in n.4.bias",
    "InfiniteStatistics": "has a weight that is inf, in f.1.running_var",
    "NaNLogits": "gives nan for 4 of 4 training images; look for a logarithm",
    "Complex": "cannot be saved: phase in its state dict is of layout torch.sparse_coo",
}


@pytest.fixture(scope="module")
def data():
    return colour_data()


def build(name, **options):
    architecture = models.create("external", module=f"lab_networks:{name}", **options)
    return architecture.build(SHAPE, CLASSES, seed=0)


def probed(name, data, **options) -> Probe:
    network = build(name, **options)

    def again():
        return models.create("external", module=f"lab_networks:{name}", **options).build(
            SHAPE, CLASSES, seed=1
        )

    return probe(network, some(data.train), CLASSES, name=f"lab_networks:{name}", again=again)


def test_every_network_has_a_verdict():
    every = {
        name
        for name, found in vars(lab_networks).items()
        if isinstance(found, type)
        and issubclass(found, torch.nn.Module)
        and found.__module__ == "lab_networks"
    }
    assert every == {*GOOD, *NOTED, *REFUSED}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_network_passes_without_a_word(name, data):
    found = probed(name, data)
    assert found.notes == ()
    assert (found.images, found.output, found.draws) == (4, "logits", 1)


@pytest.mark.parametrize("name", NOTED)
def test_what_people_should_know_is_noted(name, data):
    (note,) = probed(name, data).notes
    assert NOTED[name] in note


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_network_is_refused_with_the_remedy(name, data):
    with pytest.raises(UsageError, match=REFUSED[name]) as refused:
        probed(name, data)
    assert f"lab_networks:{name}" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "does not require grad" not in str(refused.value)


def test_of_one_logit_two_are_made(data):
    network = lab_networks.OneLogit()
    with pytest.raises(UsageError, match=r"one logit z .*`torch.cat\(\[0 \* z, z\], 1\)`"):
        probe(network, some(data.train), 2, name="n")


def test_behind_preprocessing_it_is_the_model_input_that_stays_as_it_is(data):
    class Centred(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = lab_networks.Plain()

        def forward(self, z):
            z -= z.mean()
            return self.inner(z.expand(-1, 3, -1, -1))

    network = Preprocessed([preprocessing.registry.create("grey")], [], Centred())
    with pytest.raises(UsageError, match="writes into the images"):
        probe(network, some(data.train), CLASSES, name="n")


def test_the_network_and_torchs_random_state_are_left_as_found(data):
    network = lab_networks.Normalised().train()
    network.b1.eval()
    network.fc.weight.requires_grad_(False)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    before = torch.random.get_rng_state()
    probe(network, some(data.train), CLASSES, name="n")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [m for m in network.modules() if not m.training] == [network.b1]
    assert not network.fc.weight.requires_grad
    assert all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("labels", "chosen"),
    [
        ([0, 0, 0, 1, 1, 2], [0, 1, 2, 0]),
        ([1, 0, 0], [0, 0, 1]),
        (list(range(10)), [0, 3, 6, 9]),
        ([2] * 9, [2, 2, 2, 2]),
    ],
)
def test_images_are_chosen_evenly_over_the_classes(labels, chosen):
    pixels = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    found = some(Split(pixels, np.array(labels)))
    assert sorted(found.labels) == sorted(chosen)
    assert len(np.unique(found.pixels)) == len(found)
