"""The checks of a model's robustness, one function each; `doubt` puts them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.robustness.judgement import (
    WHOLE,
    Doubt,
    Given,
    Pair,
    beyond_by_interval,
    beyond_by_value,
)
from engine.robustness.marks import LEAKING, MASKED, ONE_STEP, STOCHASTIC
from engine.robustness.rungs import MADE_FOR_IT, Labels, Ladder, Right
from engine.statistics import Interval, interval

WEAK_LOSS = "a loss is weak here"
WEAK_LADDER = "PGD is too weak here"
"""What the ladder says of its own attacks; no reason to doubt the model, so they have no sign."""

FULL_RANGE = 0.02
"""Accuracy that may be left at eps = 1, where every image is within reach."""
ORDER = 0.02
"""How far the weaker attack may be ahead, beyond what chance explains."""
KIND = 0.05
"""The same between attacks of one kind, which are rarely equally strong."""
ZERO_LIMIT = 0.5
"""Share of exactly zero true-label gradients above which gradients count as masked."""
KEEPS, KEEPS_AT_LEAST, BROKEN = 0.85, 0.8, 0.1
"""Robust to one step only: so much of the clean accuracy is left under FGSM, with so much as the
lower end of its interval, at an eps at which the worst case leaves at most that accuracy. Not the
gap between them: that of undefended networks is up to .67."""


def full_range(ladder: Ladder) -> Doubt:
    """All is lost where every image is within reach, and so nothing but its value counts."""
    statement = "accuracy under the worst case at ε = 1"
    given = Given("full range", MASKED, statement, FULL_RANGE, ladder, beyond_by_value)
    if ladder.eps[-1] < WHOLE:
        return given.skipped(f"the ladder ends at ε = {ladder.eps[-1]:g}")
    return given.told(interval([ladder.worst_case[-1:]]), ladder.eps[-1])


def falls_with_eps(ladder: Ladder) -> Doubt:
    """A larger ball holds the smaller one."""
    worst = ladder.worst(*MADE_FOR_IT)
    return Given(
        "falls with ε",
        MASKED,
        "worst case: accuracy at an ε, how far above that at the ε before",
        ORDER,
        ladder,
        beyond_by_interval,
    ).order(
        [
            Pair(eps, after, before)
            for eps, (before, after) in zip(ladder.eps[1:], pairwise(worst), strict=True)
        ],
        nothing="the ladder has one ε",
    )


def iterated_beats_one_step(ladder: Ladder) -> Doubt:
    """Many steps find what one finds."""
    return _iterated(
        ladder,
        "iterated beats one step",
        "accuracy under PGD, how far above that under FGSM at the same ε",
        [ladder.fgsm],
    )


def white_box_beats_transfer(ladder: Ladder) -> Doubt:
    """Who knows the model finds what was made for others."""
    return _iterated(
        ladder,
        "white box beats transfer",
        "accuracy under PGD, how far above that on FGSM or PGD examples made for another model",
        [*ladder.transferred.values(), *ladder.transferred_pgd.values()],
        nothing="there is no other model",
    )


def attack_beats_noise(ladder: Ladder) -> Doubt:
    """An attack aims, noise does not."""
    return _iterated(
        ladder,
        "attack beats noise",
        "accuracy under PGD, how far above that under random signs of the same size",
        [ladder.noise],
    )


def gradients_beat_a_blind_search(ladder: Ladder) -> Doubt:
    """Whoever sees no gradient has the harder task."""
    given = Given(
        "gradients beat a blind search",
        MASKED,
        "accuracy under all attacks that follow gradients, how far above that when a search "
        "without gradients goes on",
        ORDER,
        ladder,
        beyond_by_interval,
    )
    if ladder.square is None:
        return given.skipped("there is no attack without gradients in this ladder")
    return given.order(_at_each(ladder, ladder.worst(*MADE_FOR_IT[:-1]), ladder.square))


def logits_scaled(ladder: Ladder) -> Doubt:
    """Logits times a number are the same decisions, and should be the same task."""
    return Given(
        "logits scaled",
        MASKED,
        "accuracy under PGD on the cross-entropy, how far above that with the logits scaled down",
        KIND,
        ladder,
        beyond_by_interval,
    ).order(_at_each(ladder, ladder.cross_entropy, ladder.scaled))


def gradients_are_not_zero(ladder: Ladder, zero_gradient: Right) -> Doubt:
    """Where the gradient is exactly zero there is nothing to follow."""
    return Given(
        "zero gradients",
        MASKED,
        "share of images whose true-label gradient is exactly zero",
        ZERO_LIMIT,
        ladder,
        beyond_by_value,
    ).told(interval([zero_gradient[None]]), None)


def keeps_up(ladder: Ladder, loss: Literal["cross_entropy", "margin"]) -> Doubt:
    """A loss may be weak on an honest model; if the better one is behind too, others say so."""
    other = "margin" if loss == "cross_entropy" else "cross_entropy"
    words = {"cross_entropy": "cross-entropy", "margin": "margin"}
    named = {"cross_entropy": "the cross-entropy", "margin": "the logit margin"}
    found = Given(
        f"{words[loss]} keeps up",
        WEAK_LOSS,
        f"accuracy under PGD on {named[loss]}, how far above that on {named[other]}",
        KIND,
        ladder,
        beyond_by_interval,
    ).order(_at_each(ladder, getattr(ladder, loss), getattr(ladder, other)), beyond="noted")
    if found.state != "noted":
        return found
    return _because(found, f"the {words[other]} counts, and the worst case has both")


def has_converged(ladder: Ladder) -> Doubt:
    """More steps of the same attack find little more; else the ladder has too few."""
    return _pgd_suffices(
        ladder,
        "steps suffice",
        "accuracy under PGD, how far above that with twice the steps",
        ladder.converged,
        "PGD was not tried with twice the steps in this ladder",
    )


def strong_is_not_far_ahead(ladder: Ladder) -> Doubt:
    """It follows the same gradients: what it finds beyond PGD tells of PGD, not of the model."""
    return _pgd_suffices(
        ladder,
        "PGD is near the strongest attack",
        "accuracy under PGD, how far above that under the strongest gradient attack",
        ladder.strong,
        "there is no stronger attack in this ladder",
    )


def answers_do_not_vary(ladder: Ladder) -> Doubt:
    """A network that draws when it answers is attacked, and judged, by its mean."""
    given = Given(
        "answers do not vary",
        STOCHASTIC,
        "share of images that get other logits when the network is asked again",
        0.0,
        ladder,
        beyond_by_value,
    )
    if ladder.random is None:
        return given.skipped("the network was asked once in this ladder")
    found = given.told(interval([ladder.random[None]]), None)
    if ladder.draws == 1:
        return found
    return _because(found, f"an answer here is the mean of {ladder.draws} draws, also for attacks")


def fgsm_sees_no_label(ladder: Ladder, one_step_trained: bool | None) -> Doubt:
    """The label that a perturbation is made from should not help to find it."""
    return _leaks(
        Given(
            "FGSM sees no label",
            LEAKING,
            "accuracy under FGSM on the true label, how far above that on the predicted label at "
            "the same ε",
            ORDER,
            ladder,
            beyond_by_interval,
        ),
        one_step_trained,
        _at_each(ladder, ladder.fgsm, ladder.fgsm_predicted),
    )


def fgsm_does_not_help(ladder: Ladder, one_step_trained: bool | None) -> Doubt:
    """Better on FGSM examples than undisturbed, and worse under PGD of the same size."""
    iterated = ladder.right(ladder.iterated).mean(1)
    clean = ladder.right(ladder.clean).mean()
    return _leaks(
        Given(
            "FGSM does not help",
            LEAKING,
            "accuracy under FGSM on the true label, how far above that on clean images, where PGD "
            "of the same ε does harm",
            ORDER,
            ladder,
            beyond_by_interval,
        ),
        one_step_trained,
        [
            Pair(eps, fgsm, ladder.clean)
            for eps, fgsm, left in zip(ladder.eps, ladder.fgsm, iterated, strict=True)
            if left < clean - ORDER
        ],
    )


def one_step_is_not_all(ladder: Ladder, *, masked: bool) -> Doubt:
    """FGSM leaves nearly everything where more than one step leaves nearly nothing."""
    given = Given(
        "one step is not all",
        ONE_STEP,
        f"share of the clean accuracy that FGSM leaves at an ε at which the worst case leaves at "
        f"most {BROKEN:g}",
        KEEPS,
        ladder,
        _kept,
    )
    if masked:
        return given.skipped("the gradients that one step follows are likely masked")
    clean = ladder.right(ladder.clean)
    if not clean.any():
        return given.skipped("no clean image is right")
    found = [
        (eps, interval([fgsm[None], clean[None]], reduce=_ratio))
        for eps, fgsm, worst in zip(
            ladder.eps, ladder.right(ladder.fgsm), ladder.worst_case, strict=True
        )
        if eps < WHOLE and worst.mean() <= BROKEN
    ]
    if not found:
        return given.skipped(f"at no ε below 1 is the worst case at most {BROKEN:g}")
    eps, worst = max(found, key=lambda each: (each[1].value or 0, each[1].low))
    return given.told(worst, eps)


def _kept(found: Interval, limit: float) -> bool:
    return (found.value or 0) >= limit and found.low >= KEEPS_AT_LEAST


def _at_each(ladder: Ladder, weaker: Labels, stronger: Labels) -> list[Pair]:
    return [Pair(*each) for each in zip(ladder.eps, weaker, stronger, strict=True)]


def _iterated(
    ladder: Ladder, check: str, statement: str, weaker: Sequence[Labels], nothing: str = ""
) -> Doubt:
    """Judge whether PGD is behind attacks that should be weaker."""
    pairs = [pair for answers in weaker for pair in _at_each(ladder, ladder.iterated, answers)]
    return Given(check, MASKED, statement, ORDER, ladder, beyond_by_interval).order(
        pairs, nothing=nothing
    )


def _leaks(given: Given, one_step_trained: bool | None, pairs: Sequence[Pair]) -> Doubt:
    if one_step_trained is False:
        return given.skipped("it was not trained on examples of one step: no label could leak")
    why = "" if one_step_trained else "how it was trained is not known"
    return given.order(pairs, nothing="PGD does harm at no ε", why=why)


def _pgd_suffices(
    ladder: Ladder, check: str, statement: str, stronger: Labels | None, absent: str
) -> Doubt:
    """Note where a stronger attack by the same gradients goes far beyond PGD."""
    given = Given(check, WEAK_LADDER, statement, KIND, ladder, beyond_by_interval)
    if stronger is None:
        return given.skipped(absent)
    found = given.order(_at_each(ladder, ladder.iterated, stronger), beyond="noted")
    return _because(found, "read the worst case, not PGD") if found.state == "noted" else found


def _because(found: Doubt, why: str) -> Doubt:
    return replace(found, why=why)


def _ratio(means: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the first mean as a share of the second, NaN where that is 0."""
    first, second = np.moveaxis(means, axis, 0)
    nothing = np.full_like(first, np.nan)
    share: NDArray[np.float64] = np.divide(first, second, out=nothing, where=second > 0)
    return share
