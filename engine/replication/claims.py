"""What the papers claim, made testable: a quantity, a bound, an interval, a verdict. No torch.

A claim is one or more `Check`s on a dataset. A check's quantity is made of means over test images
and seeds, both of which are samples (`engine.statistics.two_way`). Its p-value is corrected by Holm
for all statements of its claim on all datasets (`corrected`): it holds or fails where the corrected
p-value is at most .05, else, and with fewer than five seeds, it is undecided.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import AbsentError
from engine.robustness.doubt import signs
from engine.statistics import two_way

if TYPE_CHECKING:
    from engine.results import Results

Verdict = Literal["holds", "fails", "undecided"]
Origin = Literal["abstract", "paper", "ours"]
How = Literal["every", "some", "equivalent"]
Scores = NDArray[np.float64]

FEWEST_SEEDS = 5
"""With fewer nothing is decided: they show too little of how seeds differ. In simulations three
decide 4 to 6 % of ties of several models, and see a true advantage of .15 over five rivals in 8 %
of cases, where five see it in 72 % (docs/benchmarks.md)."""
_NAN = float("nan")


@dataclass(frozen=True)
class Doubted:
    """A reason to doubt a model's robustness, with the seeds of the models that have it."""

    model: str
    reason: str
    seeds: tuple[int, ...]

    def __str__(self) -> str:
        """Return it in words: "distillation † (seeds 0, 2)", "distillation † (seeds 0–4)"."""
        first, last = min(self.seeds), max(self.seeds)
        run = len(self.seeds) > 2 and last - first == len(self.seeds) - 1
        seeds = f"{first}–{last}" if run else ", ".join(map(str, self.seeds))
        plural = "s" * (len(self.seeds) > 1)
        return f"{self.model} {signs([self.reason])} (seed{plural} {seeds})"


@dataclass(frozen=True)
class Check:
    """One measured statement.

    Attributes:
        claim: number of the claim in the paper's list, with a letter for its part.
        dataset: title of the dataset.
        statement: what is said, with the quantity in words.
        value: the quantity; None where it could not be measured.
        low, high: its 95 % interval, corrected for the models that it compares.
        bound: what the quantity must exceed for the statement to hold, or stay below.
        seeds, images: how many it rests on.
        p: two-sided p-value of the quantity being the bound.
        p_corrected: the same, corrected for all statements of the claim.
        family: how many these are, this one included.
        relation: whether the quantity must be above (">") or below ("<") the bound.
        origin: who says so: the paper's abstract, the paper's text (recalled), or nobody but us.
        at: of several comparisons the one that the quantity is of, in words.
        doubted: models in it whose robustness is doubted, with their seeds.
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
    p: float = 1.0
    p_corrected: float = 1.0
    family: int = 1
    relation: Literal[">", "<"] = ">"
    origin: Origin = "paper"
    at: str = ""
    doubted: tuple[Doubted, ...] = ()
    reason: str | None = None

    @property
    def decidable(self) -> bool:
        """Whether there is a quantity and there are seeds enough for a verdict."""
        return self.value is not None and self.seeds >= FEWEST_SEEDS

    @property
    def verdict(self) -> Verdict:
        """What the corrected p-value says of the statement."""
        if self.value is None or not self.decidable or self.p_corrected > two_way.LEVEL:
            return "undecided"
        return "holds" if (self.value > self.bound) == (self.relation == ">") else "fails"

    @property
    def told(self) -> str:
        """The verdict in words, with the seeds where they are too few."""
        if self.value is not None and not self.decidable:
            return f"undecided ({self.seeds} of {FEWEST_SEEDS} seeds)"
        return self.verdict

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, the verdict included; an end that is not known is null."""
        low, high = self.ends
        return {**asdict(self), "low": low, "high": high, "verdict": self.verdict}

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """The ends of the interval, None where there is none: of one seed's one number, say."""
        low, high = (end if isfinite(end) else None for end in (self.low, self.high))
        return low, high

    @property
    def measured(self) -> str:
        """The quantity and its interval in words."""
        if self.value is None:
            return f"not measured: {self.reason}" if self.reason else "not measured"
        low, high = ("–" if end is None else f"{end:.3f}" for end in self.ends)
        return f"{self.value:.3f} [{low}, {high}]"

    @property
    def chance(self) -> str:
        """The corrected p-value in words: "p = .012"; "" where nothing could be decided."""
        if not self.decidable:
            return ""
        if self.p_corrected < 0.001:
            return "p < .001"
        if self.p_corrected > 0.999:
            return "p = 1"
        return f"p = {self.p_corrected:.3f}".replace("0.", ".", 1)

    @property
    def notes(self) -> str:
        """What goes with the quantity: what it is the comparison with, and who is doubted."""
        parts = [self.at, *([f"doubted: {', '.join(map(str, self.doubted))}"] * bool(self.doubted))]
        return "; ".join(filter(None, parts))


