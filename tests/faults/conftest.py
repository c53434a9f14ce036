"""A study to break: its home, its server, and the sums that `make soak` publishes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crowd import Found, Home, Tally, make_home
from live_server import LiveServer

ROUNDS = int(os.environ.get("PLAUSIBLY_FAULT_ROUNDS", "3"))
REPORT = os.environ.get("PLAUSIBLY_FAULT_REPORT")
"""Where `make soak` wants the result, as Markdown."""

_rows: list[str] = []
HEAD = """# Faults

What `make soak` found when it was last run: real server processes over a real database file, raw
HTTP clients that keep to the player's rules, and a look into the file afterwards. `make test` does
the same with 3 rounds. Where the moment of a fault is random, the round's number is the seed.

- *requests*: sent, repetitions included; *no reply*: of these, how many ended without a whole answer,
  because the server was gone
- *503*: refused with a sentence, and sent again until there was room
- *acknowledged*: answers that somebody was told are stored; *found once*: of these, how many are in
  the database exactly once, as given; *lost* and *doubled* must be 0
- *resumed*: how often somebody asked the server where they were, and went on there

Beside these, `make test` holds: a copy made while people write has every answer that was acknowledged
before it began; what a withdrawal deletes is gone from the bytes of database, log and copies while
others write and read; a copy that cannot be written, for want of room say, is absent, and is blamed.

| fault | rounds | requests | no reply | 503 | acknowledged | found once | lost | doubled | resumed |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
"""  # noqa: E501


@pytest.fixture(scope="session")
def rounds() -> int:
    """How often each fault is tried."""
    return ROUNDS


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def server(home: Home, tmp_path: Path) -> Iterator[LiveServer]:
    made = LiveServer(home.folder, tmp_path)
    yield made
    if made.process.poll() is None:
        made.stop()
    assert "Traceback" not in made.output, made.output


@pytest.fixture
def publish_row() -> Callable[..., None]:
    """Keeps one row of the table that `make soak` writes."""

    def keep(fault: str, rounds: int, tallies: list[Tally], found: list[Found]) -> None:
        sums = [
            sum(t.requests for t in tallies),
            sum(t.no_reply for t in tallies),
            sum(t.refused_503 for t in tallies),
            sum(f.acknowledged for f in found),
            sum(f.once for f in found),
            sum(f.lost for f in found),
            sum(f.doubled for f in found),
            sum(t.resumed for t in tallies),
        ]
        _rows.append(f"| {fault} | {rounds} | " + " | ".join(map(str, sums)) + " |")

    return keep


def pytest_sessionfinish(session: pytest.Session) -> None:
    if REPORT and session.testsfailed == 0 and _rows:
        Path(REPORT).write_text(HEAD + "\n".join(_rows) + "\n", encoding="utf-8")
