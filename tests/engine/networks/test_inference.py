"""Gradient norms against an explicit computation; what is exactly zero stays so."""

import numpy as np
import pytest
import torch
from networks import Scaled, small_cnn

from engine.networks import inference
from engine.networks.inference import gradient_norms


def images(count=7):
    return torch.rand(count, 1, 12, 12, generator=torch.Generator().manual_seed(1)).numpy()


def warm():
    """A network whose BatchNorm has statistics of its own."""
    net = small_cnn(seed=2).train()
    with torch.no_grad():
        net(torch.from_numpy(images(32)))
    return net


def test_they_are_those_of_the_cross_entropy_with_every_label():
    net, x = warm(), images()
    found = gradient_norms(net, x)
    assert found.shape == (7, 4)
    exact = net.double().eval()
    for n in range(len(x)):
        for k in range(4):
            one = torch.from_numpy(x[n : n + 1]).double().requires_grad_(True)
            z = exact(one)[0]
            (torch.logsumexp(z, 0) - z[k]).backward()
            assert found[n, k] == pytest.approx(float(one.grad.square().sum().sqrt()), rel=1e-4)


def test_they_do_not_depend_on_the_batch(monkeypatch):
    net, x = warm(), images()
    together = gradient_norms(net, x)
    monkeypatch.setattr(inference, "BATCH", 2)
    np.testing.assert_allclose(gradient_norms(net, x), together, rtol=1e-4)


def test_a_masked_model_has_exact_zeros_where_it_is_certain():
    net, x = warm().eval(), images()
    predicted = net(torch.from_numpy(x)).argmax(1).numpy()
    found = gradient_norms(Scaled(net, 1e5), x)
    rows = np.arange(len(x))
    assert (found[rows, predicted] == 0).all()
    others = found[predicted[:, None] != np.arange(4)]
    assert (others > 0).all()
    assert np.isfinite(found).all()


def test_tiny_gradients_are_not_rounded_to_zero():
    # 1e-30 is a float32; its square is not.
    found = gradient_norms(Scaled(warm(), 1e-30), images())
    assert (found > 0).all()
    assert found.max() < 1e-27


def test_the_network_is_left_as_found():
    net = warm()
    net.norm2.eval()
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    gradient_norms(net, images())
    assert [m.training for m in net] == [m is not net.norm2 for m in net]
    assert all(w.requires_grad and w.grad is None for w in net.parameters())
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())
