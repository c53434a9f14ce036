"""The losses that gradient attacks follow, and what they are to reach."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.networks.inference import LOGIT, looked_at

Loss: TypeAlias = Literal["cross_entropy", "margin"]
"""Cross-entropy, or the logit margin of Carlini & Wagner (2017), which does not vanish where
cross-entropy saturates."""


def each(loss: Loss, logits: Tensor, label: Tensor) -> Tensor:
    """Return the loss (N,) of logits (N, K) with classes `label` (N,).

    It rises away from the label. An attack towards a class makes the loss with that class fall.
    """
    if loss == "cross_entropy":
        looked_at(logits, LOGIT)
        return F.cross_entropy(logits, label, reduction="none")
    return margin(logits, label)


def margin(logits: Tensor, label: Tensor) -> Tensor:
    """Return the largest other logit minus the label's (N,): above 0 another class wins."""
    looked_at(logits, LOGIT)
    own = logits.gather(1, label[:, None]).squeeze(1)
    others = logits.scatter(1, label[:, None], -torch.inf)
    return others.amax(1) - own


def difference(logits: Tensor, high: Tensor, low: Tensor) -> Tensor:
    """Return the logits of the classes `high` (N,) minus those of `low` (N,)."""
    looked_at(logits, LOGIT)
    return (logits.gather(1, high[:, None]) - logits.gather(1, low[:, None]))[:, 0]


def choices(logits: Tensor, label: Tensor) -> Tensor:
    """Return the classes (N, K) by falling logit, the label last; of equals the lowest first."""
    others = logits.scatter(1, label[:, None], -torch.inf)
    return others.argsort(dim=1, descending=True, stable=True)


@dataclass(frozen=True)
class Goal:
    """What an attack is to reach with each of its images, and what rises on the way.

    Attributes:
        loss: what is followed.
        label: classes (N,) to leave, or with `targeted` to reach.
        targeted: whether it is a class to reach.
        pair: the classes (N,) whose logit is to rise and to fall, for the loss `difference`.
    """

    loss: Literal["cross_entropy", "margin", "difference"]
    label: Tensor
    targeted: bool = False
    pair: tuple[Tensor, Tensor] | None = None

    def rows(self, rows: Tensor) -> Goal:
        """Return the same for some of the images: those at indices (M,), or of a mask (N,)."""
        pair = None if self.pair is None else (self.pair[0][rows], self.pair[1][rows])
        return replace(self, label=self.label[rows], pair=pair)

    def hits(self, logits: Tensor) -> Tensor:
        """Return for which images (N,) the logits (N, K) are a success."""
        return (logits.argmax(1) == self.label) == self.targeted

    def value(self, logits: Tensor) -> Tensor:
        """Return what the attack raises (N,), of the logits (N, K)."""
        if self.loss == "difference":
            assert self.pair is not None
            return difference(logits, *self.pair)
        loss = each(self.loss, logits, self.label)
        return -loss if self.targeted else loss
