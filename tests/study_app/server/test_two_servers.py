"""Two servers over one database: a participant may reach either, at any step."""

import secrets

import pytest
from lab import Person
from starlette.testclient import TestClient

from db.models import Participant, Response
from db.session import Database
from study_app.api import Context, create_api
from study_app.installation import AppState


@pytest.fixture
def other(lab, database_url):
    """A client of the second server: the same key and artifacts, a connection of its own."""
    state = AppState(Database(database_url), lab.state.store, lab.state.key)
    yield TestClient(create_api(Context(state)), raise_server_exceptions=False)
    state.database.close()


def test_a_participant_goes_from_one_server_to_the_other(lab, other):
    nonce = secrets.token_hex(16)
    here = Person(lab.client, lab.consent(nonce).json()["token"])
    there = Person(other, here.token)
    assert there.post("/api/admit", {}).json() == here.post("/api/admit", {}).json()
    plan = there.plan()
    assert plan == here.plan()
    for number, trial in enumerate(plan):
        event = f"{number:08d}-0000-4000-8000-000000000000"
        first, second = (here, there) if number % 2 else (there, here)
        assert first.answer(trial, event_id=event).json()["status"] == "stored"
        assert second.answer(trial, event_id=event).json()["status"] == "duplicate"
        assert second.answer(trial, trial["options"][1]["value"]).status_code == 409
    code = here.trials()["debrief"]["code"]
    assert code == there.trials()["debrief"]["code"]
    with lab.database.read() as s:
        assert (s.query(Response).count(), s.query(Participant).count()) == (len(plan), 1)
    assert there.post("/api/withdraw", {}).status_code == 200
    assert here.post("/api/admit", {}).status_code == 401
