"""What a page shows of findings: each figure a drawing, the numbers as a table, and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol, TypeVar

from engine.analysis.contrasts import Contrast, ContrastSpec
from engine.analysis.estimates import ALL, CellEstimate
from engine.analysis.outcomes import Outcome
from engine.statistics.clustered import Clustered
from study_app.analysis import formats, plots
from study_app.analysis.findings import Findings, OutcomeFindings
from study_app.analysis.formats import NONE
from study_app.analysis.plots import Distribution, Dots, Point

MANY_VALUES = 12
"""A distribution of more values is a table only."""


@dataclass(frozen=True)
class Grid:
    """A table of texts; the first cell of a row names it."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Heat:
    """A table of counts, each cell (text, share of its row)."""

    caption: str
    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, float]]]]


@dataclass(frozen=True)
class Figure:
    """A drawing with its numbers.

    Attributes:
        title: in words.
        dots, columns: what is drawn, if anything is.
        grid: its numbers.
        heats: tables of counts.
        notes: what must be said of it.
        marks: "registered" or "exploratory" where figures of both kinds stand together; "".
    """

    title: str
    dots: Dots | None = None
    columns: Distribution | None = None
    grid: Grid | None = None
    heats: Sequence[Heat] = ()
    notes: Sequence[str] = ()
    marks: str = ""


class Names:
    """How conditions, arms and comparisons are called."""

    def __init__(self, found: Findings) -> None:
        self._conditions, self._arms = found.conditions, found.arms

    @property
    def several_arms(self) -> bool:
        """Whether the arm must be told."""
        return len(self._arms) > 1

    def condition(self, label: str) -> str:
        """Return a condition's title; of several joined by " + " each."""
        if label == ALL and ALL not in self._conditions:
            return "All conditions"
        return " + ".join(self._conditions.get(each, each) for each in label.split(" + "))

    def arm(self, label: str) -> str:
        """Return an arm's title; "" where the study has one."""
        if not self.several_arms:
            return ""
        return "All arms" if label == ALL else self._arms.get(label, label)

    def colour(self, arm: str) -> int:
        """Return the number of an arm's colour."""
        labels = list(self._arms)
        return labels.index(arm) if arm in labels else 0

    def place(self, condition: str, arm: str) -> tuple[int, int]:
        """Return where condition and arm stand in the study's order."""
        arms, conditions = list(self._arms), list(self._conditions)
        return (
            arms.index(arm) if arm in arms else len(arms),
            conditions.index(condition) if condition in conditions else len(conditions),
        )

    def cell(self, condition: str, arm: str) -> str:
        """Return condition and arm in one."""
        return ", ".join(filter(None, (self.condition(condition), self.arm(arm))))

    def compared(self, spec: ContrastSpec, at: str = "") -> str:
        """Return a comparison: "A − B", "A − every of B, C"; `at`: of the one that counts."""
        named = self.arm if spec.between == "arms" and self.several_arms else self.condition
        others = [named(label) for label in spec.to]
        if len(others) > 1:
            nearest = f" (nearest: {named(at)})" if at in spec.to else ""
            return f"{named(spec.of)} \N{MINUS SIGN} each of {', '.join(others)}{nearest}"
        return f"{named(spec.of)} \N{MINUS SIGN} {others[0]}"

    def within(self, spec: ContrastSpec) -> str:
        """Return in which arm, or condition, a comparison is made; "" where there is one only."""
        if spec.between == "arms":
            return "all conditions" if spec.within == ALL else self.condition(spec.within)
        return self.arm(spec.within)


class _OfCell(Protocol):
    """What is of one condition and arm."""

    @property
    def condition(self) -> str: ...

    @property
    def arm(self) -> str: ...


C = TypeVar("C", bound=_OfCell)


def in_order(found: Findings, cells: Iterable[C]) -> list[C]:
    """Return estimates by arm and condition in the study's order."""
    names = Names(found)
    return sorted(cells, key=lambda cell: names.place(cell.condition, cell.arm))


def estimated(found: Findings, each: OutcomeFindings) -> Figure | None:
    """Return means or shares of an outcome by condition and arm; None of a kind without one."""
    names, outcome = Names(found), each.outcome
    cells = [cell for cell in in_order(found, each.estimates) if cell.estimate is not None]
    if not cells:
        return None
    points = [
        Point(
            names.condition(cell.condition),
            formats.estimate(outcome, cell.estimate),
            cell.estimate.value,
            cell.estimate.low,
            cell.estimate.high,
            names.arm(cell.arm),
            names.colour(cell.arm),
            bool(cell.estimate.refused),
        )
        for cell in cells
        if cell.estimate is not None
    ]
    what = "Share" if formats.is_share(outcome) else "Mean"
    title = f"{what}: {outcome.title}"
    return Figure(
        title,
        dots=plots.dots(
            f"{title}, by condition: " + "; ".join(_spoken(point) for point in points),
            points,
            _domain(outcome, points),
            percent=formats.is_share(outcome),
        ),
        grid=_estimates_grid(names, outcome, cells),
        notes=limits(names, cells),
    )


def _domain(outcome: Outcome, points: Sequence[Point]) -> tuple[float, float]:
    if formats.is_share(outcome):
        return 0.0, 1.0
    if outcome.low is not None and outcome.high is not None:
        return outcome.low, outcome.high
    held = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    return plots.around(held)


