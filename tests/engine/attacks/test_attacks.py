"""The attack contract over every registered attack, and each attack against its formula."""

import copy

import pytest
import torch
from networks import Counted, Scaled, small_cnn, warmed
from torch.nn import functional as F

from engine import attacks
from engine.attacks import Batch
from engine.attacks._losses import margin
from engine.networks.inference import frozen

NAMES = attacks.registry.names()
QUICK = {
    "minimum_norm": {"steps": 10, "restarts": 2},
    "pgd": {"steps": 10},
    "square": {"queries": 30},
    "worst_case": {
        "attacks": [
            {"name": "fgsm", "eps": 0.1},
            {"name": "pgd", "steps": 4, "loss": "difference", "choice": 2},
            {"name": "square", "queries": 10},
            {"name": "minimum_norm", "steps": 5},
        ]
    },
}
"""Parameters of the contract's slow members."""


def make(name, **params):
    return attacks.create(name, **QUICK.get(name, {}), **params)


@pytest.fixture
def network():
    net = small_cnn()
    net.train()
    net.norm1.eval()  # a mixed mode must survive
    drawn = torch.Generator().manual_seed(2)
    for _ in range(3):
        net(torch.rand(8, 1, 12, 12, generator=drawn))
    return net


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(6, 1, 12, 12, generator=generator)
    x[0] = 0.5  # a constant image
    return x, torch.tensor([0, 1, 2, 3, 0, 1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [1, 100])
def test_result_is_in_bounds_and_detached_and_the_model_is_as_found(name, factor, network, batch):
    x, y = batch
    model = Scaled(network, factor)
    network.conv1.weight.grad = torch.ones_like(network.conv1.weight)
    network.logits.bias.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    modes = [m.training for m in model.modules()]
    wanted = [p.requires_grad for p in model.parameters()]
    given = x.clone()

    x_adv = make(name)(model, x, y)

    assert x_adv.shape == x.shape
    assert x_adv.dtype == torch.float32
    assert not x_adv.requires_grad
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    assert torch.isfinite(x_adv).all()
    assert torch.equal(x, given)
    assert modes == [m.training for m in model.modules()]
    assert wanted == [p.requires_grad for p in model.parameters()]
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert torch.equal(network.conv1.weight.grad, torch.ones_like(network.conv1.weight))
    assert network.conv2.weight.grad is None


@pytest.mark.parametrize("name", NAMES)
def test_an_image_gets_the_same_example_alone_and_in_any_batch(name, network, batch):
    x, y = batch
    attack = make(name)
    seeds = torch.tensor([11, 12, 13, 14, 15, 16])
    together = attack(network, x, y, seeds=seeds)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    turned = attack(network, x[order], y[order], seeds=seeds[order])
    alone = torch.cat(
        [attack(network, x[i : i + 1], y[i : i + 1], seeds=seeds[i : i + 1]) for i in range(6)]
    )
    # A convolution's last bits may depend on the batch; a random draw must not.
    assert torch.allclose(turned, together[order], atol=1e-5)
    assert torch.allclose(alone, together, atol=1e-5)


BUDGETS = [
    ({"name": "fgsm", "eps": 0.07}, ("linf", 0.07)),
    ({"name": "tgsm", "steps": 3}, None),
    ({"name": "tgsm", "steps": 3, "eps": 0.15}, ("linf", 0.15)),
    ({"name": "pgd", "steps": 5, "eps": 0.07}, ("linf", 0.07)),
    ({"name": "pgd", "steps": 5, "norm": "l2", "eps": 0.4}, ("l2", 0.4)),
    ({"name": "worst_case", "attacks": [{"name": "fgsm"}]}, ("linf", 0.3)),
    (
        {"name": "worst_case", "attacks": [{"name": "pgd", "norm": "l2", "steps": 3}], "eps": 0.4},
        ("l2", 0.4),
    ),
    ({"name": "square", "queries": 20, "eps": 0.07}, ("linf", 0.07)),
    ({"name": "square", "queries": 20, "norm": "l2", "eps": 0.4}, ("l2", 0.4)),
    (
        {
            "name": "worst_case",
            "attacks": [{"name": "minimum_norm", "steps": 20}],
            "eps": 0.4,
            "norm": "l2",
        },
        ("l2", 0.4),
    ),
    ({"name": "jsma"}, None),
    ({"name": "minimum_norm"}, None),
    ({"name": "permuted"}, None),
]


@pytest.mark.parametrize(("config", "budget"), BUDGETS, ids=str)
def test_the_budget_is_what_every_example_keeps(config, budget, network, batch):
    x, y = batch
    attack = attacks.registry.from_config(config)
    assert attack.budget() == budget
    if budget is not None:
        order = torch.inf if budget[0] == "linf" else 2
        size = (attack(network, x, y) - x).flatten(1).norm(order, dim=1)
        assert budget[1] / 2 < size.max() <= budget[1] + 1e-6


def test_every_attack_declares_its_budget():
    declared = {config["name"] for config, _ in BUDGETS}
    assert declared >= {name for name in NAMES if "eps" in attacks.registry.get(name).model_fields}


@pytest.mark.parametrize("rows", [torch.tensor([4, 1]), torch.arange(6) % 4 == 1], ids=str)
def test_rows_of_a_batch_are_those_images_with_all_that_is_theirs(rows, batch):
    x, y = batch
    whole = Batch(x, y, y + 1, torch.arange(6) + 9)
    part = whole.rows(rows)
    assert len(part) == len(part.generators()) == 2
    for name in ("x", "y", "target", "seeds"):
        assert torch.equal(getattr(part, name), getattr(whole, name)[rows])
    assert [g.initial_seed() for g in part.generators()] == part.seeds.tolist()
    assert torch.equal(part.aim(4), part.target)
    free = Batch(x, y, None, whole.seeds).rows(rows)
    assert free.target is None
    assert torch.equal(free.aim(4), (y[rows] + 1) % 4)


def check(x_adv, x):
    assert x_adv.shape == x.shape
    assert x_adv.is_contiguous()
    assert torch.isfinite(x_adv).all()
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_odd_inputs(name, network, batch):
    x, y = batch
    attack = make(name)
    turned = x.transpose(2, 3)
    assert not turned.is_contiguous()
    check(attack(network, turned, y), turned)
    assert attack(network, x[:0], y[:0]).shape == (0, 1, 12, 12)
    check(attack(network, x, torch.zeros(6, dtype=torch.int64)), x)  # one class only
    check(attack(network, x[:1], y[:1]), x[:1])  # one image, of one value
    for wrong in (network(x).argmin(1), network(x).argmax(1)):  # none is right, and all are
        check(attack(network, x, wrong), x)
    with torch.no_grad():
        check(attack(network, x, y), x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [1, 1e5, 1e-30])
def test_two_classes(name, factor, batch):
    x = batch[0]
    model = Scaled(warmed(small_cnn(classes=2), (1, 12, 12)), factor)
    for y in (batch[1] % 2, torch.zeros(6, dtype=torch.int64)):
        check(make(name)(model, x, y), x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, y: (x.double(), y), "float32"),
        (lambda x, y: (x * 255, y), r"\[0, 1\]"),
        (lambda x, y: (x[0], y), r"\(N, C, H, W\)"),
        (lambda x, y: (x, y[:2]), r"y must be int64 \(6,\)"),
        (lambda x, y: (x, y.float()), "int64"),
    ],
)
def test_wrong_input_is_refused_with_what_was_expected(name, change, said, network, batch):
    with pytest.raises(ValueError, match=said):
        make(name)(network, *change(*batch))


