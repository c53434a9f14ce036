"""The doubt section: is a model's robustness real, or is the attack at fault? Computed, no torch.

A model that errs less under attack may only hide its gradients (Athalye, Carlini & Wagner 2018), or
have learnt to read the label off the perturbation (Kurakin, Goodfellow & Bengio 2017). Every model
is put to a *ladder* of attacks whose order is known beforehand (Carlini et al. 2019, section 5);
where the order is broken, the model is doubted, with the reason, wherever its robustness is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    tests = (
        _full_range(ladder),
        _falls_with_eps(ladder),
        _iterated_beats_one_step(ladder),
        _white_box_beats_transfer(ladder),
        _attack_beats_noise(ladder),
        _cross_entropy_keeps_up(ladder),
        _margin_keeps_up(ladder),
        _scale_of_logits_is_nothing(ladder),
        _gradients_are_not_zero(zero_gradient),
        _fgsm_sees_no_label(ladder),
        _fgsm_never_helps(ladder),
    )
    return [test for test in tests if test is not None]


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


def _full_range(ladder: Ladder) -> Doubt | None:
    if ladder.eps[-1] < 1:
        return None
    return _test(
        "full range",
        MASKED,
        f"accuracy under the worst case at ε = {ladder.eps[-1]:g}",
        [ladder.worst_case[-1]],
        limit=_FULL_RANGE,
        by_value=True,
    )


def _falls_with_eps(ladder: Ladder) -> Doubt | None:
    if len(ladder.eps) < 2:
        return None
    return _test(
        "falls with ε",
        MASKED,
        "worst case: accuracy at an ε, how far above that at the ε before",
        [_ahead(after, before) for before, after in pairwise(ladder.worst_case)],
        limit=_ORDER,
    )


def _iterated_beats_one_step(ladder: Ladder) -> Doubt:
    return _test(
        "iterated beats one step",
        MASKED,
        "accuracy under PGD, how far above that under FGSM at the same ε",
        _ahead_at_each(ladder.iterated, ladder.right(ladder.fgsm)),
        limit=_ORDER,
    )


def _white_box_beats_transfer(ladder: Ladder) -> Doubt | None:
    if not ladder.transferred:
        return None
    return _test(
        "white box beats transfer",
        MASKED,
        "accuracy under PGD, how far above that on FGSM examples made for another model",
        [
            behind
            for answers in ladder.transferred.values()
            for behind in _ahead_at_each(ladder.iterated, ladder.right(answers))
        ],
        limit=_ORDER,
    )


def _attack_beats_noise(ladder: Ladder) -> Doubt:
    return _test(
        "attack beats noise",
        MASKED,
        "accuracy under PGD, how far above that under random signs of the same size",
        _ahead_at_each(ladder.iterated, ladder.right(ladder.noise)),
        limit=_ORDER,
    )


def _cross_entropy_keeps_up(ladder: Ladder) -> Doubt:
    return _test(
        "cross-entropy keeps up",
        MASKED,
        "accuracy under PGD on the cross-entropy, how far above that on the logit margin",
        _ahead_at_each(ladder.right(ladder.cross_entropy), ladder.right(ladder.margin)),
        limit=_KIND,
    )


def _margin_keeps_up(ladder: Ladder) -> Doubt:
    return _test(
        "margin keeps up",
        MASKED,
        "accuracy under PGD on the logit margin, how far above that on the cross-entropy",
        _ahead_at_each(ladder.right(ladder.margin), ladder.right(ladder.cross_entropy)),
        limit=_KIND,
    )


def _scale_of_logits_is_nothing(ladder: Ladder) -> Doubt:
    return _test(
        "logits scaled",
        MASKED,
        "accuracy under PGD on the cross-entropy, how far above that with the logits scaled down",
        _ahead_at_each(ladder.right(ladder.cross_entropy), ladder.right(ladder.scaled)),
        limit=_KIND,
    )


def _gradients_are_not_zero(zero_gradient: Right) -> Doubt:
    return _test(
        "zero gradients",
        MASKED,
        "share of images whose true-label gradient is exactly zero",
        [zero_gradient],
        limit=ZERO_LIMIT,
        by_value=True,
    )


def _fgsm_sees_no_label(ladder: Ladder) -> Doubt:
    return _test(
        "FGSM sees no label",
        LEAKING,
        "accuracy under FGSM on the true label, how far above that on the predicted label",
        _ahead_at_each(ladder.right(ladder.fgsm), ladder.right(ladder.fgsm_predicted)),
        limit=_ORDER,
    )


def _fgsm_never_helps(ladder: Ladder) -> Doubt:
    rising = np.concatenate([ladder.right(ladder.clean)[None], ladder.right(ladder.fgsm)])
    return _test(
        "FGSM never helps",
        LEAKING,
        "accuracy under FGSM on the true label, how far above that at the ε before or on clean "
        "images",
        [_ahead(after, before) for before, after in pairwise(rising)],
        limit=_ORDER,
    )


def _ahead_at_each(weaker: Right, stronger: Right) -> list[NDArray[np.float64]]:
    """Return for every eps how far the attack that should be the stronger one is behind."""
    return [_ahead(*pair) for pair in zip(weaker, stronger, strict=True)]


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
