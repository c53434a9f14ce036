"""PGD's decaying steps, its logit differences, and the first success that rounding keeps."""

import pytest
import torch
from networks import Scaled, small_cnn, warmed
from pixel_networks import Above, images, levels

from engine import attacks
from engine.errors import UsageError
from engine.networks.inference import frozen
from engine.networks.spaces import Preprocessed
from engine.preprocessing import registry as steps


@pytest.fixture(scope="module")
def network():
    network = warmed(small_cnn(), (1, 12, 12)).requires_grad_(False)
    with torch.no_grad():
        network.logits.bias -= network(batch()[0]).mean(0)  # no class is far ahead
    return network


def batch():
    return torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(1)), torch.arange(6) % 4


LENGTHS = {  # four steps at eps .1, by hand: half a cosine over a diameter, or a radius
    "linf": [0.2, 0.1 + 0.1 * 2**-0.5, 0.1, 0.1 - 0.1 * 2**-0.5],
    "l2": [0.1, 0.05 + 0.05 * 2**-0.5, 0.05, 0.05 - 0.05 * 2**-0.5],
}


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_left_to_themselves_steps_decay_along_half_a_cosine(norm, network):
    x, y = batch()
    expected = x
    for length in LENGTHS[norm]:
        z = expected.clone().requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(network(z), y, reduction="sum")
        (g,) = torch.autograd.grad(loss, z)
        g = g.sign() if norm == "linf" else g / g.flatten(1).norm(dim=1)[:, None, None, None]
        delta = expected + length * g - x
        size = delta.flatten(1).norm(torch.inf if norm == "linf" else 2, dim=1)
        if norm == "linf":
            delta = delta.clamp(-0.1, 0.1)
        else:
            delta = delta * (0.1 / size).clamp(max=1)[:, None, None, None]
        expected = (x + delta).clamp(0, 1)
    attack = attacks.create("pgd", eps=0.1, norm=norm, steps=4, random_start=False)
    assert torch.allclose(attack(network, x, y), expected, atol=1e-6)
    constant = attacks.create(
        "pgd", eps=0.1, norm=norm, steps=4, random_start=False, step_size=2.5 * 0.1 / 4
    )
    assert not torch.allclose(constant(network, x, y), expected, atol=1e-3)


def test_steps_of_no_length_stay_at_the_start(network):
    x, y = batch()
    attack = attacks.create("pgd", step_size=0, random_start=False)
    assert torch.equal(attack(network, x, y), x)


def towards(network, x, high, low):
    z = x.clone().requires_grad_(True)
    logits = network(z)
    rows = range(len(x))
    return torch.autograd.grad((logits[rows, high] - logits[rows, low]).sum(), z)[0]


@pytest.mark.parametrize("choice", [1, 2, 3, 9])
def test_a_difference_climbs_one_class_whichever_is_ahead_meanwhile(choice, network):
    x, y = batch()
    order = []
    for logits, own in zip(network(x), y, strict=True):
        others = [k for k in range(4) if k != own]
        ranked = sorted(others, key=lambda k, logits=logits: -logits[k])
        order.append(ranked[min(choice, 3) - 1])
    expected = x
    for _ in range(3):
        step = 0.05 * towards(network, expected, order, y.tolist()).sign()
        expected = (x + (expected + step - x).clamp(-0.1, 0.1)).clamp(0, 1)
    params = {"eps": 0.1, "steps": 3, "step_size": 0.05, "random_start": False}
    attack = attacks.create("pgd", loss="difference", choice=choice, **params)
    assert torch.allclose(attack(network, x, y), expected, atol=1e-6)


def test_towards_a_target_the_difference_is_the_targets(network):
    x, y = batch()
    target = (y + 2) % 4
    expected = (x + 0.05 * towards(network, x, target.tolist(), y.tolist()).sign()).clamp(0, 1)
    params = {"steps": 1, "step_size": 0.05, "random_start": False, "loss": "difference"}
    attack = attacks.create("pgd", label="target", **params)
    assert torch.equal(attack(network, x, y, target), expected)
    own = network(x).argmax(1)
    blind = attacks.create("pgd", label="predicted", **params)
    assert torch.equal(blind(network, x, y), blind(network, x, own))