def gradient(network, x, label):
    x = x.clone().requires_grad_(True)
    with frozen(network):
        loss = F.cross_entropy(network(x), label, reduction="sum")
    return torch.autograd.grad(loss, x)[0]


def test_fgsm_is_its_formula(network, batch):
    x, y = batch
    expected = (x + 0.2 * gradient(network, x, y).sign()).clamp(0, 1)
    assert torch.equal(attacks.create("fgsm", eps=0.2)(network, x, y), expected)


def test_fgsm_on_the_predicted_label_does_not_see_the_true_one(network, batch):
    x, y = batch
    attack = attacks.create("fgsm", label="predicted")
    assert torch.equal(attack(network, x, y), attack(network, x, (y + 1) % 4))
    with frozen(network):
        predicted = network(x).argmax(1)
    expected = (x + 0.3 * gradient(network, x, predicted).sign()).clamp(0, 1)
    assert torch.equal(attack(network, x, y), expected)


def test_fgsm_moves_nothing_where_the_gradient_is_zero(network, batch):
    x, y = batch
    model = Scaled(network, 0.0)
    assert torch.equal(attacks.create("fgsm")(model, x, y), x)


def test_tgsm_is_its_formula_and_aims_at_the_next_class(network, batch):
    x, y = batch
    expected = x
    for _ in range(3):
        step = 0.1 * gradient(network, expected, (y + 1) % 4).sign()
        expected = (expected - step).clamp(0, 1)
    attack = attacks.create("tgsm", steps=3, step_size=0.1)
    assert torch.equal(attack(network, x, y), expected)
    assert torch.equal(attack(network, x, y, (y + 1) % 4), expected)
    assert not torch.equal(attack(network, x, y, (y + 2) % 4), expected)


