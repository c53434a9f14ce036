"""What long work says in a log file, where no bar can move: a line every minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

EVERY_S = 60.0
_NAMED = 6
"""Tasks that a line names; a cluster may run hundreds."""
_SILENT_S = 150.0
"""After so long without a report an estimate would be a guess."""


@dataclass
class _Task:
    """A task under way: when it began, its first and its last report."""

    began: float
    first: tuple[float, int] | None = None
    last: tuple[float, int] | None = None
    steps: int = 0
    loss: float | None = None

    def words(self, now: float) -> str:
        """Return how far it is, and what is left where its own pace tells."""
        if self.last is None:
            return f"for {duration(now - self.began)}"
        at, step = self.last
        said = [f"{step} of {self.steps}" + (" steps" if self.loss is not None else "")]
        if self.loss is not None:
            said.append(f"loss {self.loss:.3f}")
        if now - at > _SILENT_S:
            said.append(f"no report for {duration(now - at)}")
        elif (left := self._left(now)) is not None:
            said.append(f"about {duration(left)} left")
        return ", ".join(said)

    def _left(self, now: float) -> float | None:
        """Return the seconds left at the pace between the first report and the last."""
        if self.first is None or self.last is None:
            return None
        (began, start), (at, step) = self.first, self.last
        if step <= start or at <= began or step >= self.steps:
            return None
        left = (self.steps - step) * (at - began) / (step - start) - (now - at)
        return left if left > 0 else None


class LogLines:
    """Says every minute which tasks run, how far they are, and how much time has passed.

    Args:
        say: writes a line.
        clock: seconds that never go back.
        every_s: time between two lines.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        every_s: float = EVERY_S,
    ) -> None:
        self._say, self._clock, self._every_s = say, clock, every_s
        self._began = clock()
        self._due = self._began + every_s
        self._tasks: dict[str, _Task] = {}
        self._ended_count = 0
        self._lock = Lock()  # tasks are reported by one thread, lines are written by another
        self._ended = Event()
        self._thread = Thread(target=self._keep_saying, daemon=True)

    def begin(self) -> None:
        """Say a line whenever one is due, until `end`."""
        self._thread.start()

    def end(self) -> None:
        """Say nothing more."""
        self._ended.set()
        self._thread.join()

    def started(self, name: str) -> None:
        """A task is under way."""
        with self._lock:
            self._tasks[name] = _Task(self._clock())

    def progressed(self, name: str, values: Mapping[str, Any]) -> None:
        """A task reports; `values` has step and steps, of a training also its loss."""
        with self._lock:
            task = self._tasks[name]
            task.last = (self._clock(), int(values["step"]))
            task.first = task.first or task.last
            task.steps = int(values["steps"])
            task.loss = values.get("loss", task.loss)

    def finished(self, name: str) -> None:
        """A task has ended, or needs none."""
        with self._lock:
            self._tasks.pop(name, None)
            self._ended_count += 1

    def say_if_due(self) -> None:
        """Say a line if it is time for one."""
        with self._lock:
            now = self._clock()
            if now < self._due:
                return
            # After a pause, a machine that slept say, one line and not one for every minute.
            self._due = now + self._every_s
            line = self._line(now)
        self._say(line)

    def _line(self, now: float) -> str:
        named = [f"{name}: {task.words(now)}" for name, task in self._tasks.items()]
        more = f" | and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        under_way = " | ".join(named[:_NAMED]) + more or "reading data and planning"
        ended = f"{self._ended_count} task{'s' * (self._ended_count != 1)} ended"
        return f"after {duration(now - self._began)}, {ended} | {under_way}"

    def _keep_saying(self) -> None:
        while not self._ended.wait(max(0.0, self._due - self._clock())):
            self.say_if_due()


def duration(seconds: float) -> str:
    """Return a time as people say it: 45 s, 12 min, 3 h 05 min."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
