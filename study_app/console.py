"""What the command line shows: progress with the time left, stage times, tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from engine.artifacts import Artifact
from engine.executor import Task
from engine.results import Results

# Results go to standard output, all else beside it, so that --json can be piped.
console = Console(stderr=True)


def print_table(table: Table) -> None:
    """Print a result to standard output; piped, it is as wide as it needs to be."""
    width = None if sys.stdout.isatty() else 130
    Console(width=width).print(table)


class ProgressObserver:
    """Shows a bar for every running task, and a line for every finished one.

    Without a terminal only the lines are printed.
    """

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._bars: dict[str, TaskID] = {}
        self._stages: dict[str, list[tuple[float, bool]]] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> ProgressObserver:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def started(self, task: Task) -> None:
        """Show a bar for the task."""
        self._bars[task.name] = self._progress.add_task(task.name, total=None, detail="")

    def progressed(self, task: Task, values: Mapping[str, Any]) -> None:
        """Move the task's bar."""
        detail = ""
        if "loss" in values:
            detail = f"loss {values['loss']:.3f}  accuracy {values['accuracy']:.3f}"
        self._progress.update(
            self._bars[task.name],
            total=values["steps"],
            completed=values["step"],
            detail=detail,
        )

    def finished(self, task: Task, artifact: Artifact, *, reused: bool) -> None:
        """Take the bar away and print a line for what was made."""
        seconds = float(artifact.manifest["seconds"])
        self._stages.setdefault(task.stage, []).append((seconds, reused))
        if task.name in self._bars:
            self._progress.remove_task(self._bars.pop(task.name))
        if not reused:
            console.print(f"  {task.name} [dim]{seconds:.1f} s[/dim]", highlight=False)

    def summary(self) -> None:
        """Print a line a stage, and the time in all."""
        for stage, done in self._stages.items():
            made = [seconds for seconds, reused in done if not reused]
            parts = []
            if made:
                parts.append(f"{len(made)} made in {sum(made):.1f} s of computing")
            if len(made) < len(done):
                parts.append(f"{len(done) - len(made)} found")
            console.print(f"{stage:>9}  {', '.join(parts)}", highlight=False)
        console.print(f"{'in all':>9}  {time.monotonic() - self._started:.1f} s", highlight=False)


def linear_theory_table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return margins and cosines relative to the hard-margin SVM, by objective, rank, offset."""
    table = Table(title=title, title_justify="left")
    for heading in ("objective", "rank", "offset", "margin / largest", "cosine"):
        table.add_column(heading, justify="left" if heading == "objective" else "right")
    for row in sorted(rows, key=lambda row: (row["objective"], row["rank"], row["offset"])):
        table.add_row(
            row["objective"].replace("_", "-"),
            str(row["rank"]),
            f"{row['offset']:g}",
            f"{row['margin_ratio']:.3f}",
            f"{row['cosine']:.3f}",
        )
    return table


def accuracy_table(results: Results) -> Table:
    """Return the experiment's accuracies: clean, and white box under each attack."""
    evaluation = results.evaluation()
    table = Table(title=results.config["title"], title_justify="left")
    table.add_column("defense", no_wrap=True)
    table.add_column("clean", justify="right")
    for title in results.config["attacks"].values():
        table.add_column(title, justify="right")
    table.add_column("zero gradients", justify="right")
    for label, title in results.config["defenses"].items():
        model = evaluation["models"][label]
        own = [
            evaluation["examples"][attack][label]["tested"][label]["accuracy"]
            for attack in results.config["attacks"]
        ]
        table.add_row(
            title,
            f"{model['clean_accuracy']:.3f}",
            *(f"{accuracy:.3f}" for accuracy in own),
            f"{model['zero_gradient_share']:.0%}",
        )
    table.caption = (
        f"Accuracy on {evaluation['images']} test images; each attack on its own model, after "
        "rounding to 8 bits."
    )
    return table