def test_tgsm_keeps_its_budget_when_given_one(network, batch):
    x, y = batch
    iterates = []
    attack = attacks.create("tgsm", steps=5, step_size=0.1, eps=0.15)
    x_adv = attack(network, x, y, trace=iterates.append)
    assert len(iterates) == 6
    assert torch.equal(iterates[0], x)
    assert torch.equal(iterates[-1], x_adv)
    assert (x_adv - x).abs().max() <= 0.15 + 1e-6


def test_random_sign_has_the_norm_of_the_attack_it_is_like(network, batch):
    x, y = batch
    like = {"name": "tgsm", "steps": 3}
    control = attacks.create("random_sign", like=like)(network, x, y)
    real = attacks.registry.from_config(like)(network, x, y)
    ours, theirs = ((z - x).flatten(1).norm(dim=1) for z in (control, real))
    assert torch.allclose(ours, theirs, atol=1e-4)
    other = attacks.create("random_sign", like=like)(network, x, y, seeds=torch.arange(6) + 50)
    assert not torch.equal(control, other)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_from_the_image_is_its_formula(norm, network, batch):
    x, y = batch
    expected = x
    for _ in range(5):
        g = gradient(network, expected, y)
        length = g.flatten(1).norm(dim=1)[:, None, None, None]
        expected = expected + 0.1 * (g.sign() if norm == "linf" else g / length)
        delta = expected - x
        if norm == "linf":
            delta = delta.clamp(-0.15, 0.15)
        else:
            delta = delta * (0.15 / delta.flatten(1).norm(dim=1)).clamp(max=1)[:, None, None, None]
        expected = (x + delta).clamp(0, 1)
    attack = attacks.create("pgd", eps=0.15, norm=norm, steps=5, step_size=0.1, random_start=False)
    assert torch.allclose(attack(network, x, y), expected, atol=1e-6)


