"""Every network that people bring gets its verdict, in words, and is left as found."""

import lab_networks
import pytest
import torch
from lab_networks import CLASSES, SHAPE, colour_data

from engine import models
from engine.errors import UsageError
from engine.networks.probe import Probe, probe, some

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
    "Half": r"it gave torch.float16 .*; return `logits.float\(\)`",
    "Dimensionless": r"for N = 1 it gave torch.float32 \(4,\); keep the axis of the images",
    "NoGradient": "no gradient of .* reaches the images; .* leave out torch.no_grad, detach",
    "Detached": "no gradient of .* reaches the images",
    "RootOfZero": "the input gradient of .* is not finite for 4 of 4 .* root or a norm of 0",
    "Stochastic": "is stochastic: asked twice, .* differ by .*`draws: 20`",
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
