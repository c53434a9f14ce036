"""What the papers claim, made testable: a quantity, a bound, an interval, a verdict. No torch.

A claim is one or more `Check`s on a dataset. A check's quantity is a mean over test images and
seeds; its interval resamples both, and the verdict follows from the interval alone: it holds where
the whole interval is above the bound, fails where it is below, else it is undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import AbsentError
from engine.statistics import RESAMPLES, Reduce, interval

Verdict = Literal["holds", "fails", "undecided"]


@dataclass(frozen=True)
class Check:
    """One measured statement.

    Attributes:
        claim: number of the claim in the paper's list, with a letter for its part.
        dataset: title of the dataset.
        statement: what is said, with the quantity in words.
        value: the quantity; None where it could not be measured.
        low, high: its 95 % interval.
        bound: what the quantity must exceed for the statement to hold.
        seeds, images: how many it rests on.
        reason: why it was not measured: what it needs failed, or a network cannot give it.
    """

    claim: str
    dataset: str
    statement: str
    value: float | None
    low: float
    high: float
    bound: float
    seeds: int
    images: int
    reason: str | None = None

    @property
    def verdict(self) -> Verdict:
        """What the interval says of the statement."""
        if self.value is None or self.low <= self.bound <= self.high:
            return "undecided"
        return "holds" if self.low > self.bound else "fails"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, the verdict included; without a value the interval is null."""
        interval = {} if self.value is not None else {"low": None, "high": None}
        return {**asdict(self), **interval, "verdict": self.verdict}

    @property
    def measured(self) -> str:
        """The quantity and its interval in words."""
        if self.value is None:
            return f"not measured: {self.reason}" if self.reason else "not measured"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def check(
    claim: str,
    dataset: str,
    statement: str,
    scores: Callable[[], Sequence[NDArray[np.floating] | NDArray[np.bool_]]],
    *,
    bound: float = 0.0,
    reduce: Reduce = np.min,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Check:
    """Measure one statement; it is undecided, with the reason, where what it needs is absent.

    Args:
        claim: which claim of the paper it belongs to; see `Check`.
        dataset: what it was measured on; see `Check`.
        statement: what has to hold, in words; see `Check`.
        scores: returns what the quantity is computed from, arrays (S, N); see `interval`.
        bound: what the quantity has to exceed.
        reduce: from the scores to the quantity; see `interval`.
        seed: decides the resamples.
        resamples: how many; see `interval`.
    """
    try:
        measured = scores()
    except AbsentError as error:
        nan = float("nan")
        return Check(claim, dataset, statement, None, nan, nan, bound, 0, 0, error.reason)
    found = interval(measured, reduce=reduce, seed=seed, resamples=resamples)
    return Check(
        claim,
        dataset,
        statement,
        found.value,
        found.low,
        found.high,
        bound,
        found.seeds,
        found.images,
    )


def told(number: Callable[[], float], digits: str = ".2f") -> str:
    """Return a number of a table, – where what it needs failed; `digits` is its format."""
    try:
        return format(number(), digits)
    except AbsentError:
        return "–"


def markdown(checks: Sequence[Check]) -> str:
    """Return the checks as a Markdown table: a row a statement, a column a dataset."""
    datasets = list(dict.fromkeys(each.dataset for each in checks))
    rows: dict[tuple[str, str, float], dict[str, Check]] = {}
    for each in checks:
        rows.setdefault((each.claim, each.statement, each.bound), {})[each.dataset] = each
    lines = [
        f"| claim | statement | bound | {' | '.join(datasets)} |",
        "|---|---|---|" + "---|" * len(datasets),
    ]
    for (claim, statement, bound), found in rows.items():
        cells = [
            f"**{found[name].verdict}** {found[name].measured}".replace("|", "\\|")
            if name in found
            else ""
            for name in datasets
        ]
        lines.append(f"| {claim} | {statement} | > {bound:g} | {' | '.join(cells)} |")
    return "\n".join(lines)
