"""Doubting robustness: on answers made up, and on networks known to be masked or to leak."""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Scaled
from torch.nn import functional as F

from engine import attacks, datasets, models
from engine.datasets import evenly
from engine.networks import inference
from engine.robustness import climbing, doubt
from engine.robustness.doubt import LEAKING, MASKED, Ladder, examine, hides_gradients

N = 200
EPS = [0.03, 0.1, 0.3, 1.0]
NO_ZEROS = np.zeros(N, dtype=bool)


def answers(*accuracies):
    """Answers of which so many are right (label 0): the first ones, so that sets are nested."""
    return np.stack([(np.arange(N) >= round(share * N)).astype(np.int64) for share in accuracies])


def sound(**changes) -> Ladder:
    """What an honest, undefended model answers."""
    ladder = Ladder(
        EPS,
        labels=np.zeros(N, dtype=np.int64),
        clean=answers(0.98)[0],
        noise=answers(0.97, 0.9, 0.5, 0.1),
        fgsm=answers(0.8, 0.5, 0.2, 0.1),
        fgsm_predicted=answers(0.8, 0.5, 0.2, 0.1),
        cross_entropy=answers(0.6, 0.2, 0.0, 0.0),
        margin=answers(0.58, 0.18, 0.0, 0.0),
        scaled=answers(0.62, 0.2, 0.0, 0.0),
        transferred={"other": answers(0.9, 0.8, 0.5, 0.2)},
    )
    return replace(ladder, **changes)


def failed(ladder, zeros=NO_ZEROS) -> dict[str, str]:
    return {each.check: each.reason for each in examine(ladder, zeros) if not each.passed}


PGD = ("cross_entropy", "margin", "scaled")
FGSM = ("fgsm", "fgsm_predicted")
TWO = {"good": answers(0.9, 0.9, 0.9, 0.9), "bad": answers(0.9, 0.0, 0.5, 0.2)}


def test_a_sound_model_is_not_doubted():
    assert failed(sound()) == {}


@pytest.mark.parametrize(
    ("check", "reason", "changes"),
    [
        ("full range", MASKED, dict.fromkeys(PGD, answers(0.6, 0.2, 0.1, 0.05))),
        ("falls with ε", MASKED, dict.fromkeys(PGD, answers(0.2, 0.5, 0.0, 0.0))),
        ("iterated beats one step", MASKED, dict.fromkeys(FGSM, answers(0.4, 0.1, 0.0, 0.0))),
        ("white box beats transfer", MASKED, {"transferred": TWO}),
        ("attack beats noise", MASKED, {"noise": answers(0.4, 0.9, 0.5, 0.1)}),
        ("cross-entropy keeps up", MASKED, {"cross_entropy": answers(0.9, 0.2, 0.0, 0.0)}),
        ("margin keeps up", MASKED, {"margin": answers(0.6, 0.4, 0.0, 0.0)}),
        ("logits scaled", MASKED, {"scaled": answers(0.4, 0.1, 0.0, 0.0)}),
        ("FGSM sees no label", LEAKING, {"fgsm_predicted": answers(0.6, 0.5, 0.2, 0.1)}),
        ("FGSM never helps", LEAKING, dict.fromkeys(FGSM, answers(0.8, 0.5, 0.9, 0.1))),
        ("FGSM never helps", LEAKING, {"clean": answers(0.6)[0]}),
    ],
)
def test_each_broken_rung_is_found_and_named(check, reason, changes):
    assert failed(sound(**changes)).get(check) == reason


