"""Square attack: random squares, kept where the loss rises; no gradient is asked for."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from engine.attacks import Batch, Eps, GradientAttack, Trace, _bumps, clip, only, register
from engine.attacks._balls import Norm, length, project
from engine.attacks._losses import Goal, Loss
from engine.attacks._success import NONE, ROUNDED, Kept, rank

_HALVED = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Of 10 000 queries, those after which the squares' share of the image is halved."""
_OF = 10_000
_LEAST = 3
"""Least side of a square in L2, where the image has it."""
_DRAWN = 256
"""Queries whose random numbers are drawn at a time."""
_SAME = 1e-7
"""What a pixel changes less by than this is no change."""


@register
class Square(GradientAttack):
    """Change one random square at a time; keep the change where the loss rises.

    Andriushchenko et al. (2020), algorithms 1 to 3, untargeted. In L-inf it starts with vertical
    stripes, one pixel wide, of +eps and -eps; a proposal sets a square to +eps or -eps, channel by
    channel. One that would set what is already there is made with the opposite signs (the authors'
    code draws anew until it differs). In L2 it starts with a grid of bumps; a proposal takes the
    norm that two windows of one size hold, empties one, and gives all to the other, as a bump of
    random signs added to the shape of what lies there. What [0, 1] cuts off is given out again.

    The side of the squares is the root of p * H * W, where p begins as `p_init` and is halved after
    10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10 000 queries, scaled to `queries`.

    It sees how logits change also where gradients are masked: where it goes further than an attack
    by gradients, these were not to be trusted. With gradients to follow it is the weaker one. A
    success is asked once more as 8-bit pixels, rounded within the ball, and if it is one still, the
    image is done. Where none survives rounding the image keeps the first success of all; with none
    at all the example with the largest loss. Every query waits for its answer, on a GPU too.

    Attributes:
        eps: radius of the ball in `norm`, in units of the space.
        norm: "linf" or "l2".
        queries: how often the network is asked about an image at most, the roundings of its
            successes included. The undisturbed image is not asked about.
        p_init: share of the image that the first squares take.
        loss: what rises: the logit "margin", as in the paper, or "cross_entropy".
    """

    eps: Eps = 0.1
    norm: Norm = "linf"
    queries: int = Field(1000, ge=1)
    p_init: float = Field(0.8, gt=0, le=1)
    loss: Loss = "margin"

    def budget(self) -> tuple[Norm, float]:
        """Return `norm` and `eps`; see `Attack.budget`."""
        return self.norm, self.eps

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples; see `Attack.run`. The trace has the best so far of each query."""
        x, goal, draws = batch.x, Goal(self.loss, batch.y), _Draws(batch.generators())
        trace(x)
        kept, best, rows = Kept(x), x, torch.arange(len(x), device=x.device)
        current, value = x, torch.full((len(x),), -torch.inf, device=x.device)
        asked = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        for query in range(self.queries):
            z = self._proposal(model, current, x, draws, query) if query else x
            z = z if query else self._start(model, x, draws)
            with torch.no_grad():
                logits = model(z)
            reached = goal.value(logits)
            rises = reached > value
            current = torch.where(rises[:, None, None, None], z, current)
            value = torch.where(rises, reached, value)
            asked += 1
            success = goal.hits(logits) & rises
            found = success.to(torch.int8)
            again = success & (asked < self.queries)
            if again.any():
                part, aim = only(model, again), goal.rows(again)
                found[again] = rank(part, z[again], x[again], aim, self.pixel_ball, logits[again])
                asked += again
            kept.see(rows, z, found)
            best = best.index_copy(0, rows, current)
            trace(best)
            left = (kept.rank[rows] < ROUNDED) & (asked < self.queries)
            if not left.all():
                if not left.any():
                    break
                model, x, goal, rows = only(model, left), x[left], goal.rows(left), rows[left]
                current, value, asked = current[left], value[left], asked[left]
                draws.keep(left)
        return torch.where((kept.rank > NONE)[:, None, None, None], kept.best, best)

    def _start(self, model: nn.Module, x: Tensor, draws: _Draws) -> Tensor:
        """Return the first disturbed images: stripes, or a grid of bumps."""
        channels, _, width = x.shape[1:]
        if self.norm == "linf":
            delta = draws.signs((channels, 1, width), x).expand_as(x)
        else:
            _, down, across = _bumps.signs_of_grid(x.shape[1:])
            delta = _bumps.grid(draws.signs((channels, down, across), x), x.shape[1:])
            delta = delta / length(delta, "l2")
        return self._within(model, x + self.eps * delta, x)

    def _proposal(
        self, model: nn.Module, current: Tensor, x: Tensor, draws: _Draws, query: int
    ) -> Tensor:
        """Return images with one square changed each."""
        channels, height, width = x.shape[1:]
        past = sum(query * _OF // self.queries > each for each in _HALVED)
        side = round(math.sqrt(self.p_init / 2**past * height * width))
        if self.norm == "linf":
            side = min(max(side, 1), height, width)
            top, left, *signs = draws.numbers(query, 2 + channels, x)
            window = _window(top, left, side, x)
            change = self.eps * _signs(torch.stack(signs, 1))[:, :, None, None]
            tried, other = (
                self._within(model, torch.where(window, x + by * change, current), x)
                for by in (1, -1)
            )
            same = (tried - current).abs().amax((1, 2, 3), keepdim=True) < _SAME
            return torch.where(same, other, tried)
        side = min(max(side, _LEAST) | 1, height, width)
        top, left, further_down, further_right, turn, *signs = draws.numbers(query, 5 + channels, x)
        shape = _bumps.bump(side).to(x)
        shape = torch.where((turn < 0.5)[:, None, None], shape, shape.T)
        here, there = _window(top, left, side, x), _window(further_down, further_right, side, x)
        delta = _moved(
            current - x, here, there, shape, _signs(torch.stack(signs, 1))[..., None], self.eps
        )
        return self._within(model, x + delta, x)

    def _within(self, model: nn.Module, z: Tensor, x: Tensor) -> Tensor:
        return clip(model, project(z, x, self.eps, self.norm))


class _Draws:
    """The random numbers of the images that are left, from each image's own generator."""

    def __init__(self, generators: list[Generator]) -> None:
        self._generators = generators
        self._ahead = torch.empty(0)
        self._since = 0

    def keep(self, left: Tensor) -> None:
        """Go on with some of the images, where the mask (N,) is true."""
        mask = left.tolist()
        self._generators = [g for g, kept in zip(self._generators, mask, strict=True) if kept]
        self._ahead = self._ahead[left] if len(self._ahead) else self._ahead

    def signs(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return -1 or 1 each, (N, *shape)."""
        drawn = [torch.rand(shape, generator=generator) for generator in self._generators]
        return _signs(torch.stack(drawn).to(like))

    def numbers(self, query: int, count: int, like: Tensor) -> tuple[Tensor, ...]:
        """Return `count` numbers (N,) each in [0, 1) for a query, counted from 1."""
        at = (query - 1) % _DRAWN
        if at == 0:
            drawn = [torch.rand((_DRAWN, count), generator=each) for each in self._generators]
            self._ahead = torch.stack(drawn).to(like)
        return self._ahead[:, at].unbind(1)


def _signs(drawn: Tensor) -> Tensor:
    return torch.where(drawn < 0.5, -1.0, 1.0)


def _window(top: Tensor, left: Tensor, side: int, like: Tensor) -> Tensor:
    """Return masks (N, 1, H, W) of squares whose corner the numbers (N,) in [0, 1) choose."""
    height, width = like.shape[2:]

    def along(drawn: Tensor, size: int) -> Tensor:
        first = (drawn * (size - side + 1)).long().clamp(max=size - side)[:, None]
        places = torch.arange(size, device=like.device)
        return (places >= first) & (places < first + side)

    return along(top, height)[:, None, :, None] & along(left, width)[:, None, None, :]


def _moved(
    delta: Tensor, here: Tensor, there: Tensor, shape: Tensor, signs: Tensor, eps: float
) -> Tensor:
    """Return the disturbances of algorithm 3: the norm of two windows given to one of them.

    Args:
        delta: disturbances (N, C, H, W).
        here: the windows that get it, masks (N, 1, H, W).
        there: the windows that are emptied.
        shape: bumps (N, side, side).
        signs: theirs, (N, C, 1).
        eps: the norm that the whole is to have.
    """
    count, channels = delta.shape[:2]
    flat, inside = delta.flatten(2), here.flatten(2).expand_as(delta.flatten(2))
    lying = flat[inside].view(count, channels, -1)
    free = (eps**2 - flat.square().sum((1, 2))).clamp_min(0)[:, None, None] / channels
    held = (flat.square() * (here | there).flatten(2)).sum(2, keepdim=True)
    tiny = torch.finfo(delta.dtype).tiny
    given = signs * shape.flatten(1)[:, None]
    given = given + lying / (1e-10 + lying.norm(dim=2, keepdim=True))
    given = given / given.norm(dim=2, keepdim=True).clamp_min(tiny) * (free + held).sqrt()
    moved = torch.where(there, 0, delta).masked_scatter(here.expand_as(delta), given)
    return moved * (eps / length(moved, "l2").clamp_min(tiny))
