"""JSMA against a search of all pairs, and against the whole attack written out plainly."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from networks import Scaled, small_cnn

from engine import attacks
from engine.attacks.jsma import _everywhere, _packed, salient_pair
from engine.errors import NotFiniteError
from engine.networks.inference import frozen
from engine.networks.spaces import Preprocessed

CLASSES = 4


def full_search(a, b, free):
    """Return the first best pair and its score, or None, of one image: every pair is tried."""
    a, b, free = (torch.as_tensor(values) for values in (a, b, free))
    best, found = torch.tensor(0.0), None
    for p in range(len(a)):
        q = torch.arange(p + 1, len(a))
        q = q[free[p] & free[p + 1 :]]
        alpha, minus_beta = a[p] + a[q], b[p] + b[q]
        scores = torch.where((alpha > 0) & (minus_beta > 0), alpha * minus_beta, 0)
        if len(q) and scores.max() > best:
            best = scores.max()
            found = (p, int(q[(scores == best).nonzero()[0, 0]]))
    return found, float(best)


def assert_same_pairs(a, b, free):
    p, q, score = salient_pair(a, b, free)
    for image in range(len(a)):
        found, _ = full_search(a[image], b[image], free[image])
        if found is None:
            assert score[image] == 0
        else:
            assert score[image] > 0
            assert (int(p[image]), int(q[image])) == found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("others", [0.0, 0.1, 1.0, 10.0, 1000.0])
def test_the_pair_is_that_of_the_full_search(others, seed):
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(16, 97, generator=generator)
    b = a - others * torch.randn(16, 97, generator=generator)
    free = torch.rand(16, 97, generator=generator) < torch.linspace(0, 1, 16)[:, None]
    if seed % 2:
        a, b = (2 * a).round(), (2 * b).round()  # many features, and many pairs, are equal
    assert_same_pairs(a, b, free)


@pytest.mark.parametrize("features", [2, 3, 64])
def test_where_nearly_every_feature_is_a_partner_and_where_all_are_alike(features):
    ramp = torch.linspace(0.1, 1, features)
    for a, b in (
        (ramp, ramp.flip(0)),
        (ramp, 1 / ramp),
        (ramp, ramp),
        (torch.ones(features), ramp),
        (torch.ones(features), torch.ones(features)),
        (torch.zeros(features), torch.zeros(features)),
        (-ramp, ramp),
        (ramp, -ramp),
        # One alone is inadmissible; with the right other one it is not.
        (torch.cat([torch.tensor([5.0]), -ramp[1:]]), torch.cat([torch.tensor([-1.0]), ramp[1:]])),
    ):
        everywhere = torch.ones(1, features, dtype=torch.bool)
        assert_same_pairs(a[None], b[None], everywhere)
        assert_same_pairs(a.flip(0)[None], b.flip(0)[None], everywhere)
        assert_same_pairs(a[None], b[None], ~everywhere)


# Few values, so that features and sums are equal; and such as vanish in a sum with others.
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 1 + 2**-23, 2**-25, -(2**-25), 1e-12, 3e8, -3e8]),
    st.floats(-1e9, 1e9, width=32).filter(lambda v: v == 0 or abs(v) > 1e-9),
)


@settings(max_examples=200)
@given(data=st.data(), features=st.integers(2, 24))
def test_the_pair_is_that_of_the_full_search_whatever_the_values(data, features):
    shape = (3, features)
    a, b = (
        torch.from_numpy(data.draw(arrays.arrays(np.float32, shape, elements=NUMBERS)))
        for _ in "ab"
    )
    free = torch.from_numpy(data.draw(arrays.arrays(np.bool_, shape)))
    assert_same_pairs(a, b, free)


@pytest.mark.parametrize("exponent", [-120, -60, 60, 120])
def test_the_size_of_the_gradient_does_not_matter(exponent):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 8, 40, generator=generator)
    free = torch.ones(8, 40, dtype=torch.bool)
    p, q, score = salient_pair(a, b, free)
    scaled = salient_pair(a * 2.0**exponent, b, free)
    assert (score > 0).all()
    assert all(map(torch.equal, (p, q, score), scaled))


def test_on_a_device_all_pairs_are_scored():
    everywhere = torch.ones(3, 5, dtype=torch.bool)
    assert all(map(torch.equal, _everywhere(everywhere.float()), _packed(everywhere)))


def plain_jsma(model, image, target, *, theta=1.0, gamma=0.25, direction="increase", softmax=False):
    """The paper's algorithm for one image (C, H, W): the whole Jacobian, every pair."""
    image = image.flatten()
    start, shape = image, (1, 1, 12, 12)
    with frozen(model):
        for _ in range(math.floor(gamma * len(image) / 2)):
            if int(model(image.view(shape)).argmax()) == target:
                break

            def outputs(flat):
                logits = model(flat.view(shape))[0]
                return logits.softmax(0) if softmax else logits

            jacobian = torch.autograd.functional.jacobian(outputs, image)
            others = sum(row for k, row in enumerate(jacobian) if k != target)
            best, step = 0.0, None
            for sign in {"increase": [1], "decrease": [-1], "both": [1, -1]}[direction]:
                bound = 1.0 if sign > 0 else 0.0
                free = (image != bound) & (sign * (image - start) >= 0)
                pair, score = full_search(sign * jacobian[target], -sign * others, free)
                if pair is not None and score > best:
                    best, step = score, (pair, sign)
            if step is None:
                break
            pair, sign = step
            image = image.clone()
            image[list(pair)] = (image[list(pair)] + sign * theta).clamp(0, 1)
    return image.view(shape[1:])