@pytest.mark.parametrize("keep", ["last", "first_success"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("eps", [0.0, 0.05, 1.0])
def test_pgd_stays_in_its_ball_with_every_iterate(eps, norm, keep, network, batch):
    x, y = batch
    seen = []
    attack = attacks.create("pgd", eps=eps, norm=norm, steps=3, restarts=2, keep=keep)
    x_adv = attack(network, x, y, trace=seen.append)
    assert len(seen) == 2 * 4
    for iterate in [*seen, x_adv]:
        order = torch.inf if norm == "linf" else 2
        assert (iterate - x).flatten(1).norm(order, dim=1).max() <= eps + 1e-5
        assert iterate.min() >= 0
        assert iterate.max() <= 1


def test_pgd_reaches_the_optimum_on_a_linear_model(batch):
    # Two classes, z = (w.x, 0): the loss rises fastest along -w; sign(w) is optimal in L-inf.
    x = 0.3 + 0.4 * batch[0]
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 2, bias=False))
    y = torch.zeros(6, dtype=torch.int64)
    w = (linear[1].weight[1] - linear[1].weight[0]).detach().view(1, 12, 12)
    best = {"linf": 0.1 * w.sign(), "l2": 0.1 * w / w.norm()}
    for norm, delta in best.items():
        for loss in ("cross_entropy", "margin"):
            attack = attacks.create("pgd", eps=0.1, norm=norm, step_size=0.1, loss=loss)
            x_adv = attack(linear, x, y)
            reached = ((x_adv - x) * w).sum((1, 2, 3))
            assert torch.allclose(reached, (delta * w).sum().expand(6), rtol=1e-3)


def test_more_restarts_never_help_less(network, batch):
    x, y = batch
    for keep in ("last", "first_success"):
        wrong = []
        for restarts in (1, 2, 4):
            attack = attacks.create("pgd", eps=0.3, steps=4, restarts=restarts, keep=keep)
            with frozen(network):
                wrong.append(network(attack(network, x, y)).argmax(1) != y)
        assert (wrong[0] <= wrong[1]).all()
        assert (wrong[1] <= wrong[2]).all()


def test_first_success_is_the_first_wrong_iterate(network, batch):
    x, _ = batch
    with frozen(network), torch.no_grad():
        network.logits.bias -= network(x).mean(0)  # no class is far ahead
        y = network(x).argmax(1)
    seen = []
    params = {"eps": 0.5, "steps": 20, "random_start": False}
    last = attacks.create("pgd", **params)(network, x, y, trace=seen.append)
    first = attacks.create("pgd", **params, keep="first_success")(network, x, y)
    with frozen(network):
        wrong = torch.stack([network(iterate).argmax(1) != y for iterate in seen])
    assert wrong.any()
    for image in range(len(x)):
        hits = wrong[:, image].nonzero()
        expected = seen[int(hits[0])][image] if len(hits) else last[image]
        assert torch.allclose(first[image], expected[None][0], atol=1e-6)


def test_the_margin_loss_moves_where_cross_entropy_is_masked(network, batch):
    x, _ = batch
    model = Scaled(network, 1e5)
    with frozen(model):
        y = model(x).argmax(1)
    params = {"eps": 0.1, "steps": 3, "random_start": False}
    masked = attacks.create("pgd", **params)(model, x, y)
    assert torch.equal(masked, x)
    for norm in ("linf", "l2"):
        moved = attacks.create("pgd", **params, norm=norm, loss="margin")(model, x, y)
        assert ((moved - x).flatten(1).abs().amax(1) > 0).all()


def test_the_margin_is_the_distance_to_the_largest_other_logit():
    logits = torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [0.0, -1e30, 1.0]], requires_grad=True)
    found = margin(logits, torch.tensor([0, 1, 2]))
    assert found.tolist() == [-1.0, 2.0, -1.0]
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    assert gradient.tolist() == [[-1, 0, 1], [1, -1, 0], [1, 0, -1]]


def margin_gradient(network, x, label):
    x = x.clone().requires_grad_(True)
    with frozen(network):
        logits = network(x)
    own = logits[range(len(x)), label]
    rest = torch.stack([z[torch.arange(4) != k].max() for z, k in zip(logits, label, strict=True)])
    return torch.autograd.grad((rest - own).sum(), x)[0]


