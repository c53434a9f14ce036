"""The worst of several attacks: against each alone, and what is refused."""

import pytest
import torch
from networks import Scaled, small_cnn, warmed
from pixel_networks import Above, levels
from pixel_networks import images as pixels

from engine import attacks
from engine.attacks import eight_bit, vary
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


def watched(monkeypatch):
    """Return the list that gets the images of every member's turn, with its name."""
    seen = []
    for name in ("fgsm", "pgd", "minimum_norm", "square"):
        kind = attacks.registry.get(name)

        def run(self, model, batch, trace, run=kind.run):
            seen.append((self.name, getattr(self, "choice", None), batch.x))
            return run(self, model, batch, trace)

        monkeypatch.setattr(kind, "run", run)
    return seen


def test_no_member_sees_an_image_that_is_broken(network, monkeypatch):
    x = (images() * 255).round() / 255
    y = labels(network, x)
    members = [FGSM, CE, {"name": "square", "queries": 20, "eps": 0.03}, {"name": "minimum_norm"}]
    broken = [wrong(network, x, y)]
    for count in range(1, 4):
        attack = attacks.create("worst_case", attacks=members[:count])
        made = attack(network, x, y)
        shown = eight_bit.rounded(made, x, attack.pixel_ball)
        broken.append(broken[0] | wrong(network, made, y) & wrong(network, shown, y))
    seen = watched(monkeypatch)
    attacks.create("worst_case", attacks=members, eps=0.03)(network, x, y)
    assert [name for name, _, _ in seen] == ["fgsm", "pgd", "square", "minimum_norm"]
    for (_, _, worked_on), done in zip(seen, broken, strict=True):
        assert torch.equal(worked_on, x[~done])
    assert 0 < broken[0].sum() < broken[1].sum() < broken[3].sum() < 40


PIXEL = {"name": "pgd", "steps": 3, "random_start": False, "loss": "margin"}


@pytest.mark.parametrize("also", ["fgsm", "minimum_norm"])
def test_what_rounding_undoes_is_kept_and_attacked_on(also, monkeypatch):
    x, y = pixels(2)
    seen = watched(monkeypatch)
    members = [{**PIXEL, "keep": "first_success"}, {"name": also}]
    attack = attacks.create("worst_case", attacks=members, eps=3.4 / 255)
    # 103 is the furthest level in the ball: wrong before rounding, right after.
    made = attack(Above(103.1), x, y)
    assert levels(made) == [103.4] * 2
    assert levels(eight_bit.rounded(made, x, attack.pixel_ball)) == [103] * 2
    assert [(name, len(worked_on)) for name, _, worked_on in seen] == [("pgd", 2), (also, 2)]
    # A later member's success that survives takes its place.
    weak = {**PIXEL, "step_size": 2.2 / 255, "steps": 1}
    attack = attacks.create("worst_case", attacks=[weak, {"name": also}], eps=3.4 / 255)
    assert levels(attack(Above(102.1), x, y)) == [103.4] * 2


def test_the_smallest_disturbance_is_clipped_and_pushed_out():
    x, y = pixels()
    search = {"name": "minimum_norm", "steps": 20}
    attack = attacks.create("worst_case", attacks=[search], eps=3.4 / 255)
    # Beside the boundary at 102.1, rounding undoes it; on the ball's surface it does not.
    assert levels(attack(Above(102.1), x, y)) == [103.4]
    # Out of reach, it comes back to the ball.
    assert levels(attack(Above(106.1), x, y)) == [103.4]
    # Wrong undisturbed, the image comes back as it is.
    assert torch.equal(attack(Above(99.1), x, y), x)


@pytest.mark.parametrize(("classes", "choices"), [(2, [1]), (3, [1, 2]), (5, [1, 2, 3])])
def test_of_few_classes_there_are_fewer_differences(classes, choices, monkeypatch):
    x, y = pixels()
    seen = watched(monkeypatch)
    x_adv = attacks.create("worst_case", eps=3.4 / 255)(Above(106.1, classes), x, y)
    assert levels(x_adv) == [103.4]
    assert [name for name, _, _ in seen] == ["pgd"] * (3 + len(choices)) + ["minimum_norm"]
    assert [choice for _, choice, _ in seen[3:-1]] == choices


@pytest.mark.parametrize("eps", [0, 0.03, 8 / 255])
def test_by_default_it_takes_no_image_one_image_and_any_eps(eps, network):
    x = images()[:1]
    attack = attacks.create("worst_case", eps=eps)
    with torch.no_grad():
        y = network(x).argmax(1)
    assert attack(network, x[:0], y[:0]).shape == (0, 1, 12, 12)
    x_adv = attack(network, x, y)
    assert (x_adv - x).abs().max() <= eps + 1e-6
    assert torch.equal(attack(network, x, (y + 1) % 4), x)


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
