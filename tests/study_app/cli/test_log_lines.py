"""A run in a log file: a line every minute, by a clock that the test turns; times in words."""

from __future__ import annotations

import sys
from threading import Event
from types import SimpleNamespace

import pytest

from study_app.cli import progress
from study_app.cli.computing import computing
from study_app.cli.log_lines import LogLines, duration


class Watched:
    """Log lines with a clock of the test's."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.said: list[str] = []
        self.lines = LogLines(self.said.append, clock=lambda: self.now)

    def after(self, seconds: float) -> str | None:
        """Let time pass; return what is said then."""
        self.now += seconds
        before = len(self.said)
        self.lines.say_if_due()
        return self.said[-1] if len(self.said) > before else None


@pytest.fixture
def watched():
    return Watched()


def test_nothing_is_said_before_a_minute_is_over_and_then_once_a_minute(watched):
    assert watched.after(59.9) is None
    assert watched.after(0.1) == "after 1 min, 0 tasks ended | reading data and planning"
    assert watched.after(59) is None
    assert watched.after(1) is not None
    # A machine that slept says one line.
    assert watched.after(3600) == "after 1 h 02 min, 0 tasks ended | reading data and planning"
    assert watched.after(1) is None


def test_a_line_names_what_runs_how_far_it_is_and_what_its_own_pace_leaves(watched):
    watched.lines.started("train none")
    watched.lines.progressed("train none", {"step": 100, "steps": 1000})  # resumed there
    watched.now += 30
    watched.lines.progressed("train none", {"step": 250, "steps": 1000, "loss": 0.5})
    watched.lines.started("ask both")
    # 150 steps in 30 s: 750 are left, 150 s, of which 30 have passed since.
    assert watched.after(30) == (
        "after 1 min, 0 tasks ended | train none: 250 of 1000 steps, loss 0.500, about 2 min left "
        "| ask both: for 30 s"
    )
    watched.lines.finished("train none")
    assert watched.after(60) == "after 2 min, 1 task ended | ask both: for 2 min"


def test_without_a_pace_nothing_is_promised(watched):
    watched.lines.started("a")
    watched.lines.progressed("a", {"step": 0, "steps": 10})
    watched.lines.started("b")
    watched.lines.progressed("b", {"step": 10, "steps": 10})
    watched.lines.started("c")
    watched.lines.progressed("c", {"step": 1, "steps": 10})
    watched.now += 2
    watched.lines.progressed("c", {"step": 5, "steps": 10})
    said = watched.after(58)
    # What should have been over is late: its pace tells nothing any more.
    assert said == "after 1 min, 0 tasks ended | a: 0 of 10 | b: 10 of 10 | c: 5 of 10"
    assert "c: 5 of 10, no report for 3 min" in str(watched.after(120))


def test_of_many_tasks_some_are_named(watched):
    for number in range(9):
        watched.lines.started(f"t{number}")
    said = str(watched.after(60))
    assert "t5: for 1 min | and 3 more" in said
    assert "t6" not in said


def test_what_was_found_counts_and_needs_no_start(watched):
    watched.lines.finished("source images")
    assert "1 task ended" in str(watched.after(60))


def test_lines_come_by_themselves_until_the_end():
    said, told = [], Event()

    def say(line):
        said.append(line)
        told.set()

    lines = LogLines(say, every_s=0.01)
    lines.begin()
    assert told.wait(20)
    lines.end()
    count = len(said)
    assert not lines._thread.is_alive()
    assert len(said) == count


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (45.4, "45 s"), (59.6, "1 min"), (150, "2 min"), (3600, "1 h 00 min"),
     (11100, "3 h 05 min")],
)  # fmt: skip
def test_times_in_words(seconds, words):
    assert duration(seconds) == words


def made(seconds, processor=None, device="cpu"):
    return SimpleNamespace(
        seconds=seconds, processor_seconds=processor, manifest={"environment": {"device": device}}
    )


@pytest.mark.parametrize(
    ("artifacts", "words"),
    [
        ([made(30, 10.2), made(5, 4.0)], "14.2 s of processor time"),
        ([made(30, 10, "NVIDIA H100"), made(5, 4)],
         "14.0 s of processor time, 30.0 s elapsed in jobs on a GPU"),
        ([made(30)], "30.0 s elapsed in jobs whose processor time was not recorded"),
        ([made(30), made(5, 4)],
         "4.0 s of processor time, 30.0 s elapsed in jobs whose processor time was not recorded"),
    ],
)  # fmt: skip
def test_time_by_the_clock_is_never_called_processor_time(artifacts, words):
    assert computing(artifacts) == words


class Terminal:
    def isatty(self):
        return True

    def write(self, _text):
        pass

    def flush(self):
        pass


def test_a_terminal_has_bars_and_no_such_lines(monkeypatch, capsys):
    task = SimpleNamespace(name="train none", stage="train")
    with progress.ProgressObserver() as observer:
        assert observer._lines is not None
        observer.started(task)
        observer.progressed(task, {"step": 1, "steps": 2})
        observer.finished(task, made(3.0, 2.0), reused=False)
    observer.summary()
    assert "1 made in 2.0 s of processor time" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert progress.ProgressObserver()._lines is None
