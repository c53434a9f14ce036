"""The worst of several attacks: against each alone, and what is refused."""

import pytest
import torch
from networks import Scaled, small_cnn, warmed

from engine import attacks
from engine.attacks import vary
from engine.attacks.pgd import PGD
from engine.errors import UsageError

CE = {"name": "pgd", "eps": 0.03, "steps": 4, "keep": "first_success"}
MARGIN = {**CE, "loss": "margin"}
FGSM = {"name": "fgsm", "eps": 0.03}
L2 = {"name": "worst_case", "attacks": [{**CE, "norm": "l2"}]}


@pytest.fixture
def network():
    network = warmed(small_cnn(), (1, 12, 12))
    with torch.no_grad():
        network.logits.bias -= network(images()).mean(0)  # no class is far ahead
    return network


def images():
    return torch.rand(40, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def labels(network, x):
    """The network's own, but every fifth is wrong."""
    with torch.no_grad():
        predicted = network(x).argmax(1)
    return torch.where(torch.arange(len(x)) % 5 == 0, (predicted + 1) % 4, predicted)


def wrong(network, x, y):
    with torch.no_grad():
        return network(x).argmax(1) != y


def margins(network, x, y):
    with torch.no_grad():
        logits = network(x)
    others = logits.clone()
    others[range(len(x)), y] = -torch.inf
    return others.amax(1) - logits[range(len(x)), y]


def test_it_is_wrong_wherever_a_member_is_and_right_with_the_largest_margin(network):
    x = images()
    y, seeds = labels(network, x), torch.arange(40) + 9
    members = [FGSM, CE, MARGIN]
    alone = [attacks.registry.from_config(m)(network, x, y, seeds=seeds) for m in members]
    hits = torch.stack([wrong(network, made, y) for made in [x, *alone]])
    x_adv = attacks.create("worst_case", attacks=members)(network, x, y, seeds=seeds)
    found = wrong(network, x_adv, y)
    assert torch.equal(found, hits.any(0))
    assert 0 < found.float().mean() < 1
    assert (x_adv - x).abs().max() <= 0.03 + 1e-6
    first = hits.int().argmax(0)
    for image in range(40):
        if found[image]:
            expected = [x, *alone][first[image]][image]
        else:
            reached = torch.stack([margins(network, made, y)[image] for made in [x, *alone]])
            expected = [x, *alone][reached.argmax()][image]
        torch.testing.assert_close(x_adv[image], expected, atol=1e-5, rtol=0)
    clean = wrong(network, x, y)
    assert clean.any()
    assert torch.equal(x_adv[clean], x[clean])


def test_later_members_work_on_the_images_that_are_left(network, monkeypatch):
    x = images()
    y = labels(network, x)
    worked_on, run = [], PGD.run

    def counted(self, model, batch, trace):
        worked_on.append(len(batch))
        return run(self, model, batch, trace)

    monkeypatch.setattr(PGD, "run", counted)
    attacks.create("worst_case", attacks=[CE, MARGIN])(network, x, y)
    fooled = wrong(network, attacks.registry.from_config(CE)(network, x, y), y)
    left = ~wrong(network, x, y)
    assert worked_on[:2] == [int(left.sum()), int((left & ~fooled).sum())]


def test_with_the_margin_loss_masking_is_seen_through(network):
    x = images()
    y = labels(network, x)
    masked = Scaled(network, 1e5)
    shares = [
        wrong(masked, attacks.create("worst_case", attacks=members)(masked, x, y), y).float().mean()
        for members in ([CE], [CE, MARGIN])
    ]
    assert shares[1] > shares[0] + 0.1


def test_accuracy_can_be_drawn_over_its_eps(network):
    x = images()
    y = labels(network, x)
    attack = attacks.create("worst_case", attacks=[CE, {**MARGIN, "eps": 0.5}], eps=0.1)
    shares = []
    for eps in (0, 0.03, 0.3):
        changed = vary(attack, "eps", eps)
        x_adv = changed(network, x, y)
        assert (x_adv - x).abs().max() <= eps + 1e-6
        shares.append(float(wrong(network, x_adv, y).float().mean()))
    assert shares[0] == wrong(network, x, y).float().mean()
    assert shares == sorted(shares)
    assert shares[2] > shares[0]


def test_its_members_are_resolved_and_by_default_these():
    attack = attacks.create("worst_case")
    *climbs, search = attack.attacks
    assert [(m["steps"], m["loss"], m["choice"]) for m in climbs] == [
        (10, "margin", 1),
        (100, "cross_entropy", 1),
        (100, "margin", 1),
        *((100, "difference", choice) for choice in (1, 2, 3)),
    ]
    for member in climbs:
        assert member["step_size"] is None
        assert member["keep"] == "first_success"
    assert search["name"] == "minimum_norm"
    assert attack.budget() == ("linf", 0.1)
    assert attacks.registry.from_config(attack.config()) == attack


def test_its_norm_is_that_of_all_members():
    attack = attacks.create("worst_case", norm="l2", eps=1.5)
    assert attack.budget() == ("l2", 1.5)
    assert {member.norm for member in attack.made_of()} == {"l2"}
    alone = attacks.create("worst_case", attacks=[{"name": "minimum_norm"}], norm="l2", eps=2)
    assert alone.budget() == ("l2", 2)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"attacks": []}, "must have one budget, not none"),
        ({"attacks": [], "eps": 0.1}, "must have one budget, not none"),
        ({"attacks": [CE, {"name": "fgsm"}]}, "one budget, not linf 0.03, linf 0.3"),
        ({"attacks": [CE, {**CE, "norm": "l2"}]}, "one budget, not l2 0.03, linf 0.03"),
        ({"attacks": [CE, {**L2, "eps": 0.03}]}, "one budget, not l2 0.03, linf 0.03"),
        ({"attacks": [FGSM], "norm": "l2"}, "one norm, not l2, linf"),
        ({"attacks": [CE, {"name": "minimum_norm", "norm": "l2"}]}, "one norm, not l2, linf"),
        ({"attacks": [{"name": "tgsm"}]}, "one budget, not none.* give the whole an eps"),
        ({"attacks": [{"name": "minimum_norm"}]}, "one budget, not none"),
        ({"attacks": [{"name": "random_sign"}]}, "'random_sign' neither follows gradients"),
        ({"attacks": [{"name": "magic"}]}, "unknown attack 'magic'"),
        ({"attacks": [{**CE, "prepare": True}]}, "give both to the whole"),
        ({"attacks": [{**CE, "space": "model_input"}]}, "give both to the whole"),
        ({"attacks": [FGSM], "eps": 3}, "eps 3: pixels lie in"),
        ({"attacks": [{"name": "minimum_norm"}], "eps": 3}, "'worst_case': eps 3: pixels"),
        ({"attacks": ["fgsm"]}, "valid dictionary"),
    ],
)
def test_what_has_no_common_budget_is_refused(params, said):
    with pytest.raises(UsageError, match=said):
        attacks.create("worst_case", **params)