def check(
    claim: str,
    dataset: str,
    statement: str,
    scores: Callable[[], Mapping[str, Scores]],
    *,
    bound: float = 0.0,
    how: How = "every",
    choose: Callable[[], Mapping[str, Scores]] | None = None,
    origin: Origin = "paper",
    doubted: tuple[Doubted, ...] = (),
) -> Check:
    """Measure one statement; it is undecided, with the reason, where what it needs is absent.

    Args:
        claim: which claim of the paper it belongs to; see `Check`.
        dataset: what it was measured on; see `Check`.
        statement: what has to hold, in words; see `Check`.
        scores: returns comparisons by their name in words, each (S, N); NaN is not measured.
        bound: what the quantity has to exceed; of an equivalence, the margin.
        how: whether *every* mean must be above the bound, or *some* one, or all *equivalent* to 0,
            so that the largest absolute mean stays below the bound; see `two_way`.
        choose: returns the same comparisons on other images, by which the one is chosen that
            is measured in "some".
        origin: who says so; see `Check`.
        doubted: see `Check`.
    """
    found = Check(
        claim, dataset, statement, None, _NAN, _NAN, bound, 0, 0,
        relation="<" if how == "equivalent" else ">", origin=origin, doubted=doubted,
    )  # fmt: skip
    try:
        tables = scores()
        chosen = None if choose is None else _best(choose())
    except AbsentError as error:
        return replace(found, reason=error.reason)
    if not tables:
        return replace(found, reason="there is no model to compare with")
    estimates = [two_way.mean(table) for table in tables.values()]
    if any(each.value is None for each in estimates):
        return found
    decision = _decided(estimates, bound, how, chosen)
    return replace(
        found,
        value=decision.value,
        low=decision.low,
        high=decision.high,
        seeds=min(each.rows for each in estimates),
        images=min(each.columns for each in estimates),
        p=decision.p,
        p_corrected=decision.p,
        at=list(tables)[decision.at],
    )


def _decided(
    estimates: Sequence[two_way.Estimate], bound: float, how: How, chosen: int | None
) -> two_way.Decision:
    """Return what the means say; see `check`."""
    if how == "every":
        return two_way.every_above(estimates, bound)
    if how == "some":
        return two_way.some_above(estimates, bound, chosen=chosen)
    return two_way.equivalent(estimates, bound)


def _best(tables: Mapping[str, Scores]) -> int:
    """Return which table has the largest mean."""
    means = [two_way.mean(table).value for table in tables.values()]
    return int(np.argmax([-np.inf if each is None else each for each in means]))


def corrected(checks: Iterable[Check]) -> list[Check]:
    """Return the checks sorted by claim, corrected by Holm for the statements of each claim.

    The family of a statement is its claim, with all parts and datasets: 4a to 4d are one. What we
    ask ourselves is a family of its own. A statement that cannot be decided stays in its family.
    """
    ordered = sorted(checks, key=lambda each: each.claim)
    families: dict[str, list[int]] = {}
    for place, each in enumerate(ordered):
        families.setdefault(family(each), []).append(place)
    for places in families.values():
        known = [ordered[i].p if ordered[i].decidable else 1.0 for i in places]
        for place, p in zip(places, two_way.holm(known), strict=True):
            each = ordered[place]
            ordered[place] = replace(each, p_corrected=max(float(p), each.p), family=len(places))
    return ordered


def family(check: Check) -> str:
    """Return the name of the claim that a check's correction counts it to."""
    number = re.match(r"\d+", check.claim)
    return number[0] if number and check.origin != "ours" else check.claim


def doubted_seeds(runs: Sequence[Results], titles: Mapping[str, str]) -> tuple[Doubted, ...]:
    """Return which seeds of which models are doubted, and why.

    Args:
        runs: of one dataset, a seed each.
        titles: of the models that are asked for, by label.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for label, title in titles.items():
        for results in runs:
            for reason in results.doubts(label)["reasons"]:
                found.setdefault((title, reason), []).append(int(results.config["seed"]))
    return tuple(Doubted(*key, tuple(seeds)) for key, seeds in found.items())


def told(number: Callable[[], float], digits: str = ".2f") -> str:
    """Return a number of a table, – where what it needs failed; `digits` is its format."""
    try:
        return format(number(), digits)
    except AbsentError:
        return "–"
