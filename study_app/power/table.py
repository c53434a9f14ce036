"""The power over people and images as tables for the terminal: one for each comparison."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from study_app.power.answer import Answer, percent, points


def tables(answer: Answer) -> Iterator[Table]:
    """Yield a table for each comparison: a row for each number of people, a column for images."""
    for number, one in enumerate(answer.setting.compared):
        cells = {(c.people, c.images): c for c in answer.cells if c.comparison == number}
        images = sorted({each for _, each in cells})
        aim = (
            f"within {points(one.margin or 0)}"
            if one.claim == "equivalent"
            else f"{points(one.effect)}"
        )
        table = Table(title=Text(f"{one.label}, {aim}: power and width of the interval"))
        table.add_column("people", justify="right")
        for each in images:
            table.add_column(f"{each} images", justify="right")
        for people in sorted({each for each, _ in cells}):
            row = []
            for each in images:
                cell = cells[people, each]
                found = [end.share for end in (cell.lower, cell.power, cell.upper) if end]
                more = f"[{100 * min(found):.0f} to {100 * max(found):.0f}] " * (len(found) > 1)
                said = f"{percent(cell.power)}\n{more}±{50 * cell.width:.0f}"
                row.append(Text(said, style="bold" if cell.power.enough else ""))
            table.add_row(str(people), *row)
        runs = answer.cells[0].runs
        ranged = "; [with the ends of the components' ranges]" * answer.setting.components.ranged
        table.caption = Text(f"(95 % interval of {runs} simulated studies){ranged}; ± half of the "
                             "mean width of the interval, in points")  # fmt: skip
        yield table
