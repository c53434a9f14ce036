"""A stochastic network as its mean over draws: the same each time, alone or among others."""

from functools import partial

import lab_networks
import pytest
import torch
from lab_networks import CLASSES, SHAPE, colour_data

from engine import attacks, models
from engine.errors import UsageError
from engine.networks import inference
from engine.networks.fast_copy import prepare
from engine.networks.probe import probe, some
from engine.networks.spaces import Preprocessed
from engine.networks.stochastic import Expectation

STEPS = {"preprocessing": ["grey", "gcn"]}


@pytest.fixture(scope="module")
def data():
    return colour_data()


@pytest.fixture
def images(data):
    return torch.from_numpy(data.test.images)


def architecture(name="Stochastic", draws=20, **options):
    return models.create("external", module=f"lab_networks:{name}", draws=draws, **options)


@pytest.fixture
def network():
    return architecture().build(SHAPE, CLASSES, seed=0).eval()


def probed(chosen, data):
    network = chosen.build(SHAPE, CLASSES, seed=0)
    return probe(network, some(data.train), CLASSES, name=chosen.called)


def test_it_answers_the_same_each_time_and_alone(network, images):
    before = torch.random.get_rng_state()
    together = network(images)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(5)
    assert torch.equal(network(images), together)
    assert torch.equal(torch.cat([network(images[i : i + 1]) for i in range(3)]), together[:3])
    assert torch.equal(network(images.flip(0)), together.flip(0))


def test_the_answer_is_the_log_of_the_mean_softmax_and_the_gradient_that_of_the_mean():
    inner = lab_networks.Stochastic()
    network = Expectation(inner, 7).eval()
    x = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    answer = network(x)
    (gradient,) = torch.autograd.grad(answer[0, 2], x)
    with torch.random.fork_rng():
        torch.manual_seed(0x5EED)
        noise = 0.3 * torch.randn(7, *SHAPE)
    p = torch.stack([inner.n(x + each).softmax(1)[0] for each in noise])
    torch.testing.assert_close(answer[0], p.mean(0).log())
    (expected,) = torch.autograd.grad(p.mean(0)[2].log(), x)
    torch.testing.assert_close(gradient, expected)
    assert answer.logsumexp(1).item() == pytest.approx(0, abs=1e-5)


def test_more_draws_come_nearer_to_the_expectation(images):
    inner = lab_networks.Stochastic()
    few, more, many = (Expectation(inner, n).eval()(images).exp() for n in (2, 50, 1000))
    assert (more - many).abs().mean() < (few - many).abs().mean() / 2


def test_in_training_it_is_the_network_itself(network, images):
    network.train()
    assert not torch.equal(network(images), network(images))
    assert network(images).logsumexp(1).abs().max() > 1e-2


def test_its_state_has_the_networks_own_names_and_goes_back():
    plain = architecture(draws=1).build(SHAPE, CLASSES, seed=3)
    for options in ({}, STEPS):
        module = "lab_networks:Grey" if options else "lab_networks:Stochastic"
        one, drawn = (
            models.create("external", module=module, draws=n, **options).build(
                SHAPE, CLASSES, seed=3
            )
            for n in (1, 5)
        )
        assert list(one.state_dict()) == list(drawn.state_dict())
        other = models.create("external", module=module, draws=5, **options).build(
            SHAPE, CLASSES, seed=4
        )
        other.load_state_dict(one.state_dict())
        assert all(
            torch.equal(a, b)
            for a, b in zip(other.state_dict().values(), drawn.state_dict().values(), strict=True)
        )
        with pytest.raises(RuntimeError, match="Unexpected key"):
            other.load_state_dict({**one.state_dict(), "more": torch.zeros(1)})
    assert isinstance(drawn, Preprocessed)
    assert isinstance(drawn.network, Expectation)
    assert not isinstance(plain, Expectation)


def test_the_configuration_is_as_before_where_nothing_is_random():
    for name in models.registry.names():
        own = {"module": "lab_networks:Plain"} if name == "external" else {}
        made = models.create(name, **own)
        assert "draws" not in made.config()
        assert "draws" not in repr(made)
    drawn = architecture()
    assert drawn.config()["draws"] == 20
    assert models.registry.from_config(drawn.config()) == drawn
    assert eval(repr(drawn), {"models": models}) == drawn
    for wrong in (0, 1001):
        with pytest.raises(UsageError, match="draws"):
            architecture(draws=wrong)


def test_the_probe_tells_how_many_draws_and_refuses_those_that_help_nothing(data):
    found = probed(architecture(), data)
    assert found.draws == 20
    assert "stochastic, 20 draws" in found.notes[0]
    for name, said in {
        "Plain": "has draws 20, but nothing in it is random in evaluation mode",
        "StochasticElsewhere": "answers differently when it is asked again",
        "SoftmaxFunctional": "gives probabilities",
    }.items():
        with pytest.raises(UsageError, match=said):
            probed(architecture(name), data)


def test_attacks_follow_the_mean_behind_preprocessing_and_on_a_copy(images):
    chosen = models.create("external", module="lab_networks:Grey", draws=4, **STEPS)
    network = chosen.build(SHAPE, CLASSES, seed=0).eval()
    y = torch.arange(len(images)) % CLASSES
    assert torch.equal(prepare(network, images)(images), network(images))
    for space in ("pixels", "model_input"):
        fgsm = attacks.create("fgsm", eps=0.2, space=space)
        made = fgsm(network, images, y)
        assert torch.equal(made[:2], fgsm(network, images[:2], y[:2]))
        loss = torch.nn.functional.cross_entropy
        assert loss(network(made), y) > loss(network(images), y)
        prepared = attacks.create("fgsm", eps=0.2, space=space, prepare=True)
        assert ((prepared(network, images, y) - made).abs() < 1e-5).float().mean() > 0.99


def test_predictions_and_gradient_norms_are_repeatable(network, data):
    norms = partial(inference.gradient_norms, labels=data.test.labels)
    for ask in (inference.logits, norms):
        first, second = (ask(network, data.test.images) for _ in range(2))
        assert (first == second).all()
