"""Controls: as large as a real attack's perturbation, with its meaning taken away."""

import pytest
import torch
from networks import small_cnn, warmed

from engine import attacks

LIKE = {"name": "tgsm", "steps": 3}
CONTROLS = [n for n in attacks.registry.names() if attacks.registry.get(n).control]


def colour():
    """A network for colour images, and images in mid-range with their labels."""
    generator = torch.Generator().manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64, 4))
    x = 0.4 + 0.2 * torch.rand(5, 3, 8, 8, generator=generator)
    return network, x, torch.arange(5) % 4


def small(like=None):
    return {"like": like or {"name": "pgd", "norm": "l2", "eps": 0.5, "steps": 3}}


def size(delta):
    return delta.flatten(1).norm(dim=1)


def test_these_are_the_controls():
    assert CONTROLS == ["flipped", "permuted", "random_sign"]


@pytest.mark.parametrize("name", CONTROLS)
def test_it_has_the_norm_of_the_attack_it_is_like_after_clipping(name):
    network = warmed(small_cnn(), (1, 12, 12))
    x = torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(1)).round(decimals=1)
    y = torch.tensor([0, 1, 2, 3, 0, 1])
    for like in (LIKE, {"name": "fgsm", "eps": 0.1}):
        attack = attacks.create(name, like=like)
        seen = []
        control = attack(network, x, y, trace=seen.append)
        real = attacks.registry.from_config(like)(network, x, y)
        torch.testing.assert_close(size(control - x), size(real - x), atol=1e-4, rtol=0)
        assert (control - real).abs().max() > 0.05
        assert torch.equal(seen[0], x)
        assert torch.equal(seen[-1], control)
        assert attack.targeted


def test_where_the_norm_is_out_of_reach_it_is_the_largest():
    network = warmed(small_cnn(), (1, 12, 12))
    x, y = torch.full((1, 1, 12, 12), 0.9), torch.tensor([0])
    real = attacks.registry.from_config({"name": "tgsm"})(network, x, y)
    control = attacks.create("random_sign", like={"name": "tgsm"})(network, x, y)
    if size(control - x) < size(real - x) - 1e-4:
        assert ((control == 0) | (control == 1)).all()
    torch.testing.assert_close(control, control.clamp(0, 1))


def test_permuted_moves_pixels_and_keeps_their_values():
    network, x, y = colour()
    params = small()
    real = attacks.registry.from_config(params["like"])(network, x, y) - x
    control = attacks.create("permuted", **params)(network, x, y) - x
    orders = []
    for one, moved in zip(real.flatten(2), control.flatten(2), strict=True):
        # Pixels with all their channels: each is somewhere, exactly once.
        apart = (one.T[:, None] - moved.T[None]).abs().amax(2)
        assert torch.equal(apart.argmin(0).sort().values, torch.arange(64))
        assert apart.amin(0).max() <= 1e-5
        orders.append(apart.argmin(0))
    assert not torch.equal(orders[0], torch.arange(64))
    assert not torch.equal(orders[0], orders[1])
    again = attacks.create("permuted", **params)(network, x, y, seeds=torch.arange(5) + 50)
    assert not torch.allclose(again - x, control)


@pytest.mark.parametrize(("axis", "dims"), [("vertical", [2]), ("horizontal", [3]), ("both", None)])
def test_flipped_mirrors_the_perturbation(axis, dims):
    network, x, y = colour()
    params = small()
    real = attacks.registry.from_config(params["like"])(network, x, y) - x
    control = attacks.create("flipped", axis=axis, **params)(network, x, y) - x
    torch.testing.assert_close(control, real.flip(dims or [2, 3]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", CONTROLS)
def test_no_perturbation_makes_no_control(name):
    network, x, y = colour()
    control = attacks.create(name, like={"name": "fgsm", "eps": 0})(network, x, y)
    torch.testing.assert_close(control, x, atol=1e-9, rtol=0)
