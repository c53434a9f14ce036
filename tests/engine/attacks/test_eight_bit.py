"""8-bit pixels stay in the ball that the attack was given, and are as near as that allows."""

from __future__ import annotations

import pytest
import torch

from engine import attacks
from engine.attacks import eight_bit


def _images(shape: tuple[int, ...] = (6, 3, 5, 7), seed: int = 0) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=drawn) / 255


def _moved(x: torch.Tensor, size: float, seed: int = 1) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(seed)
    return (x + size * (2 * torch.rand(x.shape, generator=drawn) - 1)).clamp(0, 1)


@pytest.mark.parametrize(
    ("eps", "levels"), [(8 / 255, 8), (0.03, 7), (0.1, 25), (0.3, 76), (1.0, 255), (0.0, 0)]
)
def test_as_many_levels_as_fit(eps: float, levels: int) -> None:
    assert eight_bit.levels(eps) == levels


@pytest.mark.parametrize("eps", [0.03, 0.1, 8 / 255, 0.3])
def test_linf_stays_in_the_ball_and_reaches_its_edge(eps: float) -> None:
    x = _images()
    found = eight_bit.rounded((x + eps).clamp(0, 1), x, ("linf", eps))
    change = torch.round(255 * (found - x))
    assert change.max() == eight_bit.levels(eps)
    assert (found - x).abs().max() <= eps + 1e-6


def test_l2_rounds_only_as_many_pixels_towards_the_source_as_it_must() -> None:
    x = torch.full((1, 1, 2, 2), 100 / 255)
    x_adv = x + torch.tensor([[[[3.6, 2.7], [-1.9, 0.2]]]]) / 255
    size = float((x_adv - x).norm())
    # To the nearest: 4, 3, -2, 0, a norm of 5.39 levels; the pixel nearest to a middle goes back.
    kept = eight_bit.rounded(x_adv, x, ("l2", size))
    assert torch.round(255 * (kept - x)).flatten().tolist() == [3, 3, -2, 0]


@pytest.mark.parametrize("size", [0.001, 0.004, 0.02, 0.1])
def test_l2_stays_in_the_ball(size: float) -> None:
    x = _images((40, 1, 9, 9))
    x_adv = _moved(x, size)
    eps = float((x_adv - x).flatten(1).norm(dim=1).median())
    inside = (x_adv - x).flatten(1).norm(dim=1) <= eps
    found = eight_bit.rounded(x_adv, x, ("l2", eps))
    assert ((found - x).flatten(1).norm(dim=1)[inside] <= eps + 1e-6).all()
    nearest = eight_bit.rounded(x_adv, x, None)
    free = (nearest - x).flatten(1).norm(dim=1) <= eps
    assert torch.equal(found[free], nearest[free])


def test_without_a_ball_every_pixel_goes_to_the_nearest_level() -> None:
    x = _images()
    x_adv = _moved(x, 0.2)
    assert (eight_bit.rounded(x_adv, x, None) - x_adv).abs().max() <= 0.5 / 255 + 1e-6


def test_a_ball_of_the_model_input_is_none_of_pixels() -> None:
    assert attacks.create("fgsm", eps=0.1).pixel_ball == ("linf", 0.1)
    assert attacks.create("fgsm", eps=0.1, space="model_input").pixel_ball is None
    assert attacks.create("tgsm").pixel_ball is None
