"""Jacobian-based saliency map attack: pairs of features, moved by theta until the target wins."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.attacks import Batch, Eps, GradientAttack, Trace, clip, register
from engine.networks.inference import GRADIENT, LOGIT, input_gradient, looked_at

_SCORES = {"cpu": 1 << 20, "cuda": 1 << 26}
"""How many pairs are scored at a time: what fits into a processor's cache, a device's memory."""


@register
class JSMA(GradientAttack):
    """Move the pair of features (p, q) that maximises -alpha * beta by theta; repeat.

    Papernot et al. (2016), algorithms 2 and 3, as run by CleverHans and by Ross & Doshi-Velez
    (2018). A feature is one value of the image, of C * H * W. alpha is the sum over p and q of the
    target's gradient, beta that of all other classes' together; features rise where alpha > 0 and
    beta < 0, and fall where alpha < 0 and beta > 0. Of equal pairs the lowest (p, q) is taken, in
    the order of the flattened image. Features that theta cannot move, being at their bound, are
    left out. Without a target the next class, (y + 1) mod K, is aimed at.

    An image is done when the network predicts its target, when no pair has a score above zero, or
    before the step that would exceed gamma. Each step counts as two changed features, also where
    one moves again, so that there are at most floor(gamma * C * H * W / 2) of them (the paper's
    rule) and never more than the share gamma of the features differs.

    On the CPU images that are done leave the batch. On CUDA nothing waits for the device: they
    stay in it unmoved, all steps are run, and pairs are searched in full.

    Attributes:
        theta: change of a feature in one step, in units of the pixel range, or of the model input;
            what leads beyond the bounds is clipped.
        gamma: largest share of features that may change.
        direction: "increase" or "decrease" the features, or "both": each step takes the better
            pair of the two (increase, if equal), and no feature goes back.
        jacobian: of the "logits" or of the "softmax" outputs. The latter vanishes where softmax
            saturates: a masked network looks robust.
    """

    targeted: ClassVar[bool] = True

    theta: Eps = Field(1.0, gt=0)
    gamma: float = Field(0.25, ge=0, le=1)
    direction: Literal["increase", "decrease", "both"] = "increase"
    jacobian: Literal["logits", "softmax"] = "logits"

    def run(self, model: nn.Module, batch: Batch, trace: Trace) -> Tensor:
        """Return the examples; see `Attack.run`."""
        x = x_adv = batch.x
        trace(x)
        rows = torch.arange(len(x), device=x.device)
        running = torch.ones_like(rows, dtype=torch.bool)
        # The small number is for products such as .58 * 100, which is less than 58 in floats.
        for _ in range(math.floor(self.gamma * x[0].numel() / 2 + 1e-9)):
            now = x_adv[rows].requires_grad_(True)
            logits = looked_at(model(now), LOGIT)
            aim = batch.aim(logits.shape[1])[rows]
            towards, away = self._gradients(logits, aim, now)
            moved, found = self._move(model, now.detach(), x[rows], towards, away, rows)
            running = running & found & (logits.argmax(1) != aim)
            if not x.is_cuda:
                rows, moved, running = rows[running], moved[running], running[running]
                if not len(rows):
                    break
            kept = running[:, None, None, None]
            x_adv = x_adv.index_copy(0, rows, torch.where(kept, moved, x_adv[rows]))
            trace(x_adv)
        return x_adv

    def _gradients(self, logits: Tensor, aim: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of the target and, negated, of all others together: (N, D) each.

        Only the others' sum counts, which is the sum over all classes less the target: two
        backward passes for any number of classes, and one for probabilities, which sum to one.
        """
        if self.jacobian == "softmax":
            own = logits.softmax(1).gather(1, aim[:, None])
            towards = input_gradient(own.sum(), x).flatten(1)
            return towards, towards
        own = logits.gather(1, aim[:, None])
        towards = looked_at(torch.autograd.grad(own.sum(), x, retain_graph=True)[0], GRADIENT)
        all_classes = input_gradient(logits.sum(), x)
        return towards.flatten(1), (towards - all_classes).flatten(1)

    def _move(
        self,
        model: nn.Module,
        now: Tensor,
        start: Tensor,
        towards: Tensor,
        away: Tensor,
        rows: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return the images (N, C, H, W) one step on, and which of them have a pair to move."""
        best = torch.zeros(len(now), device=now.device)
        moved = now
        for sign in {"increase": (1,), "decrease": (-1,), "both": (1, -1)}[self.direction]:
            there = clip(model, now + sign * self.theta, rows)
            free = (there != now) & (sign * (now - start) >= 0)
            p, q, score = salient_pair(sign * towards, sign * away, free.flatten(1))
            better = score > best
            pair = torch.zeros_like(towards, dtype=torch.bool)
            pair.scatter_(1, torch.stack([p, q], 1), better[:, None].expand(-1, 2))
            other = torch.where(better[:, None, None, None], now, moved)
            moved = torch.where(pair.view_as(now), there, other)
            best = torch.maximum(best, score)
        return moved, best > 0


def salient_pair(a: Tensor, b: Tensor, free: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return p < q (N,) that maximise max(a_p + a_q, 0) * max(b_p + b_q, 0), and the score (N,).

    Exactly what a search of all pairs gives in float32, the lowest (p, q) of equal ones, for
    finite values. A score that is not above zero means that there is no pair. Scores are in a unit
    of their own, the same for -a and -b.

    Few features are looked at. Let w = l * a + b / l for some weight l > 0. The geometric mean is
    not above the arithmetic one, so the score of (p, q), where both sums are positive, is at most
    ((w_p + w_q) / 2)^2. If some pair scores s, then both features of every pair that scores as
    much have w + max w >= 2 sqrt(s). With the l of a good pair, sqrt((b_p + b_q) / (a_p + a_q)),
    the means are equal for it, so that few others come near: about 10 of 784. Where l is beyond
    floats, or no such pair is at hand, all features are looked at.

    Args:
        a: the first sum's terms (N, D).
        b: the second's (N, D).
        free: bool (N, D), the features that may be in a pair.
    """
    # A sum with -inf is not positive: no pair with such a feature scores.
    a, b = (torch.where(free, _scaled(values), -torch.inf) for values in (a, b))
    # How many contenders there are would have to come back from a device.
    image, feature, others = _everywhere(a) if a.is_cuda else _packed(_contenders(a, b))
    best = torch.zeros_like(a)
    part = max(1, _SCORES[a.device.type] // others.shape[1])
    for i, p in zip(torch.split(image, part), torch.split(feature, part), strict=True):
        q, row = others[i], i[:, None]
        scores = _product(a[i, p][:, None] + a[row, q], b[i, p][:, None] + b[row, q])
        best[i, p] = scores.masked_fill_(q == p[:, None], 0).amax(1)
    score, p = best.max(1)  # the first of equal ones
    return p, _with(a, b, p[:, None]).argmax(1), score


def _scaled(values: Tensor) -> Tensor:
    """Return values over a power of two, so that products neither vanish nor overflow.

    It changes no other bit, and is the same power for -values.
    """
    exponent = torch.frexp(values.abs().amax(1, keepdim=True)).exponent.clamp(-126, 126)
    return values * torch.ldexp(torch.ones_like(values[:, :1]), -exponent)


def _contenders(a: Tensor, b: Tensor) -> Tensor:
    """Return bool (N, D): the features that the best pairs may consist of."""
    # A good pair: the feature that is best with the largest a and the largest b, and its partner.
    bound = _product(a + a.amax(1, keepdim=True), b + b.amax(1, keepdim=True))
    p = bound.argmax(1, keepdim=True)
    score, q = _with(a, b, p).max(1, keepdim=True)
    sum_a, sum_b = (values.gather(1, p) + values.gather(1, q) for values in (a, b))
    # Any l will do; of some near the pair's own, the one whose largest w is least keeps the fewest.
    tried = [(sum_b / sum_a).sqrt() * factor for factor in (0.5, 0.7, 1.0, 1.4, 2.0)]
    largest = [(weight * a + b / weight).amax(1, keepdim=True) for weight in tried]
    chosen = torch.cat(largest, 1).argmin(1, keepdim=True)
    weight = torch.cat(tried, 1).gather(1, chosen)
    w = weight * a + b / weight
    # Scaled values are below 1; this is far more than what rounding adds up to.
    slack = 1e-5 * (weight + 1 / weight)
    # Comparing with what is not a number is false, and keeps the feature.
    return ~(w + w.amax(1, keepdim=True) < 2 * score.sqrt() - slack)


def _packed(mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return where `mask` (N, D) is true: row (T,), column (T,), and (N, width) for each row.

    The last is filled up with zeros, which is as good a feature to pair with as any.
    """
    row, column = mask.nonzero(as_tuple=True)
    place = mask.cumsum(1, dtype=torch.int32)
    packed = torch.zeros(len(mask), int(place[:, -1].max()), dtype=torch.int64)
    packed[row, place[row, column] - 1] = column
    return row, column, packed


def _everywhere(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `_packed` gives where all is true."""
    row, column = (torch.arange(size, device=a.device) for size in a.shape)
    return row.repeat_interleave(len(column)), column.repeat(len(row)), column.expand_as(a)


def _with(a: Tensor, b: Tensor, p: Tensor) -> Tensor:
    """Return the scores (N, D) of p (N, 1) with every other feature, 0 with itself."""
    return _product(a + a.gather(1, p), b + b.gather(1, p)).scatter(1, p, 0)


def _product(sum_a: Tensor, sum_b: Tensor) -> Tensor:
    """Return the score, over the memory of the sums."""
    return sum_a.clamp_min_(0).mul_(sum_b.clamp_min_(0))
