"""Layers are drawn anew from the top down, each the same however many are."""

import pytest
import torch
from networks import Own, small_cnn, warmed
from torch import nn

from engine.errors import UsageError
from engine.networks.randomised import layers, randomised


def _own() -> nn.Module:
    return warmed(Own(), (1, 12, 12))


def _same(one: nn.Module, other: nn.Module) -> set[str]:
    theirs = other.state_dict()
    return {name for name, value in one.state_dict().items() if torch.equal(value, theirs[name])}


def test_every_weight_and_every_statistic_is_drawn_anew_and_the_model_is_left_as_found():
    model = _own()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    made = randomised(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any("weight" in name or "running" in name for name in _same(model, made))
    assert not made.training
    assert not any(weight.requires_grad for weight in made.parameters())
    assert made(torch.rand(2, 1, 12, 12)).isfinite().all()


def test_the_cascade_goes_down_from_the_logits_and_is_nested():
    model = _own()
    names = layers(model)
    assert names[0] == "logits"
    assert names[-1] == "stem"
    assert "norms.0" in names  # without weights, with statistics
    whole, so_far = randomised(model), set()
    for name in names:
        so_far |= {key for key in model.state_dict() if key.rpartition(".")[0] == name}
        made = randomised(model, name)
        assert so_far <= _same(made, whole)
        assert model.state_dict().keys() - so_far <= _same(made, model)


def test_seeds_decide_the_draw():
    model = small_cnn()
    assert _same(randomised(model, seed=1), randomised(model, seed=1)) == set(model.state_dict())
    shared = _same(randomised(model, seed=1), randomised(model, seed=2))
    assert shared == {name for name in model.state_dict() if name.startswith("norm")}


def test_weights_without_an_initialisation_keep_their_mean_and_their_spread():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.place = nn.Parameter(3 + 0.5 * torch.randn(1, 400, 8))
            self.scale = nn.Parameter(torch.tensor([20.0]))

    model = Tokens()
    drawn = randomised(model)
    assert not torch.equal(drawn.place, model.place)
    assert abs(drawn.place.mean() - 3) < 0.05
    assert abs(drawn.place.std() - 0.5) < 0.05
    assert drawn.scale == 20


def test_what_cannot_be_done_is_said():
    with pytest.raises(UsageError, match=r"no layer 'top'; from the top: logits"):
        randomised(_own(), "top")
    model = small_cnn()
    model.kept = (weight * 2 for weight in model.parameters())
    with pytest.raises(UsageError, match="cannot be copied"):
        randomised(model)
