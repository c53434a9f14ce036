"""Attacks and penalties behind the preprocessing, against explicit computations."""

import copy

import pytest
import torch
from networks import Scaled
from torch.nn import functional as F

from engine import attacks, defenses, models
from engine.attacks import GradientAttack, clip, only
from engine.defenses import Context
from engine.errors import UsageError
from engine.networks.inference import frozen
from engine.networks.spaces import ModelInput, preprocessed

NAMES = [n for n in attacks.registry.names() if issubclass(attacks.registry.get(n), GradientAttack)]
COLOUR, GREY = (3, 12, 12), (1, 12, 12)
QUICK = {
    "minimum_norm": {"steps": 10, "restarts": 2},
    "square": {"queries": 30},
    "worst_case": {
        "attacks": [
            {"name": "pgd", "steps": 4, "loss": "margin"},
            {"name": "pgd", "steps": 4, "loss": "difference", "choice": 2},
            {"name": "minimum_norm", "steps": 5},
        ]
    },
}
"""Parameters of the slow attacks: what the space means to them does not depend on their steps."""


def made(name, space, **params):
    return attacks.create(name, space=space, **QUICK.get(name, {}), **params)


def build(shape, *steps, input_layers=()):
    net = models.create(
        "small_cnn",
        channels=(4, 4),
        hidden=8,
        preprocessing=list(steps),
        input_layers=list(input_layers),
    ).build(shape, 4, seed=0)
    net.train()
    generator = torch.Generator().manual_seed(5)
    for _ in range(3):
        net(torch.rand(8, *shape, generator=generator))
    return net.eval()


def batch(shape, constant=True):
    x = torch.rand(6, *shape, generator=torch.Generator().manual_seed(1))
    x = 0.3 + 0.4 * x
    x[1] = x[1].round()  # many pixels at the bounds
    if constant:
        x[0] = 0.5
    return x, torch.tensor([0, 1, 2, 3, 0, 1])


def by_hand(x):
    """Grey and global contrast normalisation: (grey, mean, deviation), the last two per image."""
    grey = (0.2989 * x[:, 0] + 0.5870 * x[:, 1] + 0.1140 * x[:, 2])[:, None]
    flat = grey.flatten(1)
    mean, deviation = flat.mean(1), flat.std(1, correction=1)
    return grey, mean[:, None, None, None], deviation[:, None, None, None]


def gradient(function, z, y):
    z = z.detach().requires_grad_(True)
    return torch.autograd.grad(F.cross_entropy(function(z), y, reduction="sum"), z)[0]


@pytest.mark.parametrize("input_layers", [(), ("lcn",)])
def test_fgsm_behind_grey_and_gcn_is_its_formula(input_layers):
    net = build(COLOUR, "grey", "gcn", input_layers=input_layers)
    x, y = batch(COLOUR, constant=False)
    grey, mean, deviation = by_hand(x)
    z = (grey - mean) / deviation
    with frozen(net):
        direction = gradient(net.from_model_input, z, y).sign()
    assert (direction != 0).all()
    expected = (x + deviation * 0.2 * direction).clamp(0, 1)
    x_adv = attacks.create("fgsm", eps=0.2, space="model_input")(net, x, y)
    torch.testing.assert_close(x_adv, expected, atol=1e-6, rtol=0)
    assert not torch.allclose(x_adv, attacks.create("fgsm", eps=0.2)(net, x, y), atol=1e-3)


