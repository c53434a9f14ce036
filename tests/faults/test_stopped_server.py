"""The server is killed or told to stop, at a random moment, while people take part."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crowd import Found, Home, Person, look_up, run, take_part
from live_server import LiveServer

from study_app.simulation.wire import request_bytes

PEOPLE = 6


async def stop_while_they_take_part(
    server: LiveServer, people: list[Person], after_s: float, how: signal.Signals, copy: Path
) -> None:
    """Stop the server, look at what it left, start it again, and let everybody finish."""
    going_on = asyncio.create_task(take_part(people))
    await asyncio.sleep(after_s)
    await asyncio.to_thread(server.stop, how)
    await asyncio.sleep(0.05)  # replies that were still on the wire
    told = {event for person in people for event in person.acknowledged}
    # A copy: looking into the file itself would do the recovery that the server has to do.
    shutil.copytree(server.home, copy, ignore=shutil.ignore_patterns("artifacts", "backups"))
    left = look_up(copy / "study.db", people)
    assert (left.acknowledged, left.lost, left.doubled) == (len(told), 0, 0)
    await asyncio.to_thread(server.start)
    await going_on


def rounds_of(
    home: Home, server: LiveServer, tmp_path: Path, rounds: int, how: signal.Signals
) -> tuple[list[Person], list[Found]]:
    everybody: list[Person] = []
    found = []
    for number in range(rounds):
        people = home.people(server.port, seed=number, count=PEOPLE, twice=0.2)
        # A moment in each part of the two seconds, so that few rounds too meet all of them.
        after_s = 2 * (number + random.Random(number).random()) / rounds
        run(stop_while_they_take_part(server, people, after_s, how, tmp_path / f"copy{number}"))
        found.append(look_up(server.home / "study.db", people))
        everybody += people
    assert all(f.once == f.acknowledged == PEOPLE * 52 for f in found)
    assert not any(f.lost or f.doubled for f in found)
    assert len({person.code for person in everybody}) == PEOPLE * rounds
    return everybody, found


def test_kill_9(
    home: Home,
    server: LiveServer,
    tmp_path: Path,
    rounds: int,
    publish_row: Callable[..., None],
) -> None:
    people, found = rounds_of(home, server, tmp_path, rounds, signal.SIGKILL)
    tallies = [person.tally for person in people[::PEOPLE]]
    assert sum(tally.no_reply for tally in tallies) > 0
    assert sum(tally.resumed for tally in tallies) > 0
    publish_row("kill -9 of the server", rounds, tallies, found)


def test_sigterm_finishes_what_was_taken_in(
    home: Home,
    server: LiveServer,
    tmp_path: Path,
    rounds: int,
    publish_row: Callable[..., None],
) -> None:
    rounds = max(2, rounds // 2)
    people, found = rounds_of(home, server, tmp_path, rounds, signal.SIGTERM)
    publish_row("SIGTERM", rounds, [person.tally for person in people[::PEOPLE]], found)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered_before_the_server_ends(
    home: Home, server: LiveServer, how: signal.Signals
) -> None:
    """A body that is half there when the signal comes, and whole a little later."""

    async def scene() -> None:
        (person,) = home.people(server.port, seed=0, count=1)
        await person.enter()
        trial = (await person.insist("GET", "/api/trials?from=0&n=1")).body["trials"][0]
        body = person.answer_body(trial)
        person.acknowledged[body["event_id"]] = (trial["trial_id"], body["answer"])
        raw = request_bytes("POST", "/api/response", person.token, body)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(raw[:-40])
        await asyncio.sleep(0.3)
        server.process.send_signal(how)
        await asyncio.sleep(0.3)
        writer.write(raw[-40:])
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        person.close()
        writer.close()
        await asyncio.to_thread(server.process.wait, 20)
        assert look_up(server.home / "study.db", [person]).once == 1

    run(scene())
