"""The smallest disturbance: closed forms, a dense search with PGD, and where there is none."""

import pytest
import torch
from networks import Scaled, small_cnn, warmed
from torch.nn import functional as F

from engine import attacks, datasets, models
from engine.networks.inference import frozen


def norms(delta, norm):
    return torch.linalg.vector_norm(delta.flatten(1), torch.inf if norm == "linf" else 2, dim=1)


def closed_form(linear, x, norm):
    """Return the distance (N,) of x to the nearest boundary of a linear model within [0, 1].

    Along a boundary's normal w the optimum is clip(t * sign(w)) in L-inf and clip(t * w) in L2;
    t is found by bisection.
    """
    weight, flat = linear.weight.detach().double(), x.flatten(1).double()
    logits = flat @ weight.T + linear.bias.detach().double()
    label = logits.argmax(1)
    nearest = torch.full((len(x),), torch.inf, dtype=torch.float64)
    for other in range(len(weight)):
        w = weight[other] - weight[label]
        step = w.sign() if norm == "linf" else w / w.norm(dim=1, keepdim=True)
        gap = (logits.gather(1, label[:, None]) - logits[:, other, None])[:, 0]
        low, high = torch.zeros_like(gap), torch.full_like(gap, 1e4)
        for _ in range(80):
            t = (low + high) / 2
            delta = (flat + t[:, None] * step).clamp(0, 1) - flat
            enough = (delta * w).sum(1) >= gap
            low, high = torch.where(enough, low, t), torch.where(enough, t, high)
        delta = (flat + high[:, None] * step).clamp(0, 1) - flat
        reached = (delta * w).sum(1) >= gap - 1e-9
        distance = torch.where(reached & (label != other), norms(delta, norm), torch.inf)
        nearest = torch.minimum(nearest, distance)
    return label, nearest


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("bound", [False, True], ids=["inside", "at the bounds"])
def test_on_a_linear_model_it_is_the_closed_form(bound, classes, norm):
    generator = torch.Generator().manual_seed(classes)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, classes))
    with torch.no_grad():
        network[1].weight.copy_(torch.randn(classes, 64, generator=generator))
        network[1].bias.copy_(torch.randn(classes, generator=generator))
    x = torch.rand(24, 1, 8, 8, generator=generator)
    # At the bounds: most pixels can go one way only.
    x = x.round() if bound else 0.4 + 0.2 * x
    label, expected = closed_form(network[1], x, norm)
    assert torch.isfinite(expected).all()
    x_adv = attacks.create("minimum_norm", norm=norm)(network, x, label)
    with torch.no_grad():
        assert (network(x_adv).argmax(1) != label).all()
    found = norms(x_adv - x, norm)
    assert (found <= 1.02 * expected).all()
    assert (found >= 0.999 * expected).all()


