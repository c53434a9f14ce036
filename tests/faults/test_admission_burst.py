"""Everybody comes at once: the lists fill evenly, and nobody is admitted twice."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from crowd import Home, Person, run
from live_server import LiveServer

PEOPLE = 40


async def come_at_once(people: list[Person]) -> None:
    """Each comes twice, from two tabs."""
    await asyncio.gather(*(person.enter_twice() for person in people))
    for person in people:
        person.close()


def test_lists_fill_evenly_in_a_burst(home: Home, server: LiveServer, rounds: int) -> None:
    for number in range(rounds):
        people = home.people(server.port, seed=number, count=PEOPLE)
        run(come_at_once(people))
        with closing(sqlite3.connect(server.home / "study.db")) as file:
            counts = file.execute(
                "SELECT count(*) FROM participant WHERE status = 'admitted' GROUP BY list_index"
            ).fetchall()
            ((trials,),) = file.execute("SELECT count(*) FROM trial").fetchall()
        filled = [count for (count,) in counts]
        assert len(filled) == 20
        assert sum(filled) == PEOPLE * (number + 1)
        assert max(filled) - min(filled) <= 1
        assert trials == 52 * sum(filled)
