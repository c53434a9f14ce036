"""8-bit pixels of examples, kept in the ball that the attack was given.

What a screen shows, a study stores and every number here stands for. A disturbance of .03 is 7.65
levels: rounded to the nearest, an example would leave its ball by up to half a level.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.attacks._balls import Norm, length
from engine.attacks._levels import LEVELS, SLACK, levels
from engine.networks.spaces import preprocessed


def rounded(x_adv: Tensor, x: Tensor, ball: tuple[Norm, float] | None) -> Tensor:
    """Return examples as their 8-bit pixels are: float32 (N, C, H, W), multiples of 1/255.

    Without a ball each pixel goes to the nearest level. In L-inf it then goes back to at most
    `levels(eps)` from the source's. In L2 so many pixels are rounded towards the source instead of
    away from it that the norm is within eps, first those that lay nearest to the middle between two
    levels; with all of them the change is nowhere larger than before it was rounded.

    Args:
        x_adv: the examples, (N, C, H, W) in [0, 1].
        x: the images that they were made from, of the same shape; 8-bit pixels.
        ball: norm and radius in pixels that the attack was to stay in; see `Attack.pixel_ball`.
    """
    source, wanted = torch.round(x * LEVELS), x_adv.clamp(0, 1) * LEVELS
    nearest = torch.round(wanted)
    if ball is not None and ball[0] == "linf":
        reach = levels(ball[1])
        nearest = torch.clamp(nearest, source - reach, source + reach)
    elif ball is not None:
        nearest = source + _within(nearest - source, wanted - source, ball[1])
    return nearest / LEVELS


def rounded_images(
    x_adv: NDArray[np.float32], x: NDArray[np.float32], ball: tuple[Norm, float] | None
) -> NDArray[np.float32]:
    """Return the same for arrays."""
    found: NDArray[np.float32] = rounded(torch.from_numpy(x_adv), torch.from_numpy(x), ball).numpy()
    return found


def excess(model: nn.Module, before: Tensor, after: Tensor, ball: tuple[Norm, float]) -> Tensor:
    """Return how far 8-bit examples of an attack on the model input are out of their ball, (N,).

    Float64, in units of the model input: what the norm of the change is above the radius, else 0.
    The statistics of the source images are constants in it, as they are for the attack.

    Args:
        model: the network that was attacked; without preprocessing its model input is the pixels.
        before: the source images, uint8 (N, C, H, W).
        after: the examples.
        ball: norm and radius of the ball in the model input; see `Attack.budget`.
    """
    x = before.double() / LEVELS
    change = after.double() / LEVELS - x
    whole = preprocessed(model)
    if whole is not None:
        change = whole.change(x, change)
    over = length(change, ball[0]).flatten() - ball[1]
    # What floating point numbers add to an example at the edge of its ball is no excess.
    return torch.where(over > SLACK, over, 0)


def _within(change: Tensor, before: Tensor, eps: float) -> Tensor:
    """Return changes in levels (N, C, H, W) with an L2 norm of at most eps; see `rounded`."""
    flat, exact = change.flatten(1).double(), before.flatten(1).double()
    most = (LEVELS * eps + SLACK) ** 2
    away = (flat.abs() - exact.abs()).clamp_min(0)  # what rounding added, in (0, 1/2]
    gain = torch.where(away > 0, 2 * flat.abs() - 1, 0)  # to the norm's square, of one level
    gained, order = away.sort(1, descending=True)
    saved = gain.gather(1, order).cumsum(1)
    # How much was saved before a pixel's turn: it is needed where that was not enough.
    excess = flat.square().sum(1, keepdim=True) - most
    needed = (saved - gain.gather(1, order) < excess) & (gained > 0)
    back = torch.zeros_like(needed).scatter(1, order, needed)
    return (flat - torch.where(back, flat.sign(), 0)).view_as(change).to(change.dtype)