@pytest.fixture
def batch():
    x = torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    x[0] = 0.5  # a constant image
    x[1, :, 3:9] = (x[1, :, 3:9] > 0.5).float()  # many features at a bound
    return x, torch.tensor([0, 1, 2, 3, 0, 1])


@pytest.fixture
def network(batch):
    net = small_cnn()
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(2)))
        net.eval()
        net.logits.bias -= net(batch[0]).mean(0)  # no class is far ahead
    return net


def predicted(model, x):
    with frozen(model):
        return model(x).argmax(1)


@pytest.mark.parametrize("direction", ["increase", "decrease", "both"])
@pytest.mark.parametrize("jacobian", ["logits", "softmax"])
@pytest.mark.parametrize("theta", [1.0, 0.3])
def test_the_whole_attack_is_the_plain_one(theta, jacobian, direction, network, batch):
    x, y = batch
    attack = attacks.create("jsma", theta=theta, direction=direction, jacobian=jacobian)
    for shift in (1, 2):
        target = (y + shift) % CLASSES
        x_adv = attack(network, x, y, target)
        for image, aim in enumerate(target.tolist()):
            expected = plain_jsma(
                network,
                x[image],
                aim,
                theta=theta,
                direction=direction,
                softmax=jacobian == "softmax",
            )
            assert torch.equal(x_adv[image], expected)


def test_some_attacks_succeed_and_some_exhaust_their_budget(network, batch):
    # Else the comparison above would say little.
    x, y = batch
    hits = torch.stack(
        [
            predicted(network, attacks.create("jsma")(network, x, y, (y + s) % CLASSES))
            == (y + s) % CLASSES
            for s in (1, 2, 3)
        ]
    )
    assert 0 < hits.sum() < hits.numel()


def test_without_a_target_it_aims_at_the_next_class(network, batch):
    x, y = batch
    attack = attacks.create("jsma")
    assert torch.equal(attack(network, x, y), attack(network, x, y, (y + 1) % CLASSES))
    assert not torch.equal(attack(network, x, y), attack(network, x, y, (y + 2) % CLASSES))


@pytest.mark.parametrize("direction", ["increase", "decrease", "both"])
@pytest.mark.parametrize(("gamma", "features"), [(0.0, 0), (0.01, 0), (0.1, 14), (1.0, 144)])
def test_at_most_the_share_gamma_of_the_features_changes(
    gamma, features, direction, network, batch
):
    x, y = batch
    seen = []
    attack = attacks.create("jsma", gamma=gamma, theta=0.4, direction=direction)
    x_adv = attack(network, x, y, trace=seen.append)
    assert torch.equal(seen[0], x)
    assert torch.equal(seen[-1], x_adv)
    assert len(seen) <= 1 + features // 2
    for before, after in itertools.pairwise(seen):
        change = (after - before).flatten(1)
        assert set((change != 0).sum(1).tolist()) <= {0, 2}
        assert (change != 0).any()
        assert change.abs().max() <= 0.4 + 1e-6
    assert ((x_adv != x).flatten(1).sum(1) <= features).all()
    if direction != "both":
        sign = 1 if direction == "increase" else -1
        assert (sign * (x_adv - x) >= 0).all()


def test_an_image_stops_when_it_is_classified_as_its_target(network, batch):
    x, y = batch
    already = predicted(network, x)
    assert torch.equal(attacks.create("jsma")(network, x, y, already), x)
    target = (already + 1) % CLASSES
    seen = []
    x_adv = attacks.create("jsma", gamma=1)(network, x, y, target, trace=seen.append)
    for image in range(len(x)):
        hit = torch.stack([predicted(network, s)[image] == target[image] for s in seen])
        if hit.any():
            first = int(hit.nonzero()[0])
            assert torch.equal(x_adv[image], seen[first][image])
    assert hit.any()