def test_iterated_tgsm_behind_gcn_keeps_the_bounds_at_every_step():
    net = build(GREY, "gcn", {"name": "shift", "by": 0.5})
    x, y = batch(GREY, constant=False)
    mean, deviation = (
        f(x.flatten(1))[:, None, None, None] for f in (lambda v: v.mean(1), lambda v: v.std(1))
    )
    low, high = -mean / deviation + 0.5, (1 - mean) / deviation + 0.5
    z = (x - mean) / deviation + 0.5
    for _ in range(4):
        z = z - 0.5 * gradient(net.from_model_input, z, (y + 1) % 4).sign()
        z = z.clamp(low, high)
    seen = []
    attack = attacks.create("tgsm", steps=4, step_size=0.5, space="model_input")
    x_adv = attack(net, x, y, trace=seen.append)
    torch.testing.assert_close(x_adv, (z - 0.5) * deviation + mean, atol=1e-5, rtol=0)
    assert len(seen) == 5
    assert torch.equal(seen[0], x)
    assert torch.equal(seen[-1], x_adv)
    assert all(((s >= 0) & (s <= 1)).all() for s in seen)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("shape", "steps"),
    [(COLOUR, ("grey", "gcn")), (COLOUR, ("gcn",)), (GREY, ("grey", "gcn", "shift"))],
)
def test_the_contract_holds_behind_the_preprocessing(name, shape, steps):
    net = build(shape, *steps, input_layers=["lcn"])
    net.train()
    net.network.norm1.eval()
    net.network.conv1.weight.grad = torch.ones_like(net.network.conv1.weight)
    before = copy.deepcopy(net.state_dict())
    modes = [module.training for module in net.modules()]
    attack = made(name, "model_input")
    x, y = batch(shape)
    given, seeds = x.clone(), torch.arange(10, 16)
    together = attack(net, x, y, seeds=seeds)
    assert together.shape == x.shape
    assert together.dtype == torch.float32
    assert not together.requires_grad
    assert torch.isfinite(together).all()
    assert together.min() >= 0
    assert together.max() <= 1
    assert not torch.equal(together, x)
    assert torch.equal(x, given)
    assert modes == [module.training for module in net.modules()]
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert torch.equal(net.network.conv1.weight.grad, torch.ones_like(net.network.conv1.weight))
    assert net.network.conv2.weight.grad is None
    alone = torch.cat(
        [attack(net, x[i : i + 1], y[i : i + 1], seeds=seeds[i : i + 1]) for i in range(6)]
    )
    assert torch.allclose(alone, together, atol=1e-5)
    assert attack(net, x[:0], y[:0]).shape == (0, *shape)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("input_layers", [(), ("lcn",)])
def test_without_preprocessing_the_spaces_are_one(name, input_layers):
    x, y = batch(GREY)
    net = build(GREY, input_layers=input_layers)
    # In whole levels: of 8-bit pixels only those of the space of pixels are kept in the ball.
    size = {"eps": 25 / 255} if "eps" in attacks.registry.get(name).model_fields else {}
    pixels, behind = (made(name, space, **size)(net, x, y) for space in ("pixels", "model_input"))
    assert torch.equal(behind, pixels)


def test_behind_a_shift_alone_fgsm_is_that_in_pixels():
    x, y = batch(GREY)
    net = build(GREY, "shift")
    pixels, behind = (
        attacks.create("fgsm", space=space)(net, x, y) for space in ("pixels", "model_input")
    )
    torch.testing.assert_close(behind, pixels, atol=1e-6, rtol=0)


def test_a_masked_model_gives_the_image_back_bit_for_bit():
    net = build(COLOUR, "grey", "gcn")
    torch.nn.init.zeros_(net.network.logits.weight)
    x, y = batch(COLOUR)
    assert torch.equal(attacks.create("fgsm", space="model_input")(net, x, y), x)


@pytest.mark.parametrize("name", NAMES)
def test_where_no_way_leads_back_it_is_refused(name):
    x, y = batch(GREY)
    attack = made(name, "model_input")
    with pytest.raises(UsageError, match=r"no affine map.*'lcn'"):
        attack(build(GREY, "gcn", "lcn"), x, y)
    with pytest.raises(UsageError, match="Scaled wraps a network with preprocessing"):
        attack(Scaled(build(GREY, "gcn"), 2), x, y)
    assert attack(Scaled(build(GREY), 2), x, y).shape == x.shape


def test_clip_keeps_the_bounds_of_the_rows_that_are_left():
    x, _ = batch(COLOUR)
    behind = ModelInput(preprocessed(build(COLOUR, "grey", "gcn")), x)
    z = torch.randn(behind.start.shape, generator=torch.Generator().manual_seed(2)) * 9
    clipped = clip(behind, z)
    rows = torch.tensor([4, 1])
    assert torch.equal(clip(behind, z[rows], rows), clipped[rows])
    torch.testing.assert_close(behind.to_pixels(clipped), behind.to_pixels(z), atol=1e-5, rtol=0)
    assert torch.equal(clip(behind, behind.start), behind.start)
    assert torch.equal(clip(build(COLOUR), x * 3 - 1), (x * 3 - 1).clamp(0, 1))


