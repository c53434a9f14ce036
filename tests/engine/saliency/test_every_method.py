"""What every saliency method promises, whatever it draws.

A new member is here by itself; what it cannot be created without stands in `PARAMS`.
"""

from functools import cache

import numpy as np
import pytest
import torch
from networks import small_cnn, warmed
from torch import nn

from engine import preprocessing, saliency
from engine.errors import UsageError
from engine.models import create
from engine.networks.memory import Memory
from engine.networks.spaces import Preprocessed
from engine.networks.stochastic import Expectation
from engine.saliency import Target

PARAMS: dict[str, dict] = {
    "gradient_shap": {"samples": 3},
    "integrated_gradients": {"steps": 8, "most_steps": 16},
    "occlusion": {"window": 4, "stride": 4},
    "rise": {"masks": 20, "grid": 3},
    "smooth_grad": {"samples": 3},
}
"""Parameters that a member needs, or that make it quick."""
NAMES = saliency.registry.names()
SHAPE = (3, 12, 12)
IMAGES = np.random.default_rng(0).random((5, *SHAPE), dtype=np.float32)
CLASSES = np.array([0, 1, 2, 3, 0])
SEEDS = np.array([5, 6, 7, 8, 9])


def method(name: str) -> saliency.SaliencyMethod:
    try:
        return saliency.create(name, **PARAMS.get(name, {}))
    except UsageError as error:
        pytest.fail(f"give what {name} needs in PARAMS of this file: {error}")


@cache
def network() -> nn.Module:
    architecture = create("small_cnn", channels=(4, 4), hidden=8)
    return warmed(architecture.build(SHAPE, 4, seed=0), SHAPE)


def maps(
    name: str,
    images=IMAGES,
    classes=CLASSES,
    against=None,
    seeds=SEEDS,
    net: nn.Module | None = None,
) -> saliency.Attribution:
    asked = method(name)
    baseline = np.full_like(images, 0.2) if asked.uses_baseline else None
    target = Target(classes, against)
    given = {"seeds": seeds, "baseline": baseline}
    return asked.attribute(net or network(), images, target, **given)


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether maps are the same but for last bits."""
    return np.allclose(one, other, rtol=1e-4, atol=2e-5 * max(np.abs(one).max(), 1e-12))


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_finite_signed_and_of_the_images(name):
    found = maps(name)
    assert found.maps.dtype == np.float32
    assert found.maps.shape[0] == len(IMAGES)
    assert found.maps.shape[1] in (1, SHAPE[0])
    assert found.at(SHAPE[1:]).shape[2:] == SHAPE[1:]
    assert np.isfinite(found.maps).all()
    assert found.maps.any(), "all maps are zero"
    assert all(len(values) == len(IMAGES) for values in found.facts.values())
    assert ("delta" in found.facts) == method(name).complete


@pytest.mark.parametrize("name", NAMES)
def test_the_target_decides_the_map(name):
    here, there = (maps(name, classes=(CLASSES + more) % 4).maps for more in (0, 1))
    difference = maps(name, against=(CLASSES + 1) % 4).maps
    if method(name).explains_a_class:
        assert not any(alike(one, other) for one, other in zip(here, there, strict=True))
        assert not any(alike(one, other) for one, other in zip(here, difference, strict=True))
    else:
        assert np.array_equal(here, there)
        assert np.array_equal(here, difference)


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_maps_and_others_others_where_it_draws(name):
    first, again, other = (maps(name, seeds=seeds).maps for seeds in (SEEDS, SEEDS, SEEDS + 10))
    assert np.array_equal(first, again)
    if method(name).draws:
        assert not any(alike(one, two) for one, two in zip(first, other, strict=True))
    else:
        assert np.array_equal(first, other)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_does_not_depend_on_the_batch(name):
    together = maps(name)
    order = np.array([3, 0, 4, 1, 2])
    shuffled = maps(name, IMAGES[order], CLASSES[order], seeds=SEEDS[order]).maps
    assert alike(together.maps[order], shuffled)
    one = slice(1, 2)
    alone = maps(name, IMAGES[one], CLASSES[one], seeds=SEEDS[one])
    assert alike(together.maps[one], alone.maps)
    for fact, values in together.facts.items():
        assert np.allclose(values[one], alone.facts[fact], atol=1e-4)


class Largest(nn.Module):
    """Notes how many images it was given at a time, at most."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.images = 0

    def forward(self, x):
        self.images = max(self.images, len(x))
        return self.inner(x)


@pytest.mark.parametrize("name", NAMES)
def test_the_network_is_given_no_more_images_at_a_time_than_memory_holds(name):
    net = Largest(network())
    with Memory(None, largest=2).applied():
        few = maps(name, net=net).maps
    assert net.images <= 2
    assert alike(maps(name).maps, few)


def state(net: nn.Module) -> list:
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [
        (module, sorted(vars(module)), module.training, [len(getattr(module, h)) for h in hooks])
        for module in net.modules()
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_network_and_the_random_states_are_left_as_found(name):
    net = create("small_cnn", channels=(4, 4), hidden=8).build(SHAPE, 4, seed=0).train()
    next(each for each in net.modules() if isinstance(each, nn.BatchNorm2d)).eval()
    weights = list(net.parameters())
    weights[0].requires_grad_(False)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    values = {key: value.clone() for key, value in net.state_dict().items()}
    modules, images = state(net), IMAGES.copy()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    maps(name, net=net)
    assert state(net) == modules
    assert [weight.requires_grad for weight in weights] == [False] + [True] * (len(weights) - 1)
    assert all((weight.grad == 1).all() for weight in weights)
    assert all(torch.equal(value, values[key]) for key, value in net.state_dict().items())
    assert np.array_equal(images, IMAGES)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 1])
def test_black_and_white_images_have_finite_maps(name, value):
    flat = np.full((2, *SHAPE), value, np.float32)
    assert np.isfinite(maps(name, flat, CLASSES[:2], seeds=SEEDS[:2]).maps).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_legend_says_what_the_sign_means(name):
    said = method(name).quantity("the logit of the true label")
    assert "positive" in said or "negative" in said or "sign" in said


class Noisy(nn.Module):
    """Draws when it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, x):
        return self.inner(x + 0.1 * torch.randn_like(x))


@pytest.mark.parametrize("name", NAMES)
def test_wrapped_networks_are_explained_or_refused_with_a_reason(name):
    steps = (preprocessing.create("grey"),)
    grey = Preprocessed(steps, (), small_cnn())
    for net in (network(), grey.eval(), Expectation(Noisy(), 2).eval()):
        asked = method(name)
        baseline = np.zeros_like(IMAGES) if asked.uses_baseline else None
        given = {"seeds": SEEDS, "baseline": baseline}
        fit = asked.fit(net, IMAGES, Target(CLASSES), **given)
        if isinstance(net, Expectation):
            assert all(reason.code != "raises" for reason in fit.reasons)
        else:
            assert fit.verdict == "fits", fit.reasons
        if fit.verdict != "refused":
            assert np.isfinite(maps(name, net=net).maps).all()
