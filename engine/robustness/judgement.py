"""How a check is judged: comparisons of attacks with intervals, and what is told of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.robustness.rungs import Labels, Ladder, Right
from engine.statistics import Interval, interval

State: TypeAlias = Literal["passed", "failed", "noted", "skipped"]

Fails: TypeAlias = "Callable[[Interval, float], bool]"
"""Whether an interval is beyond a limit."""

WHOLE = 1.0
"""The eps at which nothing is left of an image, so that no order follows from it."""


@dataclass(frozen=True)
class Doubt:
    """One test of a model's robustness.

    Attributes:
        check: its short name.
        reason: what it suggests when it fails.
        statement: what is measured, in words.
        state: "failed" is a reason to doubt the model; "noted" is one to know the ladder's attacks
            better; "skipped" says nothing, neither for the model nor against it.
        value: the evidence against the model; the larger the worse. None where it was skipped, as
            are the ends of its interval.
        low, high: its 95 % interval over images; of several comparisons, that of the worst.
        limit: the most that passes.
        eps: of the comparison that is told; None where it is of no eps.
        n: images that it was measured on.
        smallest: the smallest value that would have failed with so many images, if the images
            between the two attacks all told against the model.
        why: for what reason it was skipped, or what else has to be known; "" for nothing.
    """

    check: str
    reason: str
    statement: str
    state: State
    value: float | None
    low: float | None
    high: float | None
    limit: float
    eps: float | None
    n: int
    smallest: float
    why: str = ""


class Pair(NamedTuple):
    """Answers (N,) to two attacks at one eps, of which the second should be the stronger."""

    eps: float
    weaker: Labels
    stronger: Labels


@dataclass(frozen=True)
class Given:
    """What is known of a check before anything is measured; its methods end in a `Doubt`."""

    check: str
    reason: str
    statement: str
    limit: float
    ladder: Ladder
    fails: Fails

    def skipped(self, why: str) -> Doubt:
        """Return that nothing was measured."""
        return self._doubt("skipped", None, None, len(self.ladder.labels), why)

    def told(
        self, found: Interval, eps: float | None, beyond: State = "failed", why: str = ""
    ) -> Doubt:
        """Return what a measured interval says; `beyond` is the state beyond the limit."""
        state: State = beyond if self.fails(found, self.limit) else "passed"
        return self._doubt(state, found, eps, found.images, why)

    def order(
        self, pairs: Sequence[Pair], *, beyond: State = "failed", nothing: str = "", why: str = ""
    ) -> Doubt:
        """Judge whether the weaker attack is ahead.

        Of several comparisons the one with the highest lower end is told. Left out is eps = 1,
        and where both accuracies are at chance, as an order of those means nothing.

        Args:
            pairs: the comparisons.
            beyond: the state where it is ahead.
            nothing: why there may be no pairs.
            why: told where something was measured.
        """
        below = [pair for pair in pairs if pair.eps < WHOLE]
        if not below:
            return self.skipped(nothing if not pairs else "no order follows from ε = 1")
        chance, right = self.ladder.at_chance, self.ladder.right
        found = [
            (interval([_ahead(right(weaker), right(stronger))[None]]), eps)
            for eps, weaker, stronger in below
            if not (chance(weaker) and chance(stronger))
        ]
        if not found:
            return self.skipped("at every ε both accuracies are at chance")
        return self.told(*max(found, key=lambda each: (each[0].low, each[0].value)), beyond, why)

    def _doubt(
        self, state: State, found: Interval | None, eps: float | None, n: int, why: str
    ) -> Doubt:
        return Doubt(
            self.check,
            self.reason,
            self.statement,
            state,
            None if found is None else found.value,
            None if found is None else found.low,
            None if found is None else found.high,
            self.limit,
            eps,
            n,
            _smallest(self.fails, self.limit, n),
            why,
        )


def beyond_by_interval(found: Interval, limit: float) -> bool:
    """The whole interval is above the limit."""
    return found.low > limit


def beyond_by_value(found: Interval, limit: float) -> bool:
    """The value alone counts: chance is no excuse."""
    return (found.value or 0) > limit


@lru_cache(maxsize=256)
def _smallest(fails: Fails, limit: float, n: int) -> float:
    """Return the smallest share of n images that fails; beyond 1 where none does."""

    def failing(count: int) -> bool:
        return fails(interval([(np.arange(n) < count)[None]]), limit)

    return bisect_left(range(n + 1), True, key=failing) / n


def _ahead(weaker: Right, stronger: Right) -> NDArray[np.float64]:
    """Return image by image how far the attack that should be the stronger one is behind."""
    return weaker.astype(np.float64) - stronger
