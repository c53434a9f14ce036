"""Which examples are a success, before they are rounded to 8-bit pixels and after."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.attacks import eight_bit, only
from engine.attacks._balls import Norm
from engine.attacks._losses import Goal
from engine.networks.spaces import ModelInput

NONE, FLOAT, ROUNDED = 0, 1, 2
"""How good an example is: no success, one before rounding alone, one that survives it."""


def rank(
    model: nn.Module,
    x_adv: Tensor,
    x: Tensor,
    goal: Goal,
    ball: tuple[Norm, float] | None,
    logits: Tensor,
) -> Tensor:
    """Return how good each example is, NONE, FLOAT or ROUNDED, int8 (N,).

    The network is asked once more, for the successes alone. On a GPU, where finding these would
    mean waiting, it is asked for all.

    Args:
        model: the one that `GradientAttack.run` got, for these images.
        x_adv: the examples (N, C, H, W), pixels or model inputs.
        x: what they were made from.
        goal: what is a success.
        ball: the ball in pixels that 8-bit examples are kept in; behind preprocessing there is
            none.
        logits: the model's answer to x_adv, (N, K).
    """
    hits = goal.hits(logits)
    found = hits.to(torch.int8)
    with torch.no_grad():
        if x.is_cuda:
            return found + (hits & goal.hits(_rounded_logits(model, x_adv, x, ball)))
        rows = hits.nonzero()[:, 0]
        if len(rows):
            logits = _rounded_logits(only(model, rows), x_adv[rows], x[rows], ball)
            found[rows] += goal.rows(rows).hits(logits)
    return found


def _rounded_logits(
    model: nn.Module, x_adv: Tensor, x: Tensor, ball: tuple[Norm, float] | None
) -> Tensor:
    """Return the logits (N, K) of the examples' 8-bit pixels."""
    if isinstance(model, ModelInput):
        pixels = eight_bit.rounded(model.to_pixels(x_adv), model.images, None)
        found: Tensor = model.model(pixels)
    else:
        found = model(eight_bit.rounded(x_adv, x, ball))
    return found


class Kept:
    """The best example of each image so far: the first that survives rounding, else the first.

    Attributes:
        best: the examples (N, C, H, W); where none was a success, what it was made with.
        rank: how good they are, int8 (N,).
    """

    def __init__(self, x: Tensor) -> None:
        self.best = x
        self.rank = torch.zeros(len(x), dtype=torch.int8, device=x.device)

    def see(self, rows: Tensor, x_adv: Tensor, rank: Tensor) -> None:
        """Take what is better of examples (M, C, H, W) of the images at `rows` (M,)."""
        better = rank > self.rank[rows]
        if not better.is_cuda:  # where asking costs nothing, only what changes is copied
            if not better.any():
                return
            rows, x_adv, rank, better = rows[better], x_adv[better], rank[better], better[better]
        kept = torch.where(better[:, None, None, None], x_adv, self.best[rows])
        self.best = self.best.index_copy(0, rows, kept)
        self.rank = self.rank.index_copy(0, rows, torch.maximum(rank, self.rank[rows]))
