"""The doubt section: is a model's robustness real, or is the attack at fault? Computed, no torch.

A model that errs less under attack may only hide its gradients (Athalye, Carlini & Wagner 2018), or
have learnt to read the label off the perturbation (Kurakin, Goodfellow & Bengio 2017), or to resist
one step alone (Wong, Rice & Kolter 2020). Every model is put to a *ladder* of attacks whose order
is known beforehand (Carlini et al. 2019, section 5); where the order is broken, the model is
doubted, with the reason, wherever its robustness is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from engine.robustness import checks
from engine.robustness.checks import ZERO_LIMIT
from engine.robustness.judgement import Doubt
from engine.robustness.marks import (
    LEAKING,
    MARKS,
    MASKED,
    ONE_STEP,
    STOCHASTIC,
    legend,
    marked,
    signs,
)
from engine.robustness.rungs import Ladder, Right

__all__ = [
    "LEAKING",
    "MARKS",
    "MASKED",
    "ONE_STEP",
    "STOCHASTIC",
    "ZERO_LIMIT",
    "Doubt",
    "Ladder",
    "examine",
    "hides_gradients",
    "legend",
    "marked",
    "signs",
    "summary",
]


def examine(
    ladder: Ladder, zero_gradient: Right, *, one_step_trained: bool | None = None
) -> list[Doubt]:
    """Return every test of a model, those that were skipped among them.

    A comparison fails only where its whole interval is above the limit; of several (one per eps)
    the one with the highest lower end is told. Accuracy at full range fails by its value: every
    image is within reach there, so chance is no excuse.

    Args:
        ladder: the model's answers.
        zero_gradient: (M,) whether an image's true-label gradient is exactly zero.
        one_step_trained: whether it was trained on examples of a single step, so that a label
            could leak; None where nobody knows, as of a network that came with its weights.
    """
    found = [
        checks.full_range(ladder),
        checks.falls_with_eps(ladder),
        checks.iterated_beats_one_step(ladder),
        checks.white_box_beats_transfer(ladder),
        checks.attack_beats_noise(ladder),
        checks.gradients_beat_a_blind_search(ladder),
        checks.logits_scaled(ladder),
        checks.gradients_are_not_zero(ladder, zero_gradient),
    ]
    masked = any(each.state == "failed" for each in found)
    return [
        *found,
        checks.one_step_is_not_all(ladder, masked=masked),
        checks.fgsm_sees_no_label(ladder, one_step_trained),
        checks.fgsm_does_not_help(ladder, one_step_trained),
        checks.answers_do_not_vary(ladder),
        checks.keeps_up(ladder, "cross_entropy"),
        checks.keeps_up(ladder, "margin"),
        checks.has_converged(ladder),
        checks.strong_is_not_far_ahead(ladder),
    ]


def hides_gradients(zero_share: float) -> bool:
    """Return whether a model's gradients count as masked.

    Args:
        zero_share: share of images whose true-label gradient is exactly zero.
    """
    return zero_share > ZERO_LIMIT


def summary(doubts: Sequence[Doubt]) -> dict[str, Any]:
    """Return as JSON which reasons for doubt there are, and all tests.

    `notes` are what the ladder says of its own attacks; they are no reasons for doubt.
    """

    def reasons(state: str) -> list[str]:
        return list(dict.fromkeys(each.reason for each in doubts if each.state == state))

    return {
        "reasons": reasons("failed"),
        "notes": reasons("noted"),
        "checks": [asdict(each) for each in doubts],
    }
