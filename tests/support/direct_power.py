"""Power by brute force: plans of the published design, one study after the other, one test each.

Shares nothing with `study_app.power` but the standard deviations: plans are drawn as people are
admitted, answers from their definition, and each study is judged by `clustered.difference`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from simulated_ratings import intercept

from engine.statistics import LEVEL, equivalent, every_above, holm
from engine.statistics.clustered import difference
from study_app.design import participant_plan


def without_effect(compared: Sequence[Any]) -> list[Any]:
    """Return comparisons without their effect: how often their claims are shown by mistake.

    Equivalence is then false: the difference is the margin.
    """
    return [
        replace(one, effect=(one.margin or 0.0) if one.claim == "equivalent" else 0.0)
        for one in compared
    ]


def presentations(document: Mapping[str, Any], people: int, seed: int) -> pd.DataFrame:
    """Return who sees which image in which condition and arm: a row for each main presentation."""
    rng = np.random.default_rng(seed)
    slots = participant_plan.slots(document)
    rows = []
    for person in range(people):
        if person % len(slots) == 0:
            order = rng.permutation(len(slots))
        arm, number = slots[order[person % len(slots)]]
        plan = participant_plan.draw(document, arm, number, seed=person)
        rows += [
            (person, document["facts"][p.stimulus_id]["source"]["image_id"], p.condition, arm)
            for p in plan
            if p.role == "main"
        ]
    table = pd.DataFrame(rows, columns=["person", "image", "condition", "arm"])
    table["image"] = pd.factorize(table["image"])[0]
    return table


class Answering:
    """Answers to the presentations of a table: new people, new images each time."""

    def __init__(
        self,
        table: pd.DataFrame,
        shares: Mapping[str, float],
        deviations: tuple[float, float, float, float],
    ) -> None:
        self._deviations = deviations
        spread = float(np.sqrt(np.square(deviations).sum()))
        means = {label: intercept(share, spread) for label, share in shares.items()}
        self._mean = table["condition"].map(means).to_numpy(dtype=float)
        self._who, self._what = table["person"].to_numpy(), table["image"].to_numpy()
        self._cell = pd.factorize(table["arm"] + table["condition"])[0]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return one yes or no for each row."""
        logits = self._mean.copy()
        cells = self._cell.max() + 1
        for index, alone, within in (
            (self._who, self._deviations[0], self._deviations[2]),
            (self._what, self._deviations[1], self._deviations[3]),
        ):
            logits += rng.normal(0, alone, index.max() + 1)[index]
            logits += rng.normal(0, within, (cells, index.max() + 1))[self._cell, index]
        return rng.random(len(logits)) < 1 / (1 + np.exp(-logits))


def shown(
    table: pd.DataFrame,
    family: Sequence[tuple[str, Sequence[str], str]],
    shares: Mapping[str, float],
    deviations: tuple[float, float, float, float],
    runs: int,
    seed: int,
    margin: float = 0.1,
) -> np.ndarray:
    """Return how often each claim of a family (of, to, claim) is shown at the 5 % level."""
    rng = np.random.default_rng(seed)
    answering = Answering(table, shares, deviations)
    pairs = {}
    for of, to, _ in family:
        for other in to:
            here = table["condition"].isin([of, other]).to_numpy()
            part = table[here]
            columns = (part["condition"] == of, part["person"], part["image"])
            pairs[of, other] = (here, *(column.to_numpy() for column in columns))
    times = np.zeros(len(family))
    for _ in range(runs):
        yes = answering.draw(rng)
        p = []
        for of, to, claim in family:
            found = []
            for other in to:
                here, *design = pairs[of, other]
                found.append(difference(yes[here], *design).estimate)
            if claim == "equivalent":
                p.append(equivalent(found, margin).p_below)
            elif claim == "different":
                p.append(every_above(found).p)
            else:
                p.append(every_above(found).p_above)
        times += holm(p) <= LEVEL
    return times / runs
