"""The server's clock, or the browser's, is set forwards and backwards during a study."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lab import Lab, open_lab
from sqlalchemy import select

from db import export
from db.models import Participant
from study_app.exclusions import judge
from study_app.outcomes.scoring import score

YEAR = timedelta(days=365)


class Clock:
    """The server's clock, set wrongly by `offset`."""

    offset = timedelta()

    @classmethod
    def now(cls) -> datetime:
        return datetime.now(UTC) + cls.offset


@pytest.fixture
def lab(tmp_path, monkeypatch):
    made: Lab = open_lab(tmp_path)
    app = made.client.app
    app.state.context = replace(app.state.context, now=Clock.now)
    monkeypatch.setattr(Clock, "offset", timedelta())
    yield made
    made.database.close()


def test_rows_keep_their_order_and_none_is_lost(lab, rounds):
    given: dict[str, list[str]] = {}
    for seed in range(rounds):
        rng = random.Random(seed)
        person = lab.participant()
        mine = []
        for trial in person.plan():
            Clock.offset = timedelta(seconds=rng.uniform(-1e8, 1e8))
            onset = rng.uniform(-1e12, 1e12)
            client = {
                "onset_ms": onset,
                "response_ms": onset - rng.uniform(0, 1e6),  # answered before it was shown
                "started_utc": datetime(rng.randint(1900, 2200), 1, 1, tzinfo=UTC).isoformat(),
            }
            value = rng.choice(trial["options"])["value"]
            event = f"{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}"
            for _ in range(2):
                ack = person.answer(trial, value, event_id=event, timing=client)
                assert ack.status_code == 200
            other = next(o["value"] for o in trial["options"] if o["value"] != value)
            Clock.offset -= YEAR
            assert person.answer(trial, other).status_code == 409
            mine.append(value)
        assert person.trials()["debrief"]["code"]
        given[person.token] = mine
    with lab.database.read() as s:
        rows, trail = export.ratings(s, "demo", judge=judge, score=score), export.events(s, "demo")
    assert len(rows) == 52 * rounds
    by_person = [part["response"].tolist() for _, part in rows.groupby("participant_id")]
    assert sorted(by_person) == sorted(given.values())
    for _, part in rows.groupby("participant_id", sort=False):
        assert part["trial_index"].tolist() == list(range(52))
    # What was stored stands before what contradicted it, whatever the clock said.
    for _, part in trail.groupby("row_id"):
        assert part["kind"].tolist() == ["stored", "refused"]


def test_lists_stay_even_when_the_clock_jumps(lab, rounds):
    for seed in range(rounds):
        # Backwards only: those seen before a jump forwards of an hour count as having left.
        Clock.offset = -YEAR * random.Random(seed).random() * (seed + 1)
        for _ in range(20):
            lab.participant()
    with lab.database.read() as s:
        lists = Counter(s.scalars(select(Participant.list_index)))
    assert sum(lists.values()) == 20 * rounds
    assert max(lists.values()) - min(lists.values()) <= 1
    assert len(lists) == 20


def test_people_resume_after_a_jump_of_a_year(lab):
    for jump in (YEAR, -YEAR):
        Clock.offset = timedelta()
        person = lab.participant()
        plan = person.plan()
        person.answer(plan[0]).raise_for_status()
        Clock.offset = jump
        assert person.post("/api/admit", {}).json()["position"] == 1
        assert person.plan() == plan
        assert person.finish()["complete"]
