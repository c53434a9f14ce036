"""Whatever its layout, a network is saved, and loading gives the same network back."""

import pytest
import torch
from lab_networks import CLASSES, SHAPE, ChannelsLast, Masked, NaN, Normalised, Tied
from networks import small_cnn
from safetensors.torch import load, save
from torch import nn

from engine.errors import UsageError
from engine.networks import state
from engine.training.checkpoint import KEPT, Checkpoint


@pytest.mark.parametrize("make", [Tied, ChannelsLast, Normalised])
def test_loading_gives_the_same_network_back(make):
    torch.manual_seed(0)
    network = make().eval()
    other = make().eval()
    other.load_state_dict(load(save(state.separate(network.state_dict()))))
    x = torch.rand(3, *SHAPE)
    assert torch.equal(other(x), network(x))
    assert other(x).shape == (3, CLASSES)


def test_tied_weights_stay_tied():
    other = Tied()
    other.load_state_dict(load(save(state.separate(Tied().state_dict()))))
    assert other.c.weight is other.b.weight


def test_what_could_be_saved_has_the_bytes_that_it_had():
    tensors = small_cnn().state_dict()
    assert save(state.separate(tensors)) == save(tensors)


@pytest.mark.parametrize("make", [Tied, ChannelsLast])
def test_a_training_goes_on_from_its_checkpoint(make, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.training.checkpoint._INTERVAL_S", 0.0)
    torch.manual_seed(0)
    x, y = torch.rand(8, *SHAPE), torch.arange(8) % CLASSES

    def steps(network, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()

    network = make()
    optimizer = torch.optim.Adam(network.parameters())
    steps(network, optimizer, 2)
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(network, optimizer, 2, [])
    checkpoint.keep(network, 2)
    other = make()
    resumed = torch.optim.Adam(other.parameters())
    assert Checkpoint(tmp_path).load(other, resumed) == (2, [])
    steps(network, optimizer, 2)
    steps(other, resumed, 2)
    assert torch.equal(other.eval()(x), network.eval()(x))
    assert (tmp_path / KEPT.format(step=2)).exists()


def test_what_cannot_be_saved_is_named():
    network = small_cnn()
    state.require_savable(network, "n")
    network.register_buffer("phase", torch.zeros(2, dtype=torch.complex128))
    with pytest.raises(UsageError, match=r"n cannot be saved: phase .* of type torch.complex128"):
        state.require_savable(network, "n")


def test_the_first_broken_weight_is_named_and_a_mask_is_whole():
    assert state.not_finite(Masked()) is None
    assert state.not_finite(NaN()) == ("n.4.bias", "nan")
    network = small_cnn()
    network.norm2.running_mean[0] = -torch.inf
    assert state.not_finite(network) == ("norm2.running_mean", "-inf")
