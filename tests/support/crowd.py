"""Many people at once over raw HTTP, and the comparison of what they were told with the database.

A `Person` keeps to the player's rules: answers go in order, one at a time; one that brought no
final reply is sent again with the same `event_id`. Nothing is retried by a library underneath.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import uuid
from collections import Counter
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lab import open_lab

from study_app.design import publish
from study_app.participation.texts import consent_sha256
from study_app.simulation.wire import AGAIN_S, NoReplyError, Reply, Wire
from study_app.study import Study, study_of, wording

T = TypeVar("T")

PAGE = 20
EARLY_CODES = """
    SELECT participant.id, completion_code, count(trial.id), count(response.event_id)
    FROM participant JOIN trial ON trial.participant_id = participant.id
    LEFT JOIN response ON response.trial_id = trial.id GROUP BY participant.id
    HAVING (completion_code IS NOT NULL) <> (count(trial.id) = count(response.event_id))
"""


@dataclass
class Tally:
    """What happened on the wire, in all."""

    requests: int = 0
    no_reply: int = 0
    resumed: int = 0
    refused_503: int = 0
    ack_seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Replies that break the contract, each in words; must stay empty."""


@dataclass
class Person:
    """Somebody who takes part. `acknowledged` maps event ids to (trial, answer)."""

    port: int
    tally: Tally
    rng: random.Random
    consent: dict[str, Any]
    think_s: tuple[float, float] = (0.0, 0.0)
    twice: float = 0.0
    """Share of the answers that are sent a second time, over another connection."""
    token: str = ""
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    code: str | None = None

    def __post_init__(self) -> None:
        self._wire, self._other = Wire(self.port), Wire(self.port)
        self.nonce = f"{self.rng.getrandbits(128):032x}"

    async def insist(
        self, method: str, path: str, body: Any = None, *, wire: Wire | None = None
    ) -> Reply:
        """Repeat a request until it has a final reply, as the player does."""
        while True:
            self.tally.requests += 1
            try:
                reply = await (wire or self._wire).request(method, path, self.token, body)
            except NoReplyError:
                self.tally.no_reply += 1
            else:
                if reply.status == 503:
                    self.tally.refused_503 += 1
                    self._expect(len(reply.body["message"]) > 20, f"503 says {reply.body}")
                else:
                    ok = reply.status in (200, 201)
                    self._expect(ok, f"{method} {path}: {reply.status} {reply.body!r}")
                    return reply
            await asyncio.sleep(AGAIN_S)

    async def enter(self) -> None:
        """Consent and be admitted."""
        await self._enter(self._wire)

    async def enter_twice(self) -> None:
        """The same from two tabs at once."""
        await asyncio.gather(self._enter(self._wire), self._enter(self._other))

    async def _enter(self, wire: Wire) -> None:
        body = self.consent | {"nonce": self.nonce}
        self.token = (await self.insist("POST", "/api/consent", body, wire=wire)).body["token"]
        await self.insist("POST", "/api/admit", {}, wire=wire)

    async def take_part(self) -> None:
        """The whole way, from wherever the server says one is."""
        if not self.token:
            await self.enter()
        asked = 0
        while self.code is None:
            before = self.tally.no_reply
            state = (await self.insist("GET", f"/api/trials?from={asked}&n={PAGE}")).body
            self._check_progress(state)
            for trial in state["trials"]:
                if trial["position"] < state["position"]:
                    continue
                await asyncio.sleep(self.rng.uniform(*self.think_s))
                await self.answer(trial)
                if self.tally.no_reply > before:
                    break  # a browser that lost the server asks where it was
            else:
                asked = max(state["position"], asked + len(state["trials"]))
                continue
            asked = len(self.acknowledged)
            self.tally.resumed += 1

    async def answer(self, trial: dict[str, Any]) -> None:
        """Give one answer and wait until it is acknowledged."""
        body = self.answer_body(trial)
        sends = [self.insist("POST", "/api/response", body)]
        if self.rng.random() < self.twice:
            sends.append(self.insist("POST", "/api/response", body, wire=self._other))
        replies = await asyncio.gather(*sends)
        stored = [reply.body["status"] for reply in replies].count("stored")
        self._expect(stored <= 1, f"one answer was stored {stored} times")
        self.acknowledged[body["event_id"]] = (trial["trial_id"], body["answer"])
        self.tally.ack_seconds += [reply.seconds for reply in replies]

    def answer_body(self, trial: dict[str, Any]) -> dict[str, Any]:
        """A new answer to a trial, chosen at random."""
        return {
            "event_id": str(uuid.UUID(int=self.rng.getrandbits(128), version=4)),
            "trial_id": trial["trial_id"],
            "attempt": 1,
            "answer": self.rng.choice(trial["options"])["value"],
            "rt_ms": self.rng.uniform(300, 3000),
            "timing": {"rt_source": "event", "input": "key"},
            "display": {"device_pixel_ratio": 1, "rendering": "exact"},
        }

    def _check_progress(self, state: dict[str, Any]) -> None:
        known = len(self.acknowledged)
        self._expect(
            state["position"] == known, f"position {state['position']} after {known} answers"
        )
        complete = 0 < state["total"] == known
        self._expect(state["complete"] == complete, f"complete is {state['complete']}")
        self._expect(("debrief" in state) == complete, f"a code after {known} answers")
        if complete:
            self.code = state["debrief"]["code"]

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.tally.wrong.append(otherwise)
            raise AssertionError(otherwise)

    def close(self) -> None:
        self._wire.close()
        self._other.close()


