"""The comparisons that are made where nothing was declared."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from engine.analysis.contrasts import Between, ContrastSpec
from engine.analysis.estimates import ALL
from engine.analysis.outcomes import MEASURED, Outcome

PAIRS = 15
"""How many pairs are compared at most; of more labels each is with the first and the controls."""
CONTROLS = ("clean", "control")
"""Kinds of stimuli that others are compared with."""


def exploratory(
    ratings: pd.DataFrame,
    outcomes: Sequence[Outcome],
    declared: Sequence[ContrastSpec] = (),
) -> list[ContrastSpec]:
    """Return comparisons of all conditions within each arm, and of all arms within each condition.

    At most `PAIRS` of one place; where there are more, each label is compared with the first one
    and, of conditions, with those whose stimuli are controls. Labels are in the order of a
    categorical column, else of the alphabet. Each outcome is a family.

    Args:
        ratings: `estimates.counted` rows; kinds of stimuli are read of `stimulus_kind`, if there.
        outcomes: what is compared; those without a mean are left out.
        declared: comparisons that are made anyway, and not again.
    """
    specs = []
    for outcome in outcomes:
        if outcome.kind not in MEASURED or outcome.name not in ratings:
            continue
        rows = ratings[(ratings["task"] == outcome.task) & ratings[outcome.name].notna()]
        specs += _between(rows, outcome, "conditions", declared)
        specs += _between(rows, outcome, "arms", declared)
    return specs


def _between(
    rows: pd.DataFrame, outcome: Outcome, between: Between, declared: Sequence[ContrastSpec]
) -> list[ContrastSpec]:
    label, place = ("condition", "arm") if between == "conditions" else ("arm", "condition")
    places = _labels(rows[place])
    made = {_key(spec) for spec in declared}
    specs = []
    for within in places:
        part = rows[rows[place] == within]
        controls = _controls(part) if between == "conditions" else set()
        for first, second in _pairs(_labels(part[label]), controls):
            spec = ContrastSpec(
                outcome,
                second,
                (first,),
                between,
                within,
                family=f"exploratory:{outcome.name}",
            )
            everywhere = ContrastSpec(outcome, second, (first,), between, ALL)
            if _key(spec) in made or (len(places) == 1 and _key(everywhere) in made):
                continue
            specs.append(spec)
    return specs


def _key(spec: ContrastSpec) -> tuple[str, frozenset[str], str, str]:
    return spec.outcome.name, frozenset({spec.of, *spec.to}), spec.between, spec.within


def _pairs(labels: Sequence[str], controls: set[str]) -> list[tuple[str, str]]:
    """Return pairs in the order of `labels`; a control is the first of its pair."""
    order = sorted(labels, key=lambda label: label not in controls)
    pairs = list(combinations(order, 2))
    if len(pairs) <= PAIRS:
        return pairs
    return [pair for pair in pairs if pair[0] == labels[0] or pair[0] in controls]


def _controls(rows: pd.DataFrame) -> set[str]:
    """Return labels of conditions all of whose stimuli are controls."""
    if "stimulus_kind" not in rows:
        return set()
    control = rows["stimulus_kind"].isin(CONTROLS)
    return {
        str(label) for label, all_of in control.groupby(rows["condition"]).all().items() if all_of
    }


def _labels(column: pd.Series[str]) -> list[str]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        held = set(column.unique())
        return [str(label) for label in column.cat.categories if label in held]
    return sorted(map(str, column.dropna().unique()))
