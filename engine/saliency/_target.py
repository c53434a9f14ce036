"""What is explained: a class of each image, or one class and not another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

Rule: TypeAlias = Literal["true_label", "predicted", "target", "runner_up"]
RULES: tuple[Rule, ...] = get_args(Rule)
_WORDS = {
    "true_label": "the true label",
    "predicted": "the model's answer",
    "target": "the class that the attack aims at",
    "runner_up": "the runner-up, the likeliest class but the answer",
}


@dataclass(frozen=True)
class Target:
    """What is explained of N images: the logit of `classes`, less that of `against`.

    Attributes:
        classes: int64 (N,).
        against: int64 (N,), never the same class; None for the class alone.
    """

    classes: NDArray[np.int64]
    against: NDArray[np.int64] | None = None

    def of(self, rows: slice) -> Target:
        """Return the target of these images."""
        return Target(self.classes[rows], None if self.against is None else self.against[rows])


def chosen(
    rule: Rule,
    against: Rule | None,
    *,
    labels: NDArray[np.int64],
    logits: NDArray[np.float32],
    aims: NDArray[np.int64] | None,
) -> Target:
    """Return the target of N images by rules.

    With two classes the difference of the logits is all that a network says: the other class is
    then `against` also where no rule is given. Where both rules give the same class, the image is
    explained against the likeliest other one.

    Args:
        rule: what is explained.
        against: what it is explained against, or None.
        labels: true labels (N,).
        logits: the model's answers to these images (N, K).
        aims: the classes that the attack aimed at (N,), for an untargeted one those that it ended
            in; None for clean images, which nothing attacked: there the runner-up takes its place.
    """

    def classes(name: Rule) -> NDArray[np.int64]:
        if name == "true_label":
            return labels
        if name == "predicted":
            answers: NDArray[np.int64] = logits.argmax(1)
            return answers
        if name == "target" and aims is not None:
            return aims
        return _likeliest_but(logits, logits.argmax(1))

    first = classes(rule)
    if against is None and logits.shape[1] > 2:
        return Target(first)
    second = _likeliest_but(logits, first) if against is None else classes(against)
    return Target(first, np.where(second == first, _likeliest_but(logits, first), second))


def in_words(rule: Rule, against: Rule | None, classes: int) -> str:
    """Return the scalar that rules explain, for the legend: "the logit of the true label"."""
    if against is None and classes > 2:
        return f"the logit of {_WORDS[rule]}"
    other = "the other class" if against is None else _WORDS[against]
    return f"the logit of {_WORDS[rule]} minus that of {other}"


def _likeliest_but(logits: NDArray[np.float32], left_out: NDArray[np.int64]) -> NDArray[np.int64]:
    others = logits.copy()
    others[np.arange(len(logits)), left_out] = -np.inf
    likeliest: NDArray[np.int64] = others.argmax(1)
    return likeliest
