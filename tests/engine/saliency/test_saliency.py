"""Maps are signed gradients of the stated quantity, and the network is left as found."""

import numpy as np
import pytest
import torch
from networks import small_cnn

from engine import saliency
from engine.saliency import Target


@pytest.mark.parametrize("of", ["sum_log_probabilities", "log_probability"])
def test_the_input_gradient_is_autograds(of):
    net = small_cnn().train()
    images = np.random.default_rng(0).random((300, 1, 12, 12), dtype=np.float32)
    labels = np.arange(300, dtype=np.int64) % 4
    method = saliency.create("input_gradient", of=of)
    maps = method.attribute(net, images, Target(labels)).maps
    assert net.training
    x = torch.from_numpy(images).requires_grad_(True)
    log_p = net.eval()(x).log_softmax(1)
    scalar = log_p.sum() if of == "sum_log_probabilities" else log_p[range(300), labels].sum()
    (expected,) = torch.autograd.grad(scalar, x)
    assert np.allclose(maps, expected.numpy(), atol=1e-6)
    assert (maps < 0).any()
    assert "gradient" in method.quantity("the logit of the true label")