def test_a_difference_moves_where_cross_entropy_is_masked(network):
    x, _ = batch()
    masked = Scaled(network, 1e5)
    with frozen(masked):
        y = masked(x).argmax(1)
    attack = attacks.create("pgd", loss="difference", choice=3, random_start=False, steps=2)
    assert ((attack(masked, x, y) - x).flatten(1).abs().amax(1) > 0).all()


@pytest.mark.parametrize("params", [{"loss": "margin"}, {"loss": "difference", "label": "target"}])
def test_a_choice_that_nothing_comes_of_is_refused(params):
    with pytest.raises(UsageError, match="choice 2 counts with the loss difference"):
        attacks.create("pgd", choice=2, **params)


STEP = {"eps": 3.4 / 255, "step_size": 2.3 / 255, "random_start": False, "steps": 3}


def first_success(model, count=1, **params):
    x, y = images(count)
    attack = attacks.create("pgd", loss="margin", keep="first_success", **STEP, **params)
    return levels(attack(model, x, y))


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (102.1, 103.4),  # 102.3 is a success and 102 is none; 103.4 is one, and so is 103
        (103.1, 103.4),  # 103.4 is one, and 103, the furthest in the ball, is none
        (101.9, 102.3),  # the first survives
        (103.9, 103.4),  # there is none
    ],
)
@pytest.mark.parametrize("restarts", [1, 2])
def test_the_first_success_is_one_that_survives_rounding_within_the_ball(level, expected, restarts):
    assert first_success(Above(level), restarts=restarts) == [expected]


def test_where_none_survives_rounding_the_first_success_of_all_is_kept():
    # With no more than 2 levels: 102.3 and 102.4 are successes, 102 is none.
    x, y = images(3)
    attack = attacks.create(
        "pgd", keep="first_success", loss="margin", **{**STEP, "eps": 2.4 / 255}
    )
    assert levels(attack(Above(102.2), x, y)) == [102.3] * 3


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_last_iterate_that_survives_counts(restarts):
    x, y = images()
    attack = attacks.create(
        "pgd", keep="first_success", loss="margin", restarts=restarts, **{**STEP, "steps": 2}
    )
    # 102.3 is kept in case; the very last step reaches 103.4.
    assert levels(attack(Above(102.1), x, y)) == [103.4]


def test_behind_preprocessing_pixels_are_rounded_and_no_ball_is_kept():
    shift = steps.create("shift", by=-0.5)
    found = []
    for level in (102.1, 103.1):
        model = Preprocessed([shift], [], Above(level - 127.5))
        found += first_success(model, space="model_input")
    # 103.4 rounds to 103, which is above 102.1; above 103.1 nothing is.
    assert found == [103.4, 103.4]
    far = {**STEP, "eps": 3.6 / 255}
    attack = attacks.create(
        "pgd", loss="margin", keep="first_success", space="model_input", restarts=2, **far
    )
    seen = []
    x, y = images()
    # 103.6 rounds to 104: out of the ball, in which 3 levels would be the most.
    made = attack(Preprocessed([shift], [], Above(103.5 - 127.5)), x, y, trace=seen.append)
    assert levels(made) == [103.6]
    assert len(seen) == 4  # done in the first restart


class OnGPU(torch.Tensor):
    """Says that it lies on a GPU, where attacks work with masks."""

    is_cuda = True


def test_with_masks_as_on_a_gpu_first_successes_are_the_same(network):
    x, _ = batch()
    y = network(x).argmax(1)
    attack = attacks.create("pgd", eps=0.05, steps=6, keep="first_success", restarts=2)
    plain = attack(network, x, y)
    masked = attack(network, x.as_subclass(OnGPU), y).as_subclass(torch.Tensor)
    assert torch.allclose(masked, plain, atol=1e-5)
    assert not torch.allclose(plain, x, atol=1e-3)
