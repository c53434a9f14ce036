"""Simulated people take part in a study of an installation, over HTTP, and the truth is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from db import repository
from db.repository import StudyVersionInfo
from engine import results
from engine.errors import UsageError
from study_app.design import publish
from study_app.design.study_design import design
from study_app.installation import AppState, tokens
from study_app.simulation.in_memory import Everything, TookPart, seed_for
from study_app.simulation.own_server import own_server
from study_app.simulation.rater_file import Raters
from study_app.simulation.simulated_person import facts_of
from study_app.simulation.taking_part import TakingPart
from study_app.simulation.truth import TrueShare, Truth
from study_app.study import Study, study_of

AT_ONCE = 50
"""People who are under way at the same moment."""


@dataclass(frozen=True)
class Simulated:
    """A finished simulation.

    Attributes:
        version: of the study, for simulated people.
        raters: how they answer.
        seed: as it was given; `resolved_seed`: what all numbers were drawn from.
        people: facts of each, in order: number, kind, deviation, language, fate, arm, list,
            answers, participant_id (None: withdrew), and where they left.
        shares: what should be found.
    """

    version: StudyVersionInfo
    raters: Raters
    seed: int
    resolved_seed: int
    people: Sequence[dict[str, Any]]
    shares: Sequence[TrueShare]

    def fates(self) -> Counter[str]:
        """Return how many people ended how."""
        return Counter(person["fate"] for person in self.people)

    def to_json(self) -> dict[str, Any]:
        """Return the truth as it is written beside the data."""
        return {
            "simulated": True,
            "study": self.version.name,
            "version": self.version.version,
            "stage": self.version.stage,
            "content_sha256": self.version.content_sha256,
            "seed": self.seed,
            "resolved_seed": self.resolved_seed,
            "raters": self.raters.model_dump(mode="json"),
            "shares": [asdict(share) for share in self.shares],
            "fates": dict(self.fates()),
            "people": list(self.people),
        }


def simulate(
    study: Study,
    raters: Raters,
    state: AppState,
    *,
    people: int,
    seed: int,
    replace: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Simulated:
    """Let simulated people take part in a study, from its file as it is.

    They are of the stage `simulated`, in a version of their own with the content that the study
    would be launched with; whether the study is open, and how many it takes, is nothing to them.
    All consent and fill in forms, then they are admitted in order, then they answer; so equal seeds
    give equal answers.

    Args:
        study: whose experiment has been run here.
        raters: how people answer.
        state: the installation's; its database is up to date.
        people: how many come.
        seed: with the study's content it decides everything that is drawn.
        replace: delete the simulated people that the study has.
        tell: is told what goes on.

    Raises:
        UsageError: the study has simulated people already, or cannot be published.
    """
    drawn = design(study, results.find(state.store, study.experiment))
    _make_room(state, study.name, replace=replace)
    version = publish.publish(study, state.store, state.database, drawn, simulated=True)
    resolved = seed_for(seed, version.content_sha256)
    everything = Everything(study_of(version), version.design, drawn.stimuli, raters, resolved)
    detail = {"study": study.name, "version": version.version, "people": people, "seed": seed}
    now = datetime.now(UTC)
    state.database.write(
        lambda s: repository.audit(
            s, actor="command line", action="simulate", detail=detail, now=now
        )
    )
    truth = Truth(raters, resolved)
    taken = _over_http(everything, state, people, tell)
    for _, took in taken:
        if took is not None:
            truth.add(took.person, took.arm, took.plan, took.done)
    facts = [_facts(state, one, took) for one, took in taken]
    return Simulated(version, raters, seed, resolved, facts, truth.shares(study))


def _make_room(state: AppState, study: str, *, replace: bool) -> None:
    with state.database.read() as s:
        before = repository.simulated_people(s, study)
    if before and not replace:
        who = "1 simulated person" if before == 1 else f"{before} simulated people"
        raise UsageError(
            f"study {study!r} has {who} already, who would be counted with these; to delete them "
            "first: add --replace"
        )
    if before:
        state.database.write(lambda s: repository.delete_simulated(s, study))


Taken = tuple[TakingPart, TookPart | None]


def _over_http(
    everything: Everything, state: AppState, count: int, tell: Callable[[str], None]
) -> list[Taken]:
    """Let people take part at a server of their own; return each, with their plan if any."""
    people = everything.people(count)
    seeds = {person.nonce: person.plan_seed for person in people}
    with own_server(state, lambda nonce: seeds.get(nonce, 0)) as port:
        there = [TakingPart(person, everything.study, port) for person in people]
        # In a thread of its own: a notebook's has an event loop that runs already.
        with ThreadPoolExecutor(1) as thread:
            scene = thread.submit(lambda: asyncio.run(_take_part(everything, state, there, tell)))
            return scene.result()


async def _take_part(
    everything: Everything,
    state: AppState,
    there: Sequence[TakingPart],
    tell: Callable[[str], None],
) -> list[Taken]:
    try:
        tell(f"{len(there)} people consent and fill in forms")
        await _few_at_once(one.consent for one in there)
        admitted = [one for one in there if one.fate is None]
        tell(f"{len(admitted)} people are admitted")
        for one in admitted:
            await one.admit()
        took = {one: _place(everything, state, one) for one in admitted}
        tell(f"{sum(len(each.done.answers) for each in took.values())} questions are answered")
        await _few_at_once(partial(one.go_on, each.done) for one, each in took.items())
    finally:
        for one in there:
            one.close()
    return [(one, took.get(one)) for one in there]


async def _few_at_once(works: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Run all, `AT_ONCE` at the same time; the first error ends them."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(work: Callable[[], Awaitable[None]]) -> None:
        async with turn:
            await work()

    tasks = [asyncio.create_task(one(work)) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _place(everything: Everything, state: AppState, one: TakingPart) -> TookPart:
    """Return where the server put somebody, with what they will do."""
    with state.database.read() as s:
        found = repository.participant_by_token(s, tokens.sha256(one.token))
    assert found is not None
    assert found.arm is not None
    assert found.list_index is not None
    plan = everything.plan(one.person, found.arm, found.list_index)
    done = one.person.takes_part(found.arm, plan)
    return TookPart(one.person, found.arm, found.list_index, plan, done)


def _facts(state: AppState, one: TakingPart, took: TookPart | None) -> dict[str, Any]:
    with state.database.read() as s:
        stored = repository.participant_by_token(s, tokens.sha256(one.token))
    return {
        **facts_of(one.person),
        "fate": one.fate,
        "participant_id": None if stored is None else stored.id,
        "arm": None if took is None else took.arm,
        "list": None if took is None else took.list_index,
        "answers": 0 if took is None else len(took.done.answers),
        "questions": 0 if took is None else len(took.plan),
    }