def test_the_true_label_as_the_target_mends_a_wrong_image(network, batch):
    x, _ = batch
    y = predicted(network, x)
    y[:3] = (y[:3] + 1) % CLASSES
    x_adv = attacks.create("jsma", gamma=1, direction="both")(network, x, y, y)
    assert torch.equal(x_adv[3:], x[3:])
    assert (x_adv[:3] != x[:3]).flatten(1).any(1).all()


def test_saturated_and_dead_features_are_never_moved(network, batch):
    _, y = batch
    white = torch.ones(6, 1, 12, 12)
    asked = []
    hook = network.register_forward_hook(lambda *_: asked.append(1))
    assert torch.equal(attacks.create("jsma")(network, white, y), white)
    assert len(asked) == 1
    hook.remove()
    for direction in ("increase", "both"):
        attack = attacks.create("jsma", direction=direction)
        assert torch.equal(attack(Scaled(network, 0.0), *batch), batch[0])
        with pytest.raises(NotFiniteError):
            attack(Scaled(network, torch.inf), *batch)


def test_logits_are_unmoved_by_their_scale_and_softmax_is_masked(network, batch):
    x, y = batch
    target = (predicted(network, x) + 1) % CLASSES
    large = Scaled(network, 2.0**17)
    logits = attacks.create("jsma")
    assert torch.equal(logits(large, x, y, target), logits(network, x, y, target))
    softmax = attacks.create("jsma", jacobian="softmax")
    assert torch.equal(softmax(large, x, y, target), x)
    assert not torch.equal(softmax(network, x, y, target), x)


def test_on_binary_logits_both_jacobians_take_the_two_largest_gradients(batch):
    torch.manual_seed(0)
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 1, bias=False))

    class Binary(torch.nn.Module):
        def forward(self, x):
            score = linear(x) - 1e3  # out of reach, so that the budget decides
            return torch.cat([-score / 2, score / 2], 1)

    x, target = 0.9 * batch[0], torch.ones(6, dtype=torch.int64)
    x_adv = attacks.create("jsma", gamma=0.1)(Binary(), x, 1 - target, target)
    top = torch.zeros(144)
    top[linear[1].weight[0].topk(14).indices] = 1
    assert torch.equal(x_adv.flatten(1), torch.where(top > 0, 1.0, x.flatten(1)))


def test_colour_features_are_the_values_of_the_channels():
    torch.manual_seed(0)
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16, 3))
    with torch.no_grad():
        linear[1].bias[0] = 100
    x = 0.5 * torch.rand(4, 3, 4, 4)
    y = torch.zeros(4, dtype=torch.int64)
    x_adv = attacks.create("jsma", gamma=0.25)(linear, x, y)
    assert ((x_adv != x).flatten(1).sum(1) == 12).all()
    assert ((x_adv != x).any(1).flatten(1).sum(1) > 4).any()  # not whole pixels


def test_behind_the_preprocessing_it_keeps_the_bounds_of_the_pixels(network, batch):
    from engine import preprocessing

    x, y = batch[0][1:], batch[1][1:]
    model = Preprocessed([preprocessing.create("gcn")], [], network)
    attack = attacks.create("jsma", space="model_input", theta=0.5)
    seen = []
    x_adv = attack(model, x, y, (y + 2) % CLASSES, trace=seen.append)
    assert (x_adv != x).any()
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    deviation = x.flatten(1).std(1)
    step = (seen[1] - seen[0]).flatten(1).amax(1)
    assert (step <= 0.5 * deviation + 1e-6).all()
    assert torch.isclose(step, 0.5 * deviation, rtol=1e-4).any()


def test_finished_images_leave_the_batch(network, batch):
    x, y = batch
    target = (predicted(network, x) + 1) % CLASSES
    sizes = []
    network.register_forward_hook(lambda _module, given, _out: sizes.append(len(given[0])))
    seen = []
    attacks.create("jsma")(network, x, y, target, trace=seen.append)
    moved = [int((b != a).flatten(1).any(1).sum()) for a, b in itertools.pairwise(seen)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1 : len(moved) + 1] == moved[: len(sizes) - 1]
    assert sizes[0] == len(x)
    assert sizes[-1] < len(x)


@pytest.mark.parametrize(
    "params", [{"theta": 0}, {"theta": -1}, {"gamma": 1.1}, {"direction": "up"}, {"jacobian": "x"}]
)
def test_wrong_parameters_are_refused(params):
    from engine.errors import UsageError

    with pytest.raises(UsageError):
        attacks.create("jsma", **params)
