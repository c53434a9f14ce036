"""Findings in the terminal: a table per outcome, contrasts, and lines; 80 columns are enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from engine.analysis.attention import Attention
from engine.analysis.contrasts import Contrast
from engine.analysis.estimates import CellEstimate
from engine.analysis.exclusions import Excluded
from engine.analysis.preferences import Strengths
from study_app.analysis import formats
from study_app.analysis.figures import Names, in_order
from study_app.analysis.findings import Findings, OutcomeFindings
from study_app.analysis.formats import NONE, counted

MOST_VALUES = 6
"""Values of a choice that a table names; the others are counted."""


def outcome_table(found: Findings, each: OutcomeFindings) -> Table:
    """Return what is found of one outcome, a row per condition, under each arm's title."""
    names = Names(found)
    cells = in_order(found, each.estimates)
    measured = any(cell.estimate is not None for cell in cells)
    headings = _headings(measured, cells)
    table = _table(f"{each.outcome.title} ({each.outcome.name}), {each.role}")
    table.add_column("condition", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=measured)
    arm = None
    for cell in cells:
        if names.several_arms and cell.arm != arm:
            arm = cell.arm
            table.add_section()
            table.add_row(names.arm(arm), style="bold")
        row = _measured(each, cell) if measured else [_counts(cell)]
        row += _numbers(cell, headings)
        table.add_row(names.condition(cell.condition), *row)
    return table


def _headings(measured: bool, cells: Sequence[CellEstimate]) -> list[str]:
    headings = ["by people", "by rating", "people", "images"] if measured else ["answers"]
    headings.append("ratings")
    headings += ["missing"] * any(cell.missing for cell in cells)
    headings += ["n/a"] * any(cell.undefined for cell in cells)
    return headings


def _measured(each: OutcomeFindings, cell: CellEstimate) -> list[str | Text]:
    """Value, value by ratings (where it reads otherwise), people, images."""
    if cell.estimate is None:
        return [NONE, "", "", ""]
    value = formats.quantity(each.outcome, cell.estimate.value)
    other = formats.quantity(each.outcome, cell.by_ratings.value if cell.by_ratings else None)
    return [
        formats.estimate(each.outcome, cell.estimate),
        Text("" if other == value else other, style="dim"),
        str(cell.estimate.people),
        str(cell.estimate.images),
    ]


def _numbers(cell: CellEstimate, headings: Sequence[str]) -> list[str]:
    numbers = {"ratings": cell.answered, "missing": cell.missing, "n/a": cell.undefined}
    return [str(numbers[name]) for name in headings if name in numbers]


def _counts(cell: CellEstimate) -> str:
    ranked = sorted(cell.counts.items(), key=lambda each: -each[1])
    told = [f"{value}: {count}" for value, count in ranked[:MOST_VALUES]]
    rest = sum(count for _, count in ranked[MOST_VALUES:])
    return ", ".join([*told, *([f"others: {rest}"] if rest else [])]) or NONE


def strengths_table(found: Findings, each: OutcomeFindings, one: Strengths) -> Table:
    """Return the strengths of items, strongest first."""
    arm = Names(found).arm(one.arm)
    table = _table(f"Strengths: {each.outcome.title}{f', {arm}' if arm else ''}")
    table.add_column("item", overflow="fold")
    for heading in ("log-odds", "chosen", "offered"):
        table.add_column(heading, justify="right", no_wrap=True)
    for item in one.items:
        between = f"{formats.number(item.low)} to {formats.number(item.high)}"
        told = f"{formats.number(item.value)} ({between})"
        table.add_row(item.item, told, f"{item.chosen:g}", str(item.offered))
    return table


def strengths_frame(one: Strengths) -> pd.DataFrame:
    """Return the same as a table of numbers."""
    columns = ["item", "value", "low", "high", "chosen", "offered"]
    return pd.DataFrame([asdict(item) for item in one.items], columns=columns)


def contrasts_table(found: Findings, made: Sequence[Contrast], title: str) -> Table:
    """Return comparisons, under each outcome's title."""
    names = Names(found)
    table = _table(title)
    table.add_column("comparison", overflow="fold")
    for heading in ("difference", "p", "p corrected", "decided"):
        table.add_column(heading, justify="right", no_wrap=heading != "p corrected")
    told = None
    for each in made:
        if each.spec.outcome.name != told:
            told = each.spec.outcome.name
            table.add_section()
            table.add_row(f"{each.spec.outcome.title}", style="bold")
        where = names.within(each.spec)
        table.add_row(
            names.compared(each.spec, each.at) + (f" ({where})" if where else ""),
            formats.contrast(each),
            formats.p_value(each.p),
            formats.p_value(each.p_corrected),
            each.decided,
        )
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1),
    )


def exclusions_line(found: Sequence[Excluded], *, with_excluded: bool = False) -> str:
    """Return what the exclusion rules left out, or would have, as a sentence; "" without rules."""
    if not found:
        return ""
    each = "; ".join(
        f"{counted(one.answers, 'answer')} of {counted(one.people, 'person', 'people')} "
        f"({one.rule})"
        if one.answers
        else f"nothing ({one.rule})"
        for one in found
    )
    if with_excluded:
        return f"Nothing is left out; the study's rules would exclude {each}."
    return f"Left out by the study's rules: {each}."


def catch_line(found: Sequence[Attention]) -> str:
    """Return how catch trials were answered, as a sentence; "" where none is scored."""
    told = []
    for one in found:
        share = one.expected
        if share.value is None:
            continue
        value = f"{share.value:.0%}".replace("%", " %")
        between = "" if share.refused else f" ({share.low * 100:.0f} to {share.high * 100:.0f})"
        told.append(f"{one.task} {value}{between}")
    return f"Catch trials answered as expected (all people): {', '.join(told)}." if told else ""