def test_zero_gradients_are_masking_when_most_are():
    few, most = NO_ZEROS.copy(), NO_ZEROS.copy()
    few[: N // 2] = True
    most[: N // 2 + 1] = True
    assert failed(sound(), few) == {}
    assert failed(sound(), most) == {"zero gradients": MASKED}
    assert not hides_gradients(few.mean())
    assert hides_gradients(most.mean())


def test_chance_is_no_reason_to_doubt():
    """One image in two hundred that a weaker attack fools and a stronger one does not."""
    transferred = answers(0.9, 0.8, 0.5, 0.2)
    transferred[1, 0] = 1
    assert failed(sound(transferred={"other": transferred})) == {}


@settings(max_examples=30)
@given(st.data())
def test_a_stronger_white_box_never_brings_new_doubt_of_its_strength(data):
    """Fooling more images with both losses cannot break the order that they should win."""
    before = sound(margin=answers(0.9, 0.6, 0.4, 0.1), cross_entropy=answers(0.9, 0.6, 0.4, 0.1))
    more = np.array(data.draw(st.lists(st.booleans(), min_size=N, max_size=N)))
    after = replace(
        before,
        margin=np.where(more, 1, before.margin),
        cross_entropy=np.where(more, 1, before.cross_entropy),
    )
    of_strength = {"iterated beats one step", "white box beats transfer", "attack beats noise"}
    assert failed(after).keys() & of_strength <= failed(before).keys() & of_strength


def test_a_single_model_at_a_single_eps_has_fewer_tests_and_no_error():
    one = {
        each.name: getattr(sound(), each.name)[:1]
        for each in fields(Ladder)
        if each.name not in ("eps", "labels", "clean", "transferred")
    }
    found = examine(sound(eps=[0.1], transferred={}, **one), NO_ZEROS)
    assert {"full range", "falls with ε", "white box beats transfer"}.isdisjoint(
        each.check for each in found
    )


def test_marks_and_their_legend():
    assert doubt.marked("None", []) == "None"
    assert doubt.marked("Distillation", [LEAKING, MASKED]) == "Distillation †‡"
    assert doubt.legend([]) == ""
    assert doubt.legend([LEAKING]) == "‡ label leaking."


# Real networks


@pytest.fixture(scope="module")
def digits():
    return datasets.create("digits").load()


@pytest.fixture(scope="module")
def network(digits):
    return trained(digits, lambda _network, x, _y: x)


def trained(data, disturb, steps=150):
    """A network trained on clean images and on what `disturb` makes of them."""
    net = models.create("small_cnn", channels=(8, 8), hidden=32).build(data.shape, 10, seed=0)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.from_numpy(data.train.images), torch.from_numpy(data.train.labels)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(steps):
            chosen = torch.randint(len(labels), (64,), generator=generator)
            x, y = images[chosen], labels[chosen]
            net.train()
            both = net(torch.cat([x, disturb(net, x, y)]))
            loss = F.cross_entropy(both, torch.cat([y, y]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


def doubts(net, data, eps=EPS, images=100):
    split = evenly(data.test, images)
    arrays = climbing.climb(
        net, split, eps=eps, steps=10, restarts=3, seed=0, others={}, progress=lambda _event: None
    )
    norms = inference.gradient_norms(net, split.images, split.labels)
    zero = norms[np.arange(len(split)), split.labels] == 0
    eps = [float(each) for each in arrays.pop("eps")]
    return Ladder(eps, **arrays), examine(Ladder(eps, **arrays), zero)


def test_the_same_weights_are_masked_only_with_logits_that_saturate(network, digits):
    plain, nothing = doubts(network, digits)
    assert [each for each in nothing if not each.passed] == []
    scaled, found = doubts(Scaled(copy.deepcopy(network), 20.0), digits)
    reasons = {each.check: each.reason for each in found if not each.passed}
    assert reasons["cross-entropy keeps up"] == reasons["logits scaled"] == MASKED
    # Whoever is not fooled by the masking finds the same weakness.
    assert scaled.right(scaled.margin).mean(1) == pytest.approx(
        plain.right(plain.margin).mean(1), abs=0.05
    )


def test_a_network_trained_on_true_label_fgsm_with_a_large_eps_leaks_labels(digits):
    fgsm = attacks.create("fgsm", eps=0.3, label="true")
    leaking = trained(digits, lambda net, x, y: fgsm(net, x, y), steps=250)
    climbed, found = doubts(leaking, digits, eps=[0.1, 0.3], images=250)
    assert LEAKING in doubt.summary(found)["reasons"], climbed.right(climbed.fgsm).mean(1)


def test_the_same_seed_climbs_to_the_same_answers(network, digits):
    split = evenly(digits.test, 20)

    def climb(seed):
        return climbing.climb(
            network,
            split,
            eps=[0.05],
            steps=3,
            restarts=2,
            seed=seed,
            others={"itself": network},
            progress=lambda _event: None,
        )

    first, again = climb(1), climb(1)
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert np.array_equal(first["transferred_itself"], first["fgsm"])