@dataclass(frozen=True)
class Found:
    """Acknowledged answers looked up in the database.

    Attributes:
        acknowledged: answers that somebody was told are stored.
        once: of these, found exactly once, with the answer that was given.
        lost: not found, or with another answer.
        doubled: trials of these people with more than one row.
    """

    acknowledged: int
    once: int
    lost: int
    doubled: int


@dataclass(frozen=True)
class Home:
    """A finished home, and the consent that its study wants."""

    folder: Path
    consent: dict[str, Any]

    def people(self, port: int, seed: int, count: int, **options: Any) -> list[Person]:
        """People of one tally, each with a seed of their own."""
        tally = Tally()
        return [
            Person(port, tally, random.Random(1000 * seed + n), self.consent, **options)
            for n in range(count)
        ]


def make_home(folder: Path, study: Study | None = None) -> Home:
    """Publish `study`, else the demo, in `folder`, over an experiment that took no training."""
    lab = open_lab(folder)
    version = lab.version
    if study is not None:
        version = publish.publish(study, lab.state.store, lab.database)
    lab.database.close()
    consent = {
        "study": version.name,
        "consent_sha256": consent_sha256(wording(study_of(version), "en")),
        "language": "en",
        "provider": {"name": "direct", "id": None, "session": None},
    }
    return Home(folder, consent)


def run(scene: Coroutine[Any, Any, T]) -> T:
    """Run to its end, in a thread of its own: a browser test may own this thread's event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, scene).result()


async def take_part(people: list[Person]) -> None:
    """Let all take part at the same time, to the end."""
    try:
        await asyncio.gather(*(person.take_part() for person in people))
    finally:
        for person in people:
            person.close()


def look_up(database: Path, people: Iterable[Person]) -> Found:
    """Compare what people were told with what a fresh look into the file finds."""
    with closing(sqlite3.connect(database)) as file:
        if file.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise AssertionError(f"{database} is damaged")
        rows = file.execute("SELECT event_id, trial_id, answer FROM response").fetchall()
        if early := file.execute(EARLY_CODES).fetchall():
            raise AssertionError(f"codes without all answers, or answers without a code: {early}")
    events = Counter(event for event, _, _ in rows)
    trials = Counter(trial for _, trial, _ in rows)
    held = {event: (trial, answer) for event, trial, answer in rows}
    told = [item for person in people for item in person.acknowledged.items()]
    once = sum(events[event] == 1 and held[event] == given for event, given in told)
    doubled = sum(trials[trial] > 1 for _, (trial, _) in told)
    return Found(len(told), once, sum(held.get(e) != given for e, given in told), doubled)