@pytest.fixture(scope="module")
def trained():
    """A small network trained on digits, images that it gets right, and their labels."""
    data = datasets.create("digits").load()
    network = models.create("small_cnn", channels=(8, 8), hidden=16).build(data.shape, 10, seed=0)
    x, y = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(60):
        part = slice(64 * step % 1152, 64 * step % 1152 + 64)
        loss = F.cross_entropy(network(x[part]), y[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        x, y = x[:200], y[:200]
        right = network(x).argmax(1) == y
    assert right.float().mean() > 0.9
    return network, x[right][:24], y[right][:24]


def by_pgd(network, x, y, norm, highest):
    """Return the smallest eps (N,) at which PGD on the margin succeeds, by bisection."""
    low, high = torch.zeros(len(x)), torch.full((len(x),), highest)
    for _ in range(9):
        eps = (low + high) / 2
        wrong = torch.zeros(len(x), dtype=torch.bool)
        for image in range(len(x)):
            attack = attacks.create(
                "pgd",
                norm=norm,
                eps=float(eps[image]),
                steps=20,
                restarts=2,
                loss="margin",
                keep="first_success",
            )
            part = slice(image, image + 1)
            with torch.no_grad():
                x_adv = attack(network, x[part], y[part])
                wrong[image] = network(x_adv).argmax(1) != y[part]
        low, high = torch.where(wrong, low, eps), torch.where(wrong, eps, high)
    return high


@pytest.mark.parametrize(("norm", "highest"), [("linf", 0.2), ("l2", 3.0)])
def test_it_is_no_larger_than_what_pgd_needs(norm, highest, trained):
    network, x, y = (part if isinstance(part, torch.nn.Module) else part[:8] for part in trained)
    needed = by_pgd(network, x, y, norm, highest)
    x_adv = attacks.create("minimum_norm", norm=norm)(network, x, y)
    found = norms(x_adv - x, norm)
    with torch.no_grad():
        assert (network(x_adv).argmax(1) != y).all()
    assert found.median() <= 1.02 * needed.median()
    assert (found <= 1.1 * needed).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_masking_does_not_hide_it(norm, trained):
    network, x, y = trained
    attack = attacks.create("minimum_norm", norm=norm, steps=40, restarts=1)
    plain, masked = (
        norms(attack(model, x, y) - x, norm) for model in (network, Scaled(network, 1e4))
    )
    assert (plain > 0).all()
    torch.testing.assert_close(masked, plain, rtol=0.02, atol=0)


def test_more_runs_never_find_less(trained):
    network, x, y = trained
    last = None
    for restarts in (1, 2, 20):
        attack = attacks.create("minimum_norm", norm="l2", steps=15, restarts=restarts)
        found = norms(attack(network, x, y) - x, "l2")
        assert last is None or (found <= last + 1e-6).all()
        last = found


def test_an_image_that_is_wrong_already_comes_back(trained):
    network, x, y = trained
    y = torch.where(torch.arange(len(y)) % 2 == 0, y, (y + 1) % 10)
    x_adv = attacks.create("minimum_norm", steps=10)(network, x, y)
    assert torch.equal(x_adv[1::2], x[1::2])
    assert (norms(x_adv - x, "linf")[::2] > 0).all()
    assert torch.equal(attacks.create("minimum_norm")(network, x[1::2], y[1::2]), x[1::2])
    own = attacks.create("minimum_norm", steps=10, label="predicted")(network, x, y)
    assert (norms(own - x, "linf") > 0).all()


def test_where_nothing_is_found_the_image_comes_back():
    x = torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    network = Scaled(warmed(small_cnn(), (1, 12, 12)), 0.0)
    x_adv = attacks.create("minimum_norm", steps=5)(network, x, torch.zeros(3, dtype=torch.int64))
    assert torch.equal(x_adv, x)


def test_the_result_survives_another_batch(trained):
    # Exactly on the boundary the last bits of a batch would decide.
    network, x, y = trained
    x_adv = attacks.create("minimum_norm", steps=30)(network, x, y)
    with frozen(network), torch.no_grad():
        alone = torch.cat([network(image[None]) for image in x_adv])
    assert (alone.argmax(1) != y).all()


class TwoBoundaries(torch.nn.Module):
    """Leaves its label between brightness .025 and .11 more, and again from .23; flat at first."""

    def forward(self, images):
        rise = images.flatten(1).mean(1) - 0.3
        at = torch.tensor([-1.0, 0.0, 0.02, 0.03, 0.1, 0.12, 0.2, 0.25, 1.0])
        score = torch.tensor([-2.0, -1.0, -0.92, 0.84, 0.84, -0.9, -0.6, 0.6, 2.0])
        place = torch.searchsorted(at, rise.detach(), right=True).clamp(1, len(at) - 1)
        slope = (score[place] - score[place - 1]) / (at[place] - at[place - 1])
        value = score[place - 1] + slope * (rise - at[place - 1])
        return torch.stack([-value / 2, value / 2], dim=1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_leap_past_the_nearer_boundary_is_taken_back(norm):
    network, x = TwoBoundaries(), torch.full((1, 1, 4, 4), 0.3)
    label = torch.zeros(1, dtype=torch.int64)
    unit = 1 if norm == "linf" else 4  # sixteen pixels of the same change

    def found(**params):
        x_adv = attacks.create("minimum_norm", norm=norm, **params)(network, x, label)
        return float(norms(x_adv - x, norm)) / unit

    assert found(restarts=1) == pytest.approx(0.225, rel=0.02)
    assert found() == pytest.approx(0.02 + 0.01 * 0.92 / 1.76, rel=0.02)
