"""On a GPU: what it computes is what the CPU computes, as far as rounding allows.

Skipped where there is none. Run by hand on a machine that has one:

    python -m pytest --noconftest tests/engine/test_cuda.py
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from networks import Own, small_cnn, warmed
from toy_data import toy_data

from engine import attacks, defenses, saliency
from engine.networks import features, inference
from engine.networks.stochastic import Expectation
from engine.training.checkpoint import Checkpoint
from engine.training.loop import TrainingConfig, accuracy, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

QUICK = {"minimum_norm": {"steps": 10}, "pgd": {"steps": 10, "restarts": 2}}
FIRST = {"name": "pgd", "steps": 10, "restarts": 2, "keep": "first_success"}


@pytest.fixture(scope="module", params=["small_cnn", "own"])
def network(request):
    inner = small_cnn() if request.param == "small_cnn" else Own()
    return warmed(inner, (1, 12, 12))


@pytest.fixture(scope="module")
def images():
    drawn = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (40, 1, 12, 12), generator=drawn) / 255
    return x, torch.arange(40) % 4


@pytest.mark.parametrize("config", [*attacks.registry.names(), FIRST], ids=str)
@pytest.mark.parametrize("prepare", [False, True])
def test_attacks_agree(config, prepare, network, images):
    x, y = images
    if isinstance(config, str):
        config = {"name": config, **QUICK.get(config, {})}
    attack = attacks.registry.from_config(config)
    if prepare:
        if not isinstance(attack, attacks.GradientAttack):
            pytest.skip("needs a CUDA device and an attack that prepares")
        attack = attacks.registry.from_config({**config, "prepare": True})
    expected = attack(network, x, y)
    there = copy.deepcopy(network).cuda()
    before = copy.deepcopy(there.state_dict())
    found = attack(there, x.cuda(), y.cuda())
    assert found.is_cuda
    assert all(torch.equal(before[k], v) for k, v in there.state_dict().items())
    # A gradient near zero may have the other sign, which sends an image another way.
    same = (found.cpu() - expected).abs().flatten(1).amax(1) < 1e-3
    assert same.float().mean() >= 0.8
    wrong = (inference.logits(network, expected.numpy()).argmax(1) != y).float().mean()
    wrong_there = (inference.logits(network, found.cpu().numpy()).argmax(1) != y).float().mean()
    assert abs(wrong - wrong_there) <= 0.1


def test_answers_gradients_features_and_maps_agree(network, images):
    x, y = (each.numpy() for each in images)
    there = copy.deepcopy(network).cuda()
    assert np.allclose(
        inference.logits(there, x).numpy(), inference.logits(network, x).numpy(), atol=1e-4
    )
    assert np.allclose(
        inference.gradient_norms(there, x, y), inference.gradient_norms(network, x, y), rtol=1e-3
    )
    for name in saliency.registry.names():
        method = saliency.create(name)
        baseline = np.zeros_like(x) if method.uses_baseline else None
        target, seeds = saliency.Target(y.astype(np.int64)), np.arange(len(x))
        if method.fit(network, x, target, seeds=seeds, baseline=baseline).verdict == "refused":
            continue
        found, expected = (
            method.attribute(net, x, target, baseline=baseline).maps for net in (there, network)
        )
        # A point on a path may lie beside a kink of the network, and pass it on one device only.
        apart, most = np.abs(found - expected), np.abs(expected).max()
        assert (apart > 1e-3 * most).mean() < 0.01, name
        assert apart.max() < 0.05 * most, name
    own = features.penultimate(network, x)
    assert np.allclose(features.penultimate(there, x), own, atol=1e-4)


def test_an_average_over_draws_is_one_function():
    class Noisy(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x + 0.1 * torch.randn_like(x))

    there = Expectation(Noisy(small_cnn()), 4).cuda().eval()
    x = torch.rand(5, 1, 12, 12).cuda()
    with torch.no_grad():
        assert torch.equal(there(x), there(x))
        assert torch.allclose(there(x)[2:3], there(x[2:3]), atol=1e-5)


DEFENSES = [
    {"name": "none"},
    {"name": "gradient_penalty", "strength": 0.1},
    {"name": "gradient_penalty", "strength": 0.1, "target": "uniform"},
    {"name": "adversarial_training", "eps": 0.1},
    {"name": "adversarial_training", "eps": 0.1, "steps": 3, "random_start": True},
]


def _trained(defense, device, folder=None, stop=None):
    network = small_cnn().to(device)

    def progress(event):
        if event["step"] == stop:
            raise KeyboardInterrupt

    config = TrainingConfig(steps=60, batch_size=16, lr=5e-3, report_every=20)
    kept = Checkpoint(folder) if folder else None
    made = defenses.registry.from_config(defense)
    train(network, made, toy_data(), config, seed=3, progress=progress, checkpoint=kept)
    return network


@pytest.mark.parametrize("defense", DEFENSES, ids=str)
def test_a_training_learns(defense):
    # Not the same weights: a device draws its own dropout.
    assert accuracy(_trained(defense, "cuda"), toy_data().test) >= 0.95


def test_a_killed_training_goes_on_where_it_was(tmp_path, monkeypatch):
    from engine.training import checkpoint

    monkeypatch.setattr(checkpoint, "_INTERVAL_S", 0.0)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    defense = {"name": "gradient_penalty", "strength": 0.1}
    whole, again = (_trained(defense, "cuda").state_dict() for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        _trained(defense, "cuda", tmp_path, stop=40)
    resumed = _trained(defense, "cuda", tmp_path).state_dict()

    def apart(one, other):
        return max(float((one[name] - other[name]).abs().max()) for name in one)

    # Kernels that add in any order make two whole trainings differ as well.
    assert apart(whole, resumed) <= 10 * apart(whole, again) + 1e-6
