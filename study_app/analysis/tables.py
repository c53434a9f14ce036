"""The human table for people: in the terminal and as data for the page's plot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
from rich.table import Table

from engine.analysis.exclusions import Excluded, exclusions
from engine.analysis.human_table import Attention, ConditionResult
from engine.statistics import Rate
from study_app.study import Study

MEASURES = {
    "fooled": "Q1 = target",
    "plausible": "Q2 = yes",
    "reasonable": "Q2 = yes, or can't tell",
    "cant_tell": "Can't tell",
}
"""Columns of the human table, by attribute of `ConditionResult`."""


def percent(rate: Rate) -> str:
    """Return a rate with its interval as people read it: "41 % (28 to 55)"."""
    if rate.value is None:
        return "no ratings"
    return f"{rate.value:.0%} ({rate.low * 100:.0f} to {rate.high * 100:.0f})".replace("%", " %")


def excluded_by(study: Study, ratings: pd.DataFrame) -> list[Excluded]:
    """Return what each rule excludes, those that `study` declares in any case."""
    return exclusions(ratings, [each.name for each in study.exclusions])


def condition_titles(study: Study) -> dict[str, str]:
    """Return the titles of a study's conditions by label, in its order."""
    return {label: condition.title for label, condition in study.conditions.items()}


def exclusions_line(found: Sequence[Excluded], *, with_excluded: bool = False) -> str:
    """Return what the exclusion rules left out, or would have, as a sentence; "" without rules."""
    if not found:
        return ""
    each = "; ".join(
        f"{_counted(one.answers, 'answer', 'answers')} of "
        f"{_counted(one.people, 'person', 'people')} ({one.rule})"
        if one.answers
        else f"nothing ({one.rule})"
        for one in found
    )
    if with_excluded:
        return f"Nothing is left out; the study's rules would exclude {each}."
    return f"Left out by the study's rules: {each}."


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def ordered(
    rows: Sequence[ConditionResult], conditions: Mapping[str, str]
) -> list[tuple[str, ConditionResult]]:
    """Return (title, result) in the study's order; conditions without ratings are left out.

    Of conditions with the same title each says its label too, or they would be drawn as one.
    """
    found = {row.condition: row for row in rows}
    told = Counter(conditions.values())
    return [
        (title if told[title] == 1 else f"{title} ({label})", found[label])
        for label, title in conditions.items()
        if label in found
    ]


def human_table_rich(
    study: str,
    rows: Sequence[ConditionResult],
    catch: Attention,
    conditions: Mapping[str, str],
    excluded: str,
) -> Table:
    """Return the human table for the terminal; `excluded` says what was left out of it."""
    table = Table(title=f"Study {study}", title_justify="left")
    table.add_column("condition", no_wrap=True)
    for title in MEASURES.values():
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("people", justify="right")
    table.add_column("ratings", justify="right")
    for title, row in ordered(rows, conditions):
        cells = [percent(getattr(row, name)) for name in MEASURES]
        table.add_row(title, *cells, str(row.fooled.participants), str(row.fooled.ratings))
    caption = "95 % intervals from a two-way bootstrap over participants and source images."
    table.caption = "\n".join(line for line in (caption, catch_line(catch), excluded) if line)
    return table


def catch_line(catch: Attention) -> str:
    """Return how catch trials were answered, as a sentence; "" where none is scored."""
    scored = {"label": catch.label, "plausibility": catch.plausible}
    each = ", ".join(f"{name} {percent(rate)}" for name, rate in scored.items() if rate.ratings)
    return each and f"Catch presentations answered as expected (all people): {each}."


def long_frame(rows: Sequence[ConditionResult], conditions: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per condition x measure, for the plot: share and interval in [0, 1]."""
    return pd.DataFrame(
        [
            {
                "condition": title,
                "measure": MEASURES[name],
                "share": rate.value,
                "low": rate.low,
                "high": rate.high,
                "people": rate.participants,
                "images": rate.images,
                "ratings": rate.ratings,
            }
            for title, row in ordered(rows, conditions)
            for name in MEASURES
            for rate in [getattr(row, name)]
        ]
    )
