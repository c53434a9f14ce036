"""Spectrum, effective rank and margins of penultimate features against cases known by hand."""

import lab_networks
import numpy as np
import pytest
import torch
from lab_networks import colour_data
from networks import small_cnn

from engine.errors import PlausiblyError
from engine.networks import features
from engine.networks.inference import head, logits
from engine.networks.stochastic import Expectation


def test_penultimate_features_give_the_logits_and_leave_the_network_as_found():
    net = small_cnn().train()
    images = np.random.default_rng(0).random((300, 1, 12, 12), dtype=np.float32)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    phi = features.penultimate(net, images)
    assert phi.shape == (300, 8)
    assert net.training
    last = head(net, images)
    assert last is net.logits
    assert not last._forward_pre_hooks
    assert not last._forward_hooks
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    weight, bias = (w.detach().numpy() for w in (last.weight, last.bias))
    np.testing.assert_allclose(phi @ weight.T + bias, logits(net, images).numpy(), atol=1e-5)


def test_singular_values_are_the_roots_of_the_scatter_matrix_and_see_no_offset():
    phi = np.random.default_rng(0).normal(size=(40, 6)) @ np.diag([5, 3, 1, 0, 0, 0]) + 100
    centred = phi - phi.mean(0)
    expected = np.sqrt(np.maximum(np.linalg.eigvalsh(centred.T @ centred)[::-1], 0))
    np.testing.assert_allclose(features.singular_values(phi), expected, atol=1e-5)
    np.testing.assert_allclose(
        features.singular_values(phi), features.singular_values(phi - 70), atol=1e-9
    )


@pytest.mark.parametrize(
    ("values", "rank"),
    [([2, 2, 2], 3), ([5, 0, 0], 1), ([0, 0], 0), ([], 0), ([3, 1], 4 / 3**0.75)],
)
@pytest.mark.parametrize("scale", [1, 1e-300, 1e300])
def test_effective_rank(values, rank, scale):
    assert features.effective_rank(scale * np.array(values, dtype=float)) == pytest.approx(rank)


def test_margins_are_distances_to_the_nearest_boundary():
    # Boundaries of class 0: x = 1 against class 1, y = 2 against class 2.
    weight, bias = np.array([[0, 0], [3, 0], [0, 5]]), np.array([0, -3, -10])
    phi = np.array([[0, 0], [0.5, 1.9], [4, 0], [0, 0]])
    labels = np.array([0, 0, 1, 1])
    found = features.margins(phi, labels, weight, bias)
    # The third point is 3 from x = 1 and 19 / sqrt(34) from 3 x - 5 y + 7 = 0.
    np.testing.assert_allclose(found, [1, 0.1, 3, -1])


def test_margins_need_different_weights():
    with pytest.raises(PlausiblyError, match="equal weights"):
        features.margins(np.zeros((1, 2)), np.zeros(1, np.int64), np.ones((2, 2)), np.zeros(2))


def test_without_a_final_linear_layer_there_are_no_penultimate_features():
    images = colour_data().test.images
    for net, said in (
        (lab_networks.ConvolutionalHead(), "no linear layer .* whose output is its logits"),
        (lab_networks.Scaled(), "no linear layer"),
        (Expectation(lab_networks.Stochastic(), 3), "mean over 3 draws, which no single layer"),
    ):
        assert head(net, images) is None
        with pytest.raises(PlausiblyError, match=said):
            features.penultimate(net, images)


def test_the_head_is_found_by_what_it_gives_and_not_by_where_it_was_registered():
    net = lab_networks.DropoutLast()
    images = colour_data().test.images
    assert head(net, images) is net.fc2
    assert features.penultimate(net, images).shape == (len(images), 8)
