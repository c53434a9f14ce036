"""Long work shown in the terminal: a bar for what runs, a line for what is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from engine.artifacts import Artifact
from engine.errors import PlausiblyError
from engine.execution.executor import Task
from study_app.cli.computing import computing
from study_app.cli.log_lines import LogLines
from study_app.cli.terminal import Terminal

# Results go to standard output, all else beside it, so that --json can be piped.
console = Terminal(stderr=True)


class ProgressObserver:
    """Shows a bar for every running task, and a line for every finished one.

    Without a terminal only the lines are printed, and every minute one on what runs.
    """

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._bars: dict[str, TaskID] = {}
        self._stages: dict[str, list[tuple[Artifact, bool]]] = {}
        self._lines = None if sys.stderr.isatty() else LogLines(_say_line)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
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
        if self._lines is not None:
            self._lines.begin()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines is not None:
            self._lines.end()
        self._progress.stop()

    def started(self, task: Task) -> None:
        """Show a bar for the task."""
        self._bars[task.name] = self._progress.add_task(task.name, total=None, detail="")
        if self._lines is not None:
            self._lines.started(task.name)

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
        if self._lines is not None:
            self._lines.progressed(task.name, values)

    def finished(self, task: Task, artifact: Artifact, *, reused: bool) -> None:
        """Take the bar away and print a line for what was made."""
        self._stages.setdefault(task.stage, []).append((artifact, reused))
        self._remove(task)
        if not reused:
            seconds = (f" {artifact.seconds:.1f} s", "dim")
            console.print(Text.assemble(f"  {task.name}", seconds), highlight=False)

    def failed(self, task: Task, error: PlausiblyError) -> None:
        """Take the bar away and say it: what does not need the task goes on."""
        self._remove(task)
        console.print(f"  {error}", style="red", highlight=False, soft_wrap=True)

    def noted(self, sentence: str) -> None:
        """Say it."""
        console.print(f"  {sentence}", style="yellow", highlight=False, soft_wrap=True)

    def summary(self) -> None:
        """Print a line a stage, and the time in all."""
        for stage, done in self._stages.items():
            made = [artifact for artifact, reused in done if not reused]
            parts = []
            if made:
                parts.append(f"{len(made)} made in {computing(made)}")
            if len(made) < len(done):
                parts.append(f"{len(done) - len(made)} found")
            console.print(f"{stage:>9}  {', '.join(parts)}", highlight=False)
        console.print(
            f"{'in all':>9}  {time.monotonic() - self._started:.1f} s elapsed", highlight=False
        )

    def _remove(self, task: Task) -> None:
        """Take a task's bar away: it has ended."""
        if task.name in self._bars:
            self._progress.remove_task(self._bars.pop(task.name))
        if self._lines is not None:
            self._lines.finished(task.name)


def _say_line(line: str) -> None:
    console.print(f"  {line}", highlight=False, soft_wrap=True)
