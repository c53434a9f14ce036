"""The doubt section: is a model's robustness real, or is the attack at fault? Computed, no torch.

A model that errs less under attack may only hide its gradients (Athalye, Carlini & Wagner 2018), or
have learnt to read the label off the perturbation (Kurakin, Goodfellow & Bengio 2017). Every model
is put to a *ladder* of attacks whose order is known beforehand (Carlini et al. 2019, section 5);
where the order is broken, the model is doubted, with the reason, wherever its robustness is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.statistics import interval

MASKED = "gradients likely masked"
LEAKING = "label leaking"
MARKS = {MASKED: "†", LEAKING: "‡"}
"""The sign that a doubted model carries, by the reason."""

_FULL_RANGE = 0.02
"""Accuracy that may be left at eps = 1, where every image is within reach."""
_ORDER = 0.02
"""How far the weaker attack may be ahead, beyond what chance explains."""
_KIND = 0.05
"""The same between losses, which are rarely equally strong."""
ZERO_LIMIT = 0.5
"""Share of exactly zero true-label gradients above which gradients count as masked."""

Labels = NDArray[np.int64]
Right = NDArray[np.bool_]


@dataclass(frozen=True)
class Ladder:
    """What a model answered to each attack at each eps (L-inf, pixels), on the same test images.

    Predictions int64 (E, N), of rounded 8-bit pixels.

    Attributes:
        eps: ascending, (E,).
        labels: true labels (N,).
        clean: its answers to the clean images (N,).
        noise: to random signs of size eps.
        fgsm, fgsm_predicted: to one step on the true, and on the predicted label's loss.
        cross_entropy, margin, scaled: to PGD on that loss; `scaled` is the cross-entropy of
            logits divided by their typical gap, so that it cannot saturate.
        transferred: to FGSM examples made for the other models, by their label.
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

    def right(self, predictions: Labels) -> Right:
        """Return where predictions (..., N) are the true labels."""
        right: Right = predictions == self.labels
        return right

    @property
    def iterated(self) -> Right:
        """(E, N) right under both of PGD's losses, without help from scaling."""
        return self.right(self.cross_entropy) & self.right(self.margin)

    @property
    def worst_case(self) -> Right:
        """(E, N) right under every attack that is made for the model."""
        return self.iterated & self.right(self.scaled) & self.right(self.fgsm)


@dataclass(frozen=True)
class Doubt:
    """One test of a model's robustness.

    Attributes:
        check: its short name.
        reason: what it suggests when it fails.
        statement: what is measured, in words.
        value: the evidence against the model; the larger the worse.
        low, high: its 95 % interval over images; of several comparisons, that of the worst.
        limit: the most that passes.
        passed: whether the evidence stays within the limit.
    """

    check: str
    reason: str
    statement: str
    value: float
    low: float
    high: float
    limit: float
    passed: bool


def examine(ladder: Ladder, zero_gradient: Right) -> list[Doubt]:
    """Return every test of a model.

    A comparison fails only where its whole interval is above the limit; of several (one an eps)
    the one with the highest lower end is told. Accuracy at full range fails by its value: every
    image is within reach there, so chance is no excuse.

    Args:
        ladder: the model's answers.
        zero_gradient: (M,) whether an image's true-label gradient is exactly zero.
    """
    return list(_tests(ladder, zero_gradient))


def hides_gradients(zero_share: float) -> bool:
    """Return whether a model's gradients count as masked.

    Args:
        zero_share: share of images whose true-label gradient is exactly zero.
    """
    return zero_share > ZERO_LIMIT


def signs(reasons: Iterable[str]) -> str:
    """Return the signs of the reasons to doubt a model, "" for none."""
    given = set(reasons)
    return "".join(sign for reason, sign in MARKS.items() if reason in given)


def marked(title: str, reasons: Iterable[str]) -> str:
    """Return a model's title with the signs of the reasons to doubt it."""
    return f"{title} {signs(reasons)}".rstrip()


def legend(reasons: Iterable[str]) -> str:
    """Return what the signs mean that these reasons have: "† gradients likely masked.", or ""."""
    given = set(reasons)
    return " ".join(f"{sign} {reason}." for reason, sign in MARKS.items() if reason in given)


