"""The losses that gradient attacks follow."""

from __future__ import annotations

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
