"""Gradient norms against an explicit computation; what is exactly zero stays so."""

import numpy as np
import pytest
import torch
from networks import Scaled, small_cnn

from engine.networks.inference import FEW_CLASSES, gradient_norms
from engine.networks.memory import Memory

LABELS = np.arange(7) % 4


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
    found = gradient_norms(net, x, LABELS)
    assert found.shape == (7, 4)
    exact = net.double().eval()
    for n in range(len(x)):
        for k in range(4):
            one = torch.from_numpy(x[n : n + 1]).double().requires_grad_(True)
            z = exact(one)[0]
            (torch.logsumexp(z, 0) - z[k]).backward()
            assert found[n, k] == pytest.approx(float(one.grad.square().sum().sqrt()), rel=1e-4)


def test_they_do_not_depend_on_the_batch():
    net, x = warm(), images()
    together = gradient_norms(net, x, LABELS)
    with Memory(None, largest=2).applied():
        np.testing.assert_allclose(gradient_norms(net, x, LABELS), together, rtol=1e-4)


def test_of_many_classes_a_few_are_measured_and_the_rest_is_absent():
    """A thousand classes would be a thousand backward passes."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 53)).eval()
    passes = []
    net.register_full_backward_hook(lambda *_: passes.append(1))
    x, labels = images(), np.array([0, 52, 7, 7, 20, 51, 1])
    found = gradient_norms(net, x, labels)
    known = np.isfinite(found)
    assert (known.sum(1) == FEW_CLASSES).all()
    assert len(passes) == FEW_CLASSES
    rows = np.arange(len(x))
    z = net(torch.from_numpy(x)).detach().numpy()
    z[rows, labels] = -np.inf
    assert known[rows, labels].all()
    assert known[rows, z.argmax(1)].all(), "the answer, or the second choice behind the label"
    for n, k in zip(*np.nonzero(known), strict=True):
        one = torch.from_numpy(x[n : n + 1]).requires_grad_(True)
        net(one).log_softmax(1)[0, k].backward()
        assert found[n, k] == pytest.approx(float(one.grad.norm()), rel=1e-4)
    # The others are spread over all classes.
    gaps = [
        np.diff(np.sort((np.flatnonzero(row) - y) % 53))
        for row, y in zip(known, labels, strict=True)
    ]
    assert max(map(max, gaps)) <= 2 * 53 // FEW_CLASSES + 1


def test_a_masked_model_has_exact_zeros_where_it_is_certain():
    net, x = warm().eval(), images()
    predicted = net(torch.from_numpy(x)).argmax(1).numpy()
    found = gradient_norms(Scaled(net, 1e5), x, LABELS)
    rows = np.arange(len(x))
    assert (found[rows, predicted] == 0).all()
    others = found[predicted[:, None] != np.arange(4)]
    assert (others > 0).all()
    assert np.isfinite(found).all()


def test_tiny_gradients_are_not_rounded_to_zero():
    # 1e-30 is a float32; its square is not.
    found = gradient_norms(Scaled(warm(), 1e-30), images(), LABELS)
    assert (found > 0).all()
    assert found.max() < 1e-27


def test_the_network_is_left_as_found():
    net = warm()
    net.norm2.eval()
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    gradient_norms(net, images(), LABELS)
    assert [m.training for m in net] == [m is not net.norm2 for m in net]
    assert all(w.requires_grad and w.grad is None for w in net.parameters())
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())