def summary(doubts: Sequence[Doubt]) -> dict[str, Any]:
    """Return as JSON which reasons for doubt there are, and all tests."""
    reasons = dict.fromkeys(each.reason for each in doubts if not each.passed)
    return {"reasons": list(reasons), "checks": [asdict(each) for each in doubts]}


def _tests(ladder: Ladder, zero_gradient: Right) -> Iterator[Doubt]:
    pgd, one_step = ladder.iterated, ladder.right(ladder.fgsm)
    cross_entropy, margin = ladder.right(ladder.cross_entropy), ladder.right(ladder.margin)
    worst = ladder.worst_case
    if ladder.eps[-1] >= 1:
        yield _test(
            "full range",
            MASKED,
            f"accuracy under the worst case at ε = {ladder.eps[-1]:g}",
            [worst[-1]],
            limit=_FULL_RANGE,
            by_value=True,
        )
    if len(ladder.eps) > 1:
        yield _test(
            "falls with ε",
            MASKED,
            "worst case: accuracy at an ε, how far above that at the ε before",
            [_ahead(after, before) for before, after in pairwise(worst)],
            limit=_ORDER,
        )
    yield _test(
        "iterated beats one step",
        MASKED,
        "accuracy under PGD, how far above that under FGSM at the same ε",
        [_ahead(*pair) for pair in zip(pgd, one_step, strict=True)],
        limit=_ORDER,
    )
    if ladder.transferred:
        yield _test(
            "white box beats transfer",
            MASKED,
            "accuracy under PGD, how far above that on FGSM examples made for another model",
            [
                _ahead(*pair)
                for answers in ladder.transferred.values()
                for pair in zip(pgd, ladder.right(answers), strict=True)
            ],
            limit=_ORDER,
        )
    yield _test(
        "attack beats noise",
        MASKED,
        "accuracy under PGD, how far above that under random signs of the same size",
        [_ahead(*pair) for pair in zip(pgd, ladder.right(ladder.noise), strict=True)],
        limit=_ORDER,
    )
    yield _test(
        "cross-entropy keeps up",
        MASKED,
        "accuracy under PGD on the cross-entropy, how far above that on the logit margin",
        [_ahead(*pair) for pair in zip(cross_entropy, margin, strict=True)],
        limit=_KIND,
    )
    yield _test(
        "margin keeps up",
        MASKED,
        "accuracy under PGD on the logit margin, how far above that on the cross-entropy",
        [_ahead(*pair) for pair in zip(margin, cross_entropy, strict=True)],
        limit=_KIND,
    )
    yield _test(
        "logits scaled",
        MASKED,
        "accuracy under PGD on the cross-entropy, how far above that with the logits scaled down",
        [_ahead(*pair) for pair in zip(cross_entropy, ladder.right(ladder.scaled), strict=True)],
        limit=_KIND,
    )
    yield _test(
        "zero gradients",
        MASKED,
        "share of images whose true-label gradient is exactly zero",
        [zero_gradient],
        limit=ZERO_LIMIT,
        by_value=True,
    )
    yield _test(
        "FGSM sees no label",
        LEAKING,
        "accuracy under FGSM on the true label, how far above that on the predicted label",
        [_ahead(*pair) for pair in zip(one_step, ladder.right(ladder.fgsm_predicted), strict=True)],
        limit=_ORDER,
    )
    one_step_too = np.concatenate([ladder.right(ladder.clean)[None], one_step])
    yield _test(
        "FGSM never helps",
        LEAKING,
        "accuracy under FGSM on the true label, how far above that at the ε before or on clean "
        "images",
        [_ahead(after, before) for before, after in pairwise(one_step_too)],
        limit=_ORDER,
    )


def _ahead(weaker: Right, stronger: Right) -> NDArray[np.float64]:
    """Return image by image how far the attack that should be the stronger one is behind."""
    return weaker.astype(np.float64) - stronger


def _test(
    name: str,
    reason: str,
    statement: str,
    comparisons: Sequence[NDArray[Any]],
    *,
    limit: float,
    by_value: bool = False,
) -> Doubt:
    found = [interval([scores[None]]) for scores in comparisons]
    worst = max(found, key=lambda each: (each.low, each.value))
    assert worst.value is not None
    failed = (worst.value if by_value else worst.low) > limit
    return Doubt(
        name, reason, statement, worst.value, worst.low, worst.high, limit, passed=not failed
    )
