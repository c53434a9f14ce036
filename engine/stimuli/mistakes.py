"""Which test images an attack turned into a mistake stimulus, and how many were lost on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.results import Results


def hits(results: Results, defense: str, attack: str) -> NDArray[np.bool_]:
    """Return (N,) for all test images whether `attack` made a mistake stimulus of one.

    Of one that the model had right; one that was not attacked is none.
    """
    made = results.examples(defense, attack)
    # A model's mistake on the clean image is not the attack's doing.
    usable = made.mistakes & (made.before_label == made.true_label)
    return made.over_all(usable, fill=False)


def attrition(results: Results, defense: str, attack: str) -> dict[str, int]:
    """Return how many images were attempted, succeeded before rounding, rounded away, usable."""
    made = results.examples(defense, attack)
    before = (made.unrounded_label == made.target) & (made.unrounded_label != made.true_label)
    return {
        "attempted": len(before),
        "succeeded": int(before.sum()),
        "rounded_away": int((before & ~made.mistakes).sum()),
        "usable": int(hits(results, defense, attack).sum()),
    }


def hit_everywhere(
    results: Results, pairs: Sequence[tuple[str, str]]
) -> tuple[NDArray[np.int64], dict[str, dict[str, int]]]:
    """Return the test images on which every (defense, attack) pair made a mistake stimulus.

    Returns:
        Their indices, ascending, and the attrition by pair with how many are left when all must
        be hit.
    """
    if not pairs:
        raise UsageError("no (defense, attack) pair to select mistakes for")
    alive = np.logical_and.reduce([hits(results, *pair) for pair in pairs])
    left = {"hit_by_all": int(alive.sum())}
    return np.flatnonzero(alive), {
        f"{defense} x {attack}": attrition(results, defense, attack) | left
        for defense, attack in pairs
    }