def test_fgsm_and_tgsm_follow_the_margin(network, batch):
    x, y = batch
    raised = (x + 0.2 * margin_gradient(network, x, y).sign()).clamp(0, 1)
    assert torch.equal(attacks.create("fgsm", eps=0.2, loss="margin")(network, x, y), raised)
    target = (y + 2) % 4
    lowered = (x - 0.1 * margin_gradient(network, x, target).sign()).clamp(0, 1)
    attack = attacks.create("tgsm", steps=1, loss="margin")
    assert torch.equal(attack(network, x, y, target), lowered)
    masked = Scaled(network, 1e5)
    with frozen(masked):
        own = masked(x).argmax(1)
    assert torch.equal(attacks.create("fgsm")(masked, x, own), x)
    assert not torch.equal(attacks.create("fgsm", loss="margin")(masked, x, own), x)


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_pgd_towards_a_target_is_its_formula_and_aims_at_the_next_class(loss, network, batch):
    x, y = batch
    of = {"cross_entropy": gradient, "margin": margin_gradient}[loss]
    expected = x
    for _ in range(5):
        expected = expected - 0.1 * of(network, expected, (y + 1) % 4).sign()
        expected = (x + (expected - x).clamp(-0.15, 0.15)).clamp(0, 1)
    params = {"eps": 0.15, "steps": 5, "step_size": 0.1, "random_start": False, "loss": loss}
    attack = attacks.create("pgd", label="target", **params)
    assert torch.allclose(attack(network, x, y), expected, atol=1e-6)
    assert torch.equal(attack(network, x, y), attack(network, x, y, (y + 1) % 4))
    assert not torch.allclose(attack(network, x, y, (y + 2) % 4), expected, atol=1e-3)
    assert attack.targeted
    assert not attacks.create("pgd").targeted


def test_towards_a_target_success_is_the_target(network, batch):
    x, _ = batch
    with frozen(network), torch.no_grad():
        network.logits.bias -= network(x).mean(0)
        y = network(x).argmax(1)
    target = (y + 2) % 4
    seen = []
    params = {"eps": 0.5, "steps": 20, "random_start": False, "label": "target"}
    last = attacks.create("pgd", **params)(network, x, y, target, trace=seen.append)
    attack = attacks.create("pgd", **params, keep="first_success")
    first = attack(network, x, y, target)
    with frozen(network):
        hit = torch.stack([network(iterate).argmax(1) == target for iterate in seen])
    assert hit.any()
    for image in range(len(x)):
        hits = hit[:, image].nonzero()
        expected = seen[int(hits[0])][image] if len(hits) else last[image]
        assert torch.allclose(first[image], expected, atol=1e-6)


@pytest.mark.parametrize("restarts", [1, 3])
def test_with_first_success_an_image_alone_or_in_a_batch_is_the_same(restarts, network, batch):
    x, _ = batch
    with frozen(network), torch.no_grad():
        network.logits.bias -= network(x).mean(0)
        y = network(x).argmax(1)
    attack = attacks.create("pgd", eps=0.05, steps=8, restarts=restarts, keep="first_success")
    seeds = torch.arange(6) + 5
    together = attack(network, x, y, seeds=seeds)
    alone = [attack(network, x[i : i + 1], y[i : i + 1], seeds=seeds[i : i + 1]) for i in range(6)]
    assert torch.allclose(torch.cat(alone), together, atol=1e-5)


def test_with_first_success_finished_images_cost_nothing(network, batch):
    x, _ = batch
    x = x.repeat(4, 1, 1, 1)
    with frozen(network), torch.no_grad():
        network.logits.bias -= network(x).mean(0)
        y = network(x).argmax(1)
    y[:20] = (y[:20] + 1) % 4  # wrong from the start
    params = {"eps": 0.01, "steps": 10, "random_start": False, "restarts": 3}
    counted = Counted(network)
    x_adv = attacks.create("pgd", **params, keep="first_success")(counted, x, y)
    assert torch.equal(x_adv[:20], x[:20])
    # Every image once and its judgement, four for all steps of all restarts and its judgement.
    assert counted.images <= 24 + 20 + 3 * 4 * 11
    every = Counted(network)
    attacks.create("pgd", **params)(every, x, y)
    assert every.images == 3 * 24 * 11
