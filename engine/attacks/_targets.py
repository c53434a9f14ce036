"""The class that a targeted attack aims at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

TargetRule: TypeAlias = Literal["next_class", "least_likely", "second_choice"]
"""How the target of an image is chosen; see `choose_target`."""


def next_class(y: Tensor, classes: int) -> Tensor:
    """Return the paper's target: (y + 1) mod K."""
    return (y + 1) % classes


def choose_target(rule: TargetRule, labels: Tensor, logits: Tensor) -> Tensor:
    """Return the targets, int64 (N,); none is the image's true label.

    `next_class` is Ross & Doshi-Velez's (2018), (y + 1) mod K; `least_likely` that of Kurakin,
    Goodfellow & Bengio (2017); `second_choice` the class that the model finds likeliest beside
    the true one. Of equally likely classes the lowest is taken.

    Args:
        rule: which.
        labels: true labels, int64 (N,).
        logits: the attacked model's answer to the clean images, (N, K).
    """
    import torch

    if rule == "next_class":
        return next_class(labels, logits.shape[1])
    own = torch.nn.functional.one_hot(labels, logits.shape[1]).bool()
    if rule == "least_likely":
        return logits.masked_fill(own, torch.inf).argmin(1)
    return logits.masked_fill(own, -torch.inf).argmax(1)
