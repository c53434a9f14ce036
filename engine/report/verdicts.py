"""The papers' claims: a verdict each, with its interval drawn against its bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import escape

from engine.errors import UsageError
from engine.replication import Check, by_chance, papers
from engine.report.figure import Table, number, table
from engine.report.look import COLOURS, INK
from engine.report.runs import Study

SIGNS = {"holds": "✓", "fails": "✗", "undecided": "?"}
TITLES = {
    "ross2018": "Ross & Doshi-Velez 2018: improving robustness and interpretability by "
    "regularising input gradients",
    "nar2019": "Nar, Ocal, Sastry & Ramchandran 2019: cross-entropy loss and low-rank features",
}
_COLUMNS = (
    "paper", "claim", "origin", "dataset", "statement", "value", "low", "high", "relation",
    "bound", "p", "p_corrected", "family", "verdict", "seeds", "images", "at", "doubted",
    "not_measured",
)  # fmt: skip
_ORIGINS = {"abstract": "in the abstract’s words", "paper": "", "ours": "asked by us"}
_WIDTH, _HEIGHT, _PAD = 190, 22, 10


@dataclass(frozen=True)
class Verdict:
    """One statement on one dataset.

    Attributes:
        check: what was measured.
        dataset: its title.
        measured: the number and its interval in words.
        sign: of the verdict.
        notes: its corrected p-value, what it was compared with, and who is doubted, in words.
        drawing: the interval against its bound, as SVG.
    """

    check: Check
    dataset: str
    measured: str
    sign: str
    notes: str
    drawing: str


@dataclass(frozen=True)
class Statement:
    """One statement, with its verdicts by dataset.

    Attributes:
        claim: its number.
        origin: who says so, in words; "" for the paper.
        text: what is said.
        bound: what the quantity must do, in words: "exceed 0".
        verdicts: by dataset.
    """

    claim: str
    origin: str
    text: str
    bound: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Judgement:
    """A paper's claims.

    Attributes:
        paper, title: its name and title.
        statements: claim by claim.
        counts: how many verdicts of each kind.
        left_out: what of the claims the experiment has no models for, in sentences.
        chance: how many decisions chance alone would make, in sentences.
        table: all of it.
    """

    paper: str
    title: str
    chance: str
    statements: tuple[Statement, ...]
    counts: dict[str, int]
    left_out: tuple[str, ...]
    table: Table


def judge(study: Study) -> list[Judgement]:
    """Return the verdicts on every paper whose claims these runs have what it takes to judge."""
    found = []
    for name, paper in papers().items():
        try:
            checks = paper.checks(study.runs)
        except UsageError:
            continue  # another experiment: it lacks a model or an attack of this paper's claims
        found.append(_judgement(name, checks, study))
    return found


def _judgement(paper: str, checks: Sequence[Check], study: Study) -> Judgement:
    titles = {str(data.first.config["dataset_label"]): data.title for data in study}
    rows: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        rows.setdefault((check.claim, check.statement), []).append(check)
    statements = tuple(
        Statement(
            claim,
            _ORIGINS[each[0].origin],
            text,
            _must(each[0]),
            tuple(
                Verdict(
                    check,
                    titles.get(check.dataset, check.dataset),
                    _measured(check),
                    SIGNS[check.verdict],
                    "; ".join(filter(None, (check.chance, check.notes))),
                    _drawing(check, each),
                )
                for check in each
            ),
        )
        for (claim, text), each in rows.items()
    )
    counts = {word: sum(check.verdict == word for check in checks) for word in SIGNS}
    values = [
        (paper, c.claim, c.origin, c.dataset, c.statement, c.value,
         *c.ends, c.relation, c.bound,
         *((None, None) if c.value is None else (c.p, c.p_corrected)), c.family,
         c.verdict, c.seeds, c.images, c.at, ", ".join(map(str, c.doubted)), c.reason)
        for c in checks
    ]  # fmt: skip
    numbers = table(f"verdicts-{paper}", _COLUMNS, values)
    left_out = tuple(papers()[paper].left_out(study.runs[0].config["defenses"]))
    return Judgement(paper, TITLES[paper], by_chance(checks), statements, counts, left_out, numbers)


def _must(check: Check) -> str:
    does = {">": "exceed", "<": "stay below"}[check.relation]
    return f"{does} {check.bound:g}".replace("-", "−")


def _measured(check: Check) -> str:
    if check.value is None:
        return check.measured
    if 10 <= max(map(abs, (check.value, check.low, check.high))) < math.inf:
        return f"{check.value:.0f} [{check.low:.0f}, {check.high:.0f}]".replace("-", "−")
    return f"{number(check.value)} [{number(check.low)}, {number(check.high)}]"


def _drawing(check: Check, others: Sequence[Check]) -> str:
    """Draw a dot and a bar against the bound; a statement's datasets share an axis."""
    known = [c for c in others if c.value is not None]
    if check.value is None:
        return ""
    values = [end for c in known for end in (c.value, c.low, c.high, c.bound) if end is not None]
    ends = [end for end in values if math.isfinite(end)]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        """Return where it is drawn; an interval without an end goes to the edge."""
        within = min(max(value, low), high)
        return round(_PAD + (within - low) / span * (_WIDTH - 2 * _PAD), 1)

    middle = _HEIGHT / 2
    bound, start, end, dot = (place(v) for v in (check.bound, check.low, check.high, check.value))
    colour = {"holds": COLOURS["blue"], "fails": COLOURS["vermillion"]}.get(check.verdict, INK)
    filled = colour if check.verdict != "undecided" else "none"
    text = escape(f"{_measured(check)} against {check.bound:g}: {check.told}")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{text}">'
        f'<line x1="{bound}" y1="0" x2="{bound}" y2="{_HEIGHT}" stroke="{INK}" '
        f'stroke-dasharray="2 2" stroke-width="1.4"/>'
        f'<line x1="{start}" y1="{middle:g}" x2="{max(end, start + 0.5)}" y2="{middle:g}" '
        f'stroke="{colour}" stroke-width="3" stroke-linecap="round"/>'
        f'<circle cx="{dot}" cy="{middle:g}" r="5" fill="{filled}" stroke="{colour}" '
        f'stroke-width="2"/></svg>'
    )


def counts(judgements: Sequence[Judgement]) -> dict[str, int]:
    """Return how many verdicts there are of each kind, over all papers."""
    return {word: sum(each.counts[word] for each in judgements) for word in SIGNS}