@pytest.mark.parametrize(
    "rows", [torch.tensor([4, 1]), torch.tensor([False, True, False, False, True, True])], ids=str
)
def test_rows_of_a_model_input_are_those_images_alone(rows):
    x, _ = batch(COLOUR)
    net = build(COLOUR, "grey", "gcn")
    behind = ModelInput(preprocessed(net), x)
    z = torch.randn(behind.start.shape, generator=torch.Generator().manual_seed(2)) * 9
    part = behind.rows(rows)
    assert torch.equal(part.start, behind.start[rows])
    assert torch.equal(part.clip(z[rows]), behind.clip(z)[rows])
    assert torch.equal(part.to_pixels(z[rows] / 9), behind.to_pixels(z / 9)[rows])
    assert len(behind.start) == 6
    assert only(behind, rows).start.shape == part.start.shape
    assert only(net, rows) is net


@pytest.mark.parametrize("target", ["loss", "uniform"])
def test_the_penalty_behind_gcn_is_the_pixels_scaled_by_the_variance(target):
    net = build(GREY, "gcn").double()
    x, y = (t if t.dtype == torch.int64 else t.double() for t in batch(GREY, constant=False))
    mean = x.mean((1, 2, 3), keepdim=True)
    deviation = x.flatten(1).std(1)[:, None, None, None]

    def loss(images):
        # The statistics are constants: what a change of a pixel does with mean and deviation kept.
        log_p = net.from_model_input((images - mean) / deviation).log_softmax(1)
        return -(log_p[range(6), y] if target == "loss" else log_p.mean(1)).sum()

    images = x.clone().requires_grad_(True)
    (explicit,) = torch.autograd.grad(loss(images), images, create_graph=True)
    squared = (deviation**2 * explicit**2).flatten(1).sum(1).mean()
    defense = defenses.create("gradient_penalty", strength=1.7, target=target, space="model_input")
    total, terms = defense.loss(net, x, y, Context())
    torch.testing.assert_close(terms["penalty"], 1.7 * squared, atol=1e-6, rtol=1e-6)
    weights = list(net.parameters())
    expected = F.cross_entropy(net(x), y) + 1.7 * squared
    for ours, theirs in zip(
        torch.autograd.grad(total, weights), torch.autograd.grad(expected, weights), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_penalty_and_adversarial_training_combine_behind_the_preprocessing():
    net = build(COLOUR, "grey", "gcn", input_layers=["lcn"])
    x, y = batch(COLOUR)
    space = {"space": "model_input"}
    configs = [
        {"name": "gradient_penalty", "strength": 2, **space},
        {"name": "adversarial_training", "eps": 0.1, **space},
    ]
    _, terms = defenses.combine(configs).loss(net, x, y, Context())
    penalty = defenses.create(**configs[0]).loss(net, x, y, Context())[1]["penalty"]
    torch.testing.assert_close(terms["penalty"], penalty, atol=1e-5, rtol=1e-4)
    fgsm = attacks.create("fgsm", eps=0.1, label="predicted", **space)
    with frozen(net):
        expected = 0.5 * F.cross_entropy(net(fgsm(net, x, y)), y)
    torch.testing.assert_close(terms["adversarial"].detach(), expected, atol=1e-5, rtol=1e-5)


def test_the_penalty_of_a_wrapped_network_is_refused_behind_its_preprocessing():
    x, y = batch(GREY)
    net = Scaled(build(GREY, "gcn"), 2)
    with pytest.raises(UsageError, match="wraps a network with preprocessing"):
        defenses.create("gradient_penalty", space="model_input").loss(net, x, y, Context())
    total, _ = defenses.create("gradient_penalty").loss(net, x, y, Context())
    assert torch.isfinite(total)


def test_the_space_is_recorded():
    assert attacks.create("fgsm").config()["space"] == "pixels"
    for registry, name in (
        (attacks.registry, "tgsm"),
        (defenses.registry, "gradient_penalty"),
        (defenses.registry, "adversarial_training"),
    ):
        member = registry.create(name, space="model_input")
        assert registry.from_config(member.config()) == member
        assert member.config()["space"] == "model_input"
