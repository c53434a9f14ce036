"""The marks of networks of which it is known what they are: each its own, and no other."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from networks import Scaled
from sklearn.datasets import load_digits
from torch import nn

from engine import attacks, datasets, defenses, models
from engine.datasets import Split, evenly
from engine.defenses import Context
from engine.networks import inference
from engine.networks.stochastic import Expectation
from engine.robustness import climbing, doubt
from engine.robustness.climbing import Rungs
from engine.robustness.doubt import MASKED, ONE_STEP, STOCHASTIC, Ladder, examine

EPS = [0.1, 0.2, 1.0]
_QUICK = {"name": "pgd", "steps": 20, "keep": "first_success"}
STRONG = attacks.create("worst_case", attacks=[{**_QUICK, "loss": "margin"}])
RUNGS = Rungs(steps=10, restarts=2, queries=60, strong=STRONG)


class Quantised(nn.Module):
    """Its input in five grey levels: the gradient is zero, and no attack by gradients moves."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(torch.round(x * 4) / 4)


class Noisy(nn.Module):
    """It answers differently each time."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x + 0.1 * torch.randn_like(x))


@pytest.fixture(scope="module")
def small():
    """Train and test images of 8x8 pixels."""
    raw = load_digits()
    pixels = np.round(raw.images * 255 / 16).astype(np.uint8)[:, None]
    return Split(pixels[:1200], raw.target[:1200]), Split(pixels[1200:], raw.target[1200:])


@pytest.fixture(scope="module")
def honest(small):
    return trained(small[0], "none")


def plain():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256, 10),
        )


def trained(split, defense, net=None, lr=3e-3, **params):
    """A network trained for 150 steps."""
    objective = defenses.create(defense, **params)
    required = {
        role: trained(split, before.name, temperature=before.temperature)
        for role, before in objective.requires().items()
    }
    net = net or plain()
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    net.train()
    for _ in range(150):
        chosen = torch.randint(len(labels), (32,), generator=generator)
        loss, _ = objective.loss(net, images[chosen], labels[chosen], Context(required))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def climbed(net, split, rungs=RUNGS, eps=EPS) -> Ladder:
    arrays = climbing.climb(
        net, split, eps=eps, rungs=rungs, seed=0, others={}, progress=lambda _event: None
    )
    return Ladder(list(arrays.pop("eps")), draws=int(arrays.pop("draws")), **arrays)


def judged(net, split, *, rungs=RUNGS, eps=EPS, one_step=False):
    """The ladder, all reasons to doubt the network, and what is noted of the attacks."""
    ladder = climbed(net, split, rungs, eps)
    norms = inference.gradient_norms(net, split.images, split.labels)
    zero = norms[np.arange(len(split)), split.labels] == 0
    found = doubt.summary(examine(ladder, zero, one_step_trained=one_step))
    return ladder, set(found["reasons"]), set(found["notes"])


def test_the_same_weights_are_masked_only_with_logits_that_saturate(honest, small):
    split = evenly(small[1], 100)
    ladder, reasons, notes = judged(honest, split)
    assert (reasons, notes) == (set(), set())
    _, reasons, notes = judged(Scaled(copy.deepcopy(honest), 0.01), split)
    assert (reasons, notes) == (set(), {"a loss is weak here"})
    saturated, reasons, _ = judged(Scaled(copy.deepcopy(honest), 50.0), split)
    assert reasons == {MASKED}
    # Whoever is not fooled by the masking finds the same weakness.
    assert saturated.right(saturated.margin).mean(1) == pytest.approx(
        ladder.right(ladder.margin).mean(1), abs=0.05
    )


def test_a_penalised_network_is_honest(small):
    net = trained(small[0], "gradient_penalty", strength=0.3)
    _, reasons, _ = judged(net, evenly(small[1], 100))
    assert reasons == set()


def test_a_distilled_network_is_masked(small):
    net = trained(small[0], "distillation", temperature=50)
    _, reasons, _ = judged(net, evenly(small[1], 100))
    assert reasons == {MASKED}


def test_a_quantised_network_is_masked_and_a_blind_search_sees_it(honest, small):
    ladder, reasons, _ = judged(Quantised(honest), evenly(small[1], 100))
    assert reasons == {MASKED}
    found = {each.check: each.state for each in examine(ladder, np.zeros(9, dtype=bool))}
    assert found["gradients beat a blind search"] == "failed"


@pytest.mark.parametrize("declared", [False, True])
def test_a_network_that_draws_is_stochastic_and_attacked_through_its_mean(honest, small, declared):
    net = Expectation(Noisy(honest), 4) if declared else Noisy(honest)
    rungs = Rungs(steps=4, restarts=1, queries=5, strong=attacks.create("fgsm"))
    ladder, reasons, _ = judged(net, evenly(small[1], 24), rungs=rungs, eps=[0.2])
    assert reasons == {STOCHASTIC}
    assert ladder.draws == (4 if declared else climbing.DRAWS)
    assert ladder.random.all()
    if not declared:
        again = climbed(net, evenly(small[1], 24), rungs, [0.2])
        assert np.array_equal(again.clean, ladder.clean)
        assert np.array_equal(again.worst_case, ladder.worst_case)


def test_one_that_was_trained_on_fgsm_examples_is_robust_to_one_step_only():
    data = datasets.create("digits").load()
    net = models.create("small_cnn", channels=(8, 8), hidden=32).build(data.shape, 10, seed=0)
    assert defenses.create("adversarial_training", eps=0.3).fits_one_step()
    trained(data.train, "adversarial_training", net, lr=6e-3, eps=0.3)
    ladder, reasons, _ = judged(net, evenly(data.test, 100), eps=[0.2, 0.3], one_step=True)
    assert reasons == {ONE_STEP}, ladder.right(ladder.fgsm).mean(1)


def test_who_fits_one_step_is_known_of_the_defense():
    def fits(*configs):
        return defenses.combine(configs).fits_one_step()

    training = {"name": "adversarial_training"}
    assert fits(training)
    assert fits({**training, "random_start": True})
    assert fits({"name": "gradient_penalty"}, training)
    assert not fits({**training, "steps": 2})
    assert not fits({**training, "mix": 0})
    assert not fits("gradient_penalty")
    assert not fits("none")
    assert not fits("distillation")


def test_the_same_seed_climbs_to_the_same_answers(honest, small):
    split = evenly(small[1], 20)

    def climb(seed):
        return climbing.climb(
            honest,
            split,
            eps=[0.05],
            rungs=Rungs(steps=3, restarts=2, queries=5, strong=STRONG),
            seed=seed,
            others={"itself": honest},
            progress=lambda _event: None,
        )

    first, again = climb(1), climb(1)
    assert first.keys() == again.keys()
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert np.array_equal(first["transferred_itself"], first["fgsm"])
    assert not first["random"].any()
    assert first["draws"] == 1


def test_what_is_asked_lies_in_the_ball_as_8_bit_pixels(honest, small, monkeypatch):
    """Of .03 that are 7 levels; 7.65 rounded to the nearest would be 8."""
    split, asked = evenly(small[1], 20), []

    def predict(network, images):
        asked.append(images)
        return inference.predict(network, images)

    monkeypatch.setattr(climbing, "predict", predict)
    climbing.climb(
        honest,
        split,
        eps=[0.03],
        rungs=Rungs(steps=3, restarts=1, queries=5, strong=STRONG),
        seed=0,
        others={"itself": honest},
        progress=lambda _event: None,
    )
    whole = [images for images in asked if len(images) == len(split)]
    levels = [np.round(np.abs(images - split.images).max() * 255, 3) for images in whole]
    assert set(levels) == {0, 7}  # clean, noise, FGSM twice, and both transfers
    assert len(whole) >= 6
