"""Answers sent twice, late, out of order and from two tabs that disagree."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from crowd import Home, Person, look_up, run
from live_server import LiveServer

from study_app.simulation.wire import Wire

TABS = 4


async def send_in_disorder(person: Person, rng: random.Random) -> set[tuple[str, str, str]]:
    """Answer all trials every wrong way; return the answers refused: (trial, event, answer)."""
    await person.enter()
    plan: list[dict[str, Any]] = []
    for start in range(0, 52, 20):
        page = await person.insist("GET", f"/api/trials?from={start}&n=20")
        plan += page.body["trials"]
    messages = []
    for trial in plan:
        first = person.answer_body(trial)
        same_elsewhere = person.answer_body(trial) | {"answer": first["answer"]}
        other = next(o["value"] for o in trial["options"] if o["value"] != first["answer"])
        contradiction = person.answer_body(trial) | {"answer": other}
        messages += [first, first, same_elsewhere]
        if rng.random() < 0.5:
            messages += [contradiction, contradiction]
    rng.shuffle(messages)
    refused: set[tuple[str, str, str]] = set()
    stored: dict[str, dict[str, Any]] = {}

    async def tab(number: int) -> None:
        wire = Wire(person.port)
        for body in messages[number::TABS]:
            await asyncio.sleep(rng.uniform(0, 0.01))
            person.tally.requests += 1
            reply = await wire.request("POST", "/api/response", person.token, body)
            note(body, reply.status, reply.body)
        wire.close()

    def note(body: dict[str, Any], status: int, answer: dict[str, Any]) -> None:
        if status == 409:
            assert answer["error"] == "locked"
            refused.add((body["trial_id"], body["event_id"], body["answer"]))
            return
        assert status == 200, answer
        if answer["status"] == "stored":
            assert body["trial_id"] not in stored, "stored twice"
            stored[body["trial_id"]] = body
            person.acknowledged[body["event_id"]] = (body["trial_id"], body["answer"])

    await asyncio.gather(*(tab(number) for number in range(TABS)))
    done = (await person.insist("GET", "/api/trials?from=0&n=0")).body
    assert done["complete"]
    code = done["debrief"]["code"]
    # Everything once more, after the end.
    wire = Wire(person.port)
    for body in messages:
        person.tally.requests += 1
        reply = await wire.request("POST", "/api/response", person.token, body)
        expected = 200 if body["answer"] == stored[body["trial_id"]]["answer"] else 409
        assert reply.status == expected
        assert expected == 409 or reply.body["status"] == "duplicate"
    wire.close()
    again = (await person.insist("GET", "/api/trials?from=0&n=0")).body
    assert again["debrief"]["code"] == code
    person.close()
    assert stored.keys() == {trial["trial_id"] for trial in plan}
    return refused


def test_twice_late_reordered_and_from_two_tabs(
    home: Home, server: LiveServer, rounds: int, publish_row: Callable[..., None]
) -> None:
    found, tallies = [], []
    refused: set[tuple[str, str, str]] = set()
    for number in range(rounds):
        (person,) = home.people(server.port, seed=number, count=1)
        refused |= run(send_in_disorder(person, random.Random(number)))
        found.append(look_up(server.home / "study.db", [person]))
        tallies.append(person.tally)
    assert refused
    assert [(f.once, f.lost, f.doubled) for f in found] == [(52, 0, 0)] * rounds
    with closing(sqlite3.connect(server.home / "study.db")) as file:
        logged = file.execute("SELECT trial_id, event_id, answer FROM refused_response").fetchall()
    assert len(logged) == len(refused), "each refused answer is logged, and once"
    assert set(logged) == refused
    publish_row("sent twice, late, reordered, two tabs", rounds, tallies, found)
