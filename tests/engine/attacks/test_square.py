"""The square attack: its budget of queries, its ball, and what it reaches."""

import pytest
import torch
from networks import Counted, small_cnn, warmed
from pixel_networks import Above, images, levels
from torch import nn

from engine import attacks
from engine.attacks import _bumps
from engine.attacks._losses import margin

NORMS = [("linf", 0.05), ("l2", 0.5)]


@pytest.fixture(scope="module")
def network():
    network = warmed(small_cnn(), (1, 12, 12)).requires_grad_(False)
    with torch.no_grad():
        network.logits.bias -= network(batch()).mean(0)  # no class is far ahead
    return network


def batch(shape=(1, 12, 12)):
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(12, *shape, generator=generator) * 255).round() / 255


def right(network, x):
    with torch.no_grad():
        return network(x).argmax(1)


@pytest.mark.parametrize(("norm", "eps"), NORMS)
@pytest.mark.parametrize("queries", [1, 2, 7])
def test_an_image_that_resists_is_asked_about_exactly_so_often(norm, eps, queries, network):
    x = batch()
    asked = Counted(network)
    attack = attacks.create("square", norm=norm, eps=1e-4, queries=queries)
    attack(asked, x, right(network, x))
    assert asked.images == 12 * queries


@pytest.mark.parametrize("queries", [1, 2, 9, 40])
def test_successes_and_their_roundings_are_within_the_queries(queries, network):
    x = batch()
    y = right(network, x)
    attack = attacks.create("square", eps=0.05, queries=queries)
    for image in range(12):
        asked = Counted(network)
        attack(asked, x[image : image + 1], y[image : image + 1], seeds=torch.tensor([image]))
        assert asked.images <= queries
    # Undone by rounding each time, a success is asked for again and again.
    asked = Counted(Above(103.1))
    pixel, label = images()
    attack = attacks.create("square", eps=3.4 / 255, queries=queries)
    x_adv = attack(asked, pixel, label)
    assert asked.images <= queries
    assert levels(x_adv) in ([103.4], [96.6])


def test_success_stops_an_image_and_survives_rounding(network):
    pixel, label = images()
    for level, most in ((102.1, 6), (103.1, 40)):
        asked = Counted(Above(level))
        x_adv = attacks.create("square", eps=3.4 / 255, queries=40)(asked, pixel, label)
        assert levels(x_adv) == [103.4]
        assert (asked.images < most) == (most < 40)


@pytest.mark.parametrize(("norm", "eps"), NORMS)
@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 7, 5), (1, 3, 9), (2, 2, 2), (1, 1, 1)])
def test_the_loss_never_falls_and_the_ball_is_never_left(norm, eps, shape):
    x = batch(shape)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 8), nn.Tanh(), nn.Linear(8, 3))
    y = right(model, x)
    seen = []
    attack = attacks.create("square", norm=norm, eps=eps, queries=60, p_init=0.5)
    x_adv = attack(model, x, y, trace=seen.append)
    assert torch.equal(seen[0], x)
    with torch.no_grad():
        values = torch.stack([margin(model(each), y) for each in seen[1:]])
    assert (values.diff(dim=0) >= -1e-5).all()
    for each in (*seen, x_adv):
        order = torch.inf if norm == "linf" else 2
        assert (each - x).flatten(1).norm(order, dim=1).max() <= eps + 1e-6
        assert each.min() >= 0
        assert each.max() <= 1


def test_on_a_linear_model_it_nears_the_optimum():
    x = 0.3 + 0.4 * batch()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 2, bias=False))
    # Smooth weights, of few signs: what squares can follow.
    weight = torch.ones(12, 12)
    weight[:, 6:] = -1
    with torch.no_grad():
        linear[1].weight.copy_(torch.stack([0 * weight, weight]).flatten(1) / 144)
    model = nn.Sequential(linear, _Lowered())
    y = torch.zeros(12, dtype=torch.int64)
    for norm, eps, best in (("linf", 0.1, 0.1), ("l2", 1.0, 1 / 12)):
        attack = attacks.create("square", norm=norm, eps=eps, queries=400)
        change = (attack(model, x, y) - x)[:, 0]
        reached = (change * weight).mean((1, 2))
        assert (reached > (0.9 if norm == "linf" else 0.4) * best).all()
        assert (reached <= best + 1e-6).all()


class _Lowered(nn.Module):
    """So far below the label that nothing succeeds."""

    def forward(self, logits):
        return logits - torch.tensor([0.0, 100.0])


def test_a_bump_is_a_hill_and_a_valley_of_norm_one():
    for side in (1, 2, 3, 8, 25):
        found = _bumps.bump(side)
        assert found.shape == (side, side)
        assert found.norm() == pytest.approx(1)
        assert (found[: side // 2] >= 0).all()
        assert (found[side // 2 :] <= 0).all()
