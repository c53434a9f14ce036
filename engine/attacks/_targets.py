"""The class that a targeted attack aims at."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine import seeds

if TYPE_CHECKING:
    from torch import Tensor

TargetRule: TypeAlias = Literal["next_class", "least_likely", "second_choice", "random"]
"""How the target of an image is chosen; see `choose_target` and `random_targets`."""


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

    Raises:
        ValueError: the rule is `random`, which no model decides; see `random_targets`.
    """
    import torch

    if rule == "random":
        raise ValueError("target: random is drawn by `random_targets`, without a model")
    if rule == "next_class":
        return next_class(labels, logits.shape[1])
    own = torch.nn.functional.one_hot(labels, logits.shape[1]).bool()
    if rule == "least_likely":
        return logits.masked_fill(own, torch.inf).argmin(1)
    return logits.masked_fill(own, -torch.inf).argmax(1)


def random_targets(labels: NDArray[np.int64], classes: int, seed: int) -> NDArray[np.int64]:
    """Return targets drawn at random, int64 (N,), balanced within every true class.

    None is the image's true label. Of the images of a class, in their order, every K - 1 in a row
    aim at each other class once: so all are aimed at equally often, up to one, also in the first
    images alone. Labels and places decide, no model does: every model is attacked towards the same.

    Args:
        labels: true labels of all images, int64 (N,).
        classes: K, at least two.
        seed: what the draw follows.

    Raises:
        ValueError: there is one class only, so that nothing else can be aimed at.
    """
    if classes < 2:
        raise ValueError(f"target: random needs two classes or more, not {classes}")
    targets = np.empty(len(labels), np.int64)
    for label in np.unique(labels).tolist():
        rng = random.Random(seeds.derive(seed, "class", label))  # noqa: S311 - not a secret
        others = [each for each in range(classes) if each != label]
        own = np.flatnonzero(labels == label)
        for start in range(0, len(own), len(others)):
            rng.shuffle(others)
            part = own[start : start + len(others)]
            targets[part] = others[: len(part)]
    return targets
