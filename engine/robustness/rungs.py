"""What a model answered on the ladder of attacks. Computed, no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Right = NDArray[np.bool_]

MADE_FOR_IT = ("cross_entropy", "margin", "scaled", "fgsm", "converged", "strong", "square")
"""The rungs that are made for the model itself; the first wrong answer in this order is told."""
_ERROR = 1.96
"""Standard errors within which an accuracy is at chance."""


def first_wrong(labels: Labels, *answers: Labels) -> Labels:
    """Return of the answers (..., N) to each image the first that is wrong, else a right one."""
    found = answers[-1]
    for each in reversed(answers[:-1]):
        found = np.where(each == labels, found, each)
    return found


@dataclass(frozen=True)
class Ladder:
    """What a model answered to each attack at each eps (L-inf, pixels), on the same test images.

    Predictions int64 (E, N), of 8-bit pixels that lie in the ball of radius eps. The rungs from
    `converged` on are dear: they attack the images alone that are still right, and the answer to
    an image that was fooled before is the one that it was fooled with. So each can only be ahead.
    None is a rung that there was not yet when the ladder was climbed.

    Attributes:
        eps: ascending, (E,).
        labels: true labels (N,).
        clean: its answers to the clean images (N,).
        noise: to random signs of size eps.
        fgsm, fgsm_predicted: to one step on the true, and on the predicted label's loss.
        cross_entropy, margin, scaled: to PGD on that loss; `scaled` is the cross-entropy of
            logits divided by their typical gap, so that it cannot saturate.
        transferred: to FGSM examples made for the other models, by their label.
        transferred_pgd: the same for PGD.
        converged: to PGD on both losses with twice the steps, after `cross_entropy` and `margin`.
        strong: to the strongest gradient attack, after all rungs above that are made for the model.
        strong_float: the same before the pixels are rounded to 8 bits.
        square: to a search that sees no gradient, after `strong`.
        random: whether an image (N,) got other logits when the network was asked again.
        draws: how many draws of a stochastic network make an answer here; 1 for all others.
    """

    eps: list[float]
    labels: Labels
    clean: Labels
    noise: Labels
    fgsm: Labels
    fgsm_predicted: Labels
    cross_entropy: Labels
    margin: Labels
    scaled: Labels
    transferred: dict[str, Labels] = field(default_factory=dict)
    transferred_pgd: dict[str, Labels] = field(default_factory=dict)
    converged: Labels | None = None
    strong: Labels | None = None
    strong_float: Labels | None = None
    square: Labels | None = None
    random: Right | None = None
    draws: int = 1

    def right(self, predictions: Labels) -> Right:
        """Return where predictions (..., N) are the true labels."""
        right: Right = predictions == self.labels
        return right

    def worst(self, *rungs: str) -> Labels:
        """Return the answers (E, N) to the worst of these rungs for each image, of those there."""
        found = [getattr(self, rung) for rung in rungs]
        return first_wrong(self.labels, *(answers for answers in found if answers is not None))

    @property
    def iterated(self) -> Labels:
        """Answers (E, N) to the worse of PGD's two losses, without help from scaling."""
        return self.worst("cross_entropy", "margin")

    @property
    def worst_case(self) -> Right:
        """(E, N) right under every attack that is made for the model, in 8 bits."""
        return self.right(self.worst(*MADE_FOR_IT))

    @property
    def worst_case_float(self) -> Right | None:
        """The same without rounding; None where the ladder has no `strong_float`."""
        if self.strong_float is None:
            return None
        # What fools it in 8 bits lies in the ball too.
        return self.worst_case & self.right(self.strong_float)

    def at_chance(self, answers: Labels) -> bool:
        """Return whether the accuracy of answers (N,) tells nothing of the images.

        It is then within error of what always giving their most frequent answer would have.
        """
        values, counts = np.unique(answers, return_counts=True)
        share = float(self.right(np.full_like(answers, values[counts.argmax()])).mean())
        error = _ERROR * np.sqrt(share * (1 - share) / len(answers))
        return bool(abs(self.right(answers).mean() - share) <= error)
