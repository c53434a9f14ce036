"""What the command line shows: progress with the time left, stage times, tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
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
from engine.doubt import legend, marked
from engine.errors import PlausiblyError
from engine.executor import Task
from engine.replication import Check
from engine.results import Results, by_dataset, doubted

# Results go to standard output, all else beside it, so that --json can be piped.
console = Console(stderr=True)
_VERDICT_STYLES = {"holds": "bold green", "fails": "bold red", "undecided": "dim"}


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

    def failed(self, task: Task, error: PlausiblyError) -> None:
        """Take the bar away and say it: what does not need the task goes on."""
        if task.name in self._bars:
            self._progress.remove_task(self._bars.pop(task.name))
        console.print(f"  {error}", style="red", highlight=False, markup=False, soft_wrap=True)

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


def run_tables(runs: Sequence[Results]) -> list[Table]:
    """Return one table a dataset: accuracies, clean and white box under each attack.

    Over several seeds each number is the mean with the standard deviation.
    """
    return [_accuracy_table(seeds) for seeds in by_dataset(runs).values()]


def chosen_lines(runs: Sequence[Results]) -> list[str]:
    """Return a sentence for every sweep: which value was chosen."""
    lines = []
    for results in runs:
        for label, title in results.config["defenses"].items():
            selection = results.selection(label)
            if selection is None:
                continue
            lost = sum("diverged" in row for row in selection["candidates"])
            lines.append(
                f"{results.config['title']}: {title} chosen at {selection['chosen']:g} of "
                f"{len(selection['candidates'])} values" + (f" ({lost} diverged)" if lost else "")
            )
    return lines


def checks_table(paper: str, checks: Sequence[Check]) -> Table:
    """Return the verdicts on a paper's claims, with the numbers that they rest on."""
    table = Table(title=f"Claims of {paper}", title_justify="left", show_lines=True)
    for name in ("claim", "dataset"):
        table.add_column(name, no_wrap=True)
    table.add_column("statement", ratio=1)
    table.add_column("measured [95 %]", justify="right", no_wrap=True)
    table.add_column("bound", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for check in checks:
        table.add_row(
            check.claim,
            check.dataset,
            check.statement,
            check.measured,
            f"> {check.bound:g}",
            f"[{_VERDICT_STYLES[check.verdict]}]{check.verdict}",
        )
    return table


def _accuracy_table(seeds: Sequence[Results]) -> Table:
    first, evaluations = seeds[0], [results.evaluation() for results in seeds]
    table = Table(title=first.config["title"], title_justify="left")
    table.add_column("defense", no_wrap=True)
    table.add_column("clean", justify="right")
    for title in first.config["attacks"].values():
        table.add_column(title, justify="right")
    table.add_column("zero gradients", justify="right")
    reasons = {label: doubted(seeds, label) for label in first.config["defenses"]}
    for label, title in first.config["defenses"].items():
        models = [evaluation["models"][label] for evaluation in evaluations]
        table.add_row(
            marked(title, reasons[label]),
            _mean([model["clean_accuracy"] for model in models]),
            *(
                _mean(
                    [e["examples"][attack][label]["tested"][label]["accuracy"] for e in evaluations]
                )
                for attack in first.config["attacks"]
            ),
            f"{fmean(model['zero_gradient_share'] for model in models):.0%}",
        )
    table.caption = (
        f"Accuracy on {evaluations[0]['images']} test images; each attack on its own model, after "
        "rounding to 8 bits."
    )
    if len(seeds) > 1:
        table.caption += f" Mean and standard deviation over {len(seeds)} seeds."
    if said := legend(set().union(*reasons.values())):
        table.caption += (
            f" {said} What a marked model keeps under attack is no evidence of robustness."
        )
    return table


def _mean(values: Sequence[float]) -> str:
    spread = f" ±{stdev(values):.3f}" if len(values) > 1 else ""
    return f"{fmean(values):.3f}{spread}"