def _spoken(point: Point) -> str:
    return " ".join(filter(None, (f"{point.group}," if point.group else "", point.label))) + (
        f" {point.told}"
    )


def _estimates_grid(names: Names, outcome: Outcome, cells: Sequence[CellEstimate]) -> Grid:
    undefined = any(cell.undefined for cell in cells)
    quartiles = any(cell.quartiles for cell in cells)
    headings = ["Condition", *(["Arm"] if names.several_arms else [])]
    headings += ["People count equally", "Ratings count equally", "People", "Images", "Ratings"]
    headings += ["Effective ratings", "Missing"]
    headings += ["Does not apply"] * undefined + ["Quartiles"] * quartiles
    rows = []
    for cell in cells:
        main = cell.estimate
        assert main is not None
        row = [names.condition(cell.condition)]
        row += [names.arm(cell.arm)] if names.several_arms else []
        row += [formats.estimate(outcome, main), formats.estimate(outcome, cell.by_ratings)]
        row += [str(main.people), str(main.images), str(cell.answered)]
        row += [f"{main.effective:.0f}" if isfinite(main.effective) else NONE, str(cell.missing)]
        row += [str(cell.undefined)] * undefined
        if quartiles:
            told = map(formats.number, cell.quartiles or ())
            row.append(" / ".join(told) or NONE)
        rows.append(row)
    return Grid(headings, rows)


def limits(names: Names, cells: Sequence[CellEstimate]) -> list[str]:
    """Return what limits estimates, the same words of several cells once."""
    held: dict[str, list[str]] = {}
    for cell in cells:
        found = cell.estimate
        for words in filter(None, (found.refused, found.warning) if found else ()):
            held.setdefault(words, []).append(names.cell(cell.condition, cell.arm))
    every = len(cells)
    return [
        words if len(of) == every else f"{', '.join(of)}: {words}" for words, of in held.items()
    ]


def contrasted(
    found: Findings, outcome: Outcome, made: Sequence[Contrast], title: str, marks: str
) -> Figure | None:
    """Return comparisons of an outcome; None where there are none."""
    if not made:
        return None
    names = Names(found)
    points = [
        Point(
            names.compared(each.spec, each.at),
            formats.contrast(each),
            each.value,
            each.low,
            each.high,
            names.within(each.spec),
            names.colour(each.spec.within) if each.spec.between == "conditions" else 0,
            each.decided == "refused",
        )
        for each in made
    ]
    ends = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    effects = {each.spec.smallest_effect for each in made} - {None}
    margins = {each.spec.margin for each in made} - {None}
    sized = [value for value in (*effects, *margins) if value is not None]
    compared = [0.0, *sized, *(-value for value in margins if value is not None)]
    percent = formats.is_share(outcome)
    drawing = plots.dots(
        f"{title}: " + "; ".join(_spoken(point) for point in points),
        points,
        plots.around(ends, always=compared),
        percent=percent,
        dashed=compared,
        unit="difference in percentage points" if percent else "difference",
    )
    notes = [concluded(names, each) for each in made] if marks == "registered" else []
    if effects:
        notes.append("Dashed lines: no difference, and the smallest one that matters.")
    return Figure(title, dots=drawing, grid=_contrasts_grid(names, made), notes=notes, marks=marks)


def concluded(names: Names, each: Contrast) -> str:
    """Return what a comparison says, as a sentence that names it."""
    within = names.within(each.spec)
    return f"{names.compared(each.spec)}{f' ({within})' if within else ''}: {each.said}"


def _contrasts_grid(names: Names, made: Sequence[Contrast]) -> Grid:
    mixed = any(each.mixed for each in made)
    within = any(names.within(each.spec) for each in made)
    # Exploratory comparisons all ask for a difference, and all of an outcome are one family.
    declared = any(each.spec.registered for each in made)
    headings = ["Comparison", *(["Within"] * within), *(["Claim"] * declared)]
    headings += ["Difference", "p", "p corrected", *(["Family"] * declared)]
    headings += [*(["Odds ratio, mixed model"] * mixed), "Decided"]
    rows = []
    for each in made:
        row = [names.compared(each.spec, each.at), *([names.within(each.spec)] * within)]
        row += [each.spec.claim.replace("_", " ")] * declared
        row += [formats.contrast(each), formats.p_value(each.p)]
        row += [formats.p_value(each.p_corrected), *([each.spec.family] * declared)]
        rows.append([*row, *([_odds(each)] if mixed else []), each.decided])
    return Grid(headings, rows)


def _odds(each: Contrast) -> str:
    told = []
    for test in each.mixed:
        if test.odds_ratio is None:
            told.append(test.refused or NONE)
        else:
            singular = ", singular fit" if test.singular else ""
            told.append(
                f"{formats.number(test.odds_ratio)} ({formats.number(test.low)} to "
                f"{formats.number(test.high)}), p {formats.p_value(test.p)}{singular}"
            )
    return "; ".join(told) or NONE


def clustered_point(label: str, found: Clustered, told: str, group: str, colour: int) -> Point:
    """Return a point of a mean; one that has no interval is hollow."""
    refused = bool(found.refused)
    return Point(label, told, found.value, found.low, found.high, group, colour, refused)
