"""A method that does not apply to a network says so, and why, before a map is drawn."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from fit_networks import CASES
from lab_networks import RootOfZero
from networks import Scaled
from torch import nn

import engine
from engine.errors import NotFiniteError
from engine.networks import structure
from engine.saliency import Fit, Reason, SaliencyMethod, Target, _fit
from engine.saliency._batch import Explained

IMAGES = np.random.default_rng(0).random((5, 3, 8, 8), dtype=np.float32)
TARGET = Target(np.array([0, 1, 2, 3, 0]))
SEEDS = np.arange(5)


class Given(SaliencyMethod):
    """Gives what it is told to, for a batch."""

    def quantity(self, of):
        return of

    def explain(self, batch):
        return Explained(*type(self).gives(batch))


def of(gives, name="plain", upsampling="none", **facts):
    """Return the verdict on a method whose maps are `gives(batch)`."""
    made = type("Given", (Given,), {**facts, "gives": lambda batch: (gives(batch), upsampling)})
    net = CASES[name].network() if isinstance(name, str) else name
    return made().fit(net, IMAGES, TARGET, seeds=SEEDS, baseline=None)


def codes(fit):
    return {reason.code for reason in fit.reasons}


def gradient(batch):
    x = batch.x.requires_grad_(True)
    return torch.autograd.grad(batch.scalar(x, batch.classes, batch.against).sum(), x)[0]


def broken(batch):
    raise TypeError("Module of type LayerNorm has no rule defined")


def test_what_gives_maps_fits():
    assert of(gradient) == Fit()
    assert of(lambda batch: gradient(batch).sum(1, keepdim=True)) == Fit()
    assert of(lambda batch: gradient(batch)[:, :1, ::2, ::2], upsampling="bilinear") == Fit()


@pytest.mark.parametrize(
    ("gives", "code"),
    [
        (broken, "raises"),
        (lambda batch: torch.zeros(0), "empty"),
        (lambda batch: torch.zeros(len(batch), 3, 0, 8), "empty"),
        (lambda batch: torch.ones(len(batch), 1, 48), "no_map"),
        (lambda batch: torch.ones(len(batch), 1, 1, 1), "no_map"),
        (lambda batch: torch.ones(len(batch), 1, 1, 8), "no_map"),
        (lambda batch: torch.ones(len(batch), 2, 8, 8), "no_map"),
        (lambda batch: torch.ones(1, 3, 8, 8), "no_map"),
        (lambda batch: torch.ones(len(batch), 3, 4, 4), "no_map"),
        (lambda batch: gradient(batch) / 0, "not_finite"),
    ],
)
def test_what_is_no_map_is_refused(gives, code):
    found = of(gives)
    assert codes(found) == {code}
    assert found.verdict == "refused"


def test_what_was_raised_is_said():
    (reason,) = of(broken).reasons
    assert "LayerNorm has no rule" in reason.says


def test_zeros_everywhere_are_a_doubt():
    for gives in (lambda batch: batch.x * 0, lambda batch: gradient(batch) * 0):
        found = of(gives)
        assert codes(found) == {"blank"}
        assert found.verdict == "doubtful"


def test_a_network_that_is_not_finite_is_not_the_methods_fault():
    with pytest.raises(NotFiniteError):
        of(gradient, RootOfZero())


def guided(batch):
    """Return guided backprop by hooks at ReLU modules."""
    relus = [module for module in batch.model.modules() if isinstance(module, nn.ReLU)]
    hooks = [
        relu.register_full_backward_hook(lambda module, inward, outward: (inward[0].clamp(min=0),))
        for relu in relus
    ]
    try:
        return gradient(batch)
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize(
    ("name", "verdict", "expected"),
    [
        ("plain", "fits", set()),
        ("vit", "refused", {"no_relu_modules"}),
        ("tutorial", "refused", {"no_relu_modules"}),
        ("smooth", "refused", {"no_relu_modules"}),
    ],
)
def test_a_rule_for_relu_modules_asks_for_them(name, verdict, expected):
    found = of(guided, name, guided=True)
    assert (found.verdict, codes(found)) == (verdict, expected)


def test_a_null_map_of_a_guided_method_is_refused_where_that_is():
    part = type("Part", (Given,), {"guided": True})()
    found = of(gradient, "tutorial", made_of=lambda self: (part,))
    assert codes(found) == {"no_relu_modules"}


def test_rectifiers_beside_relu_modules_are_refused_and_other_activations_doubted():
    class Halves(type(CASES["plain"].network())):
        def __init__(self, first) -> None:
            super().__init__()
            self.first = first

        def forward(self, x):
            return super().forward(self.first(x))

    half = of(guided, Halves(lambda x: (x - 0.5).clamp(min=0)).eval(), guided=True)
    assert (half.verdict, codes(half)) == ("refused", {"functional_relus"})
    assert "1 of 3 rectifiers" in half.reasons[0].says
    other = of(guided, Halves(nn.functional.gelu).eval(), guided=True)
    assert (other.verdict, codes(other)) == ("doubtful", {"other_activations"})


def test_a_guided_map_that_is_the_plain_gradient_is_refused():
    """As of Captum's hooks, which do nothing without a word where there is no module."""
    assert codes(of(gradient, guided=True)) == {"plain_gradient"}
    assert codes(of(gradient)) == set()
    flat = Scaled(CASES["plain"].network(), 0.0)
    assert codes(of(gradient, flat, guided=True)) == {"blank"}


def test_a_network_that_cannot_be_watched_is_refused_where_that_matters(monkeypatch):
    def cannot(*_):
        raise RuntimeError("hooks are not supported")

    monkeypatch.setattr(structure, "of", cannot)
    assert codes(of(guided, guided=True)) == {"raises"}
    assert of(gradient) == Fit()


def test_a_checkpoint_that_forbids_gradients_is_refused():
    class Checkpointed(type(CASES["plain"].network())):
        def forward(self, x):
            return torch.utils.checkpoint.checkpoint(self.n, x, use_reentrant=True)

    found = of(gradient, Checkpointed().eval())
    assert codes(found) == {"raises"}
    assert "checkpoint" in found.reasons[0].says


def test_reasons_of_a_code_are_said_once_and_survive_json():
    class Twice(Given):
        guided = True

        @staticmethod
        def gives(batch):
            return gradient(batch), "none"

        def unfit(self, structure):
            return [Reason("no_relu_modules", "own words")]

    found = Twice().fit(CASES["tutorial"].network(), IMAGES, TARGET, seeds=SEEDS, baseline=None)
    assert [reason.says for reason in found.reasons] == ["own words"]
    assert Fit.from_json(found.to_json()) == found


def test_every_code_is_explained():
    files = Path(engine.__file__).parent.rglob("*.py")
    said = re.compile(r'(?:Reason|UnfitError)\(\s*"(\w+)"')
    used = {code for file in files for code in said.findall(file.read_text())}
    explained = re.findall(r"^    (\w+)  +", _fit.__doc__, re.MULTILINE)
    assert used - set(explained) == set()
    document = (Path(__file__).parents[3] / "docs" / "saliency.md").read_text()
    assert [code for code in explained if f"`{code}`" not in document] == []
    assert len(explained) == len(set(explained))
