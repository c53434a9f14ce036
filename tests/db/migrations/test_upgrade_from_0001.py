"""A database of the first revision, with something in every table, becomes one of today."""

from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError
from stored_study import participants, ratings

from db import repository as repo
from db.export import events
from db.session import Database
from db.upgrade import MIGRATIONS

NOW = datetime(2026, 11, 21, 10, 20, 30, 123456, tzinfo=UTC)
VIEW = '{"layout":"grid","options":[],"prompt":"Which?"}'
PASSPORT = '{"kind":"clean","source":{"image_id":"i"}}'


def person(number, **changes):
    return {
        "id": f"p{number}",
        "study_id": 1,
        "study_version_id": 1,
        "token_sha256": f"token {number}",
        "nonce_sha256": f"nonce {number}",
        "provider": "direct",
        "provider_id_hmac": f"hmac {number}",
        "language": "en",
        "seed": 2**62 + number,
        "status": "consented",
        "arm": None,
        "list_index": None,
        "plan_hash": None,
        "completion_code": None,
        "created_at": NOW,
        "admitted_at": None,
        "completed_at": None,
        "last_seen_at": NOW,
    } | changes


def answer(number, trial, attempt, value):
    return {
        "event_id": f"e{number}",
        "trial_id": trial,
        "attempt": attempt,
        "answer": value,
        "answer_label": value.upper(),
        "rt_ms": 612.5,
        "timing_json": '{"hidden_ms":0}',
        "display_json": "{}",
        "received_at": NOW,
    }


ADMITTED = {"arm": "all", "list_index": 0, "plan_hash": "h", "admitted_at": NOW}
ROWS = {
    "audit": [{"id": 1, "at": NOW, "actor": "a", "action": "b", "detail_json": "{}"}],
    "researcher": [
        {
            "id": 1,
            "name": "ada",
            "password_hash": "x",
            "created_at": NOW,
            "password_changed_at": NOW,
        }
    ],
    "researcher_session": [
        {"token_sha256": "s", "researcher_id": 1, "created_at": NOW, "expires_at": NOW}
    ],
    "study": [{"id": 1, "name": "demo", "status": "live", "created_at": NOW}],
    "export_record": [
        {
            "id": 1,
            "study_id": 1,
            "exported_at": NOW,
            "format": "csv",
            "rows": 2,
            "sha256": "x",
            "stale": False,
        }
    ],
    "study_version": [
        {
            "id": 1,
            "study_id": 1,
            "version": 1,
            "content_sha256": "c",
            "config_json": '{"title":"Demo"}',
            "design_json": '{"class_names":["cat","dog"]}',
            "stage": "main",
            "frozen": True,
            "created_at": NOW,
        }
    ],
    "stimulus": [
        {
            "stimulus_id": "s1",
            "pixels_sha256": "p",
            "file_sha256": "f",
            "image_id": "i",
            "passport_json": PASSPORT,
            "png": b"png",
            "width": 28,
            "height": 28,
        }
    ],
    "study_stimulus": [{"opaque_id": "o1", "study_id": 1, "stimulus_id": "s1"}],
    "study_version_stimulus": [{"study_version_id": 1, "stimulus_id": "s1"}],
    "tombstone": [
        {"id": 9, "study_version_id": 1, "arm": "all", "list_index": 1, "withdrawn_at": NOW}
    ],
    "participant": [
        person(1),
        person(2, status="admitted", **ADMITTED),
        person(3, status="complete", completion_code="CODE", completed_at=NOW, **ADMITTED),
        person(4, status="timed_out", **ADMITTED),
        person(5, status="returned", provider_id_hmac=None),
    ],
    "consent": [
        {
            "id": number,
            "participant_id": f"p{number}",
            "text_sha256": "t",
            "language": "en",
            "version": "1",
            "given_at": NOW,
        }
        for number in range(1, 6)
    ],
    "provider_identity": [{"participant_id": "p2", "provider_id": "RAW", "expires_at": NOW}],
    "presentation": [
        {
            "id": f"pr{number}",
            "participant_id": f"p{number}",
            "presentation_index": 0,
            "stimulus_id": "s1",
            "phase": "main",
            "role": "main",
            "condition": "clean",
            "block": 1,
        }
        for number in (2, 3)
    ],
    "trial": [
        {
            "id": f"t{number}",
            "presentation_id": f"pr{number}",
            "participant_id": f"p{number}",
            "position": 0,
            "task": "label_nafc",
            "view_json": VIEW,
            "correct_option": "3",
            "shown_label": {2: None, 3: "dog"}[number],
            "foil_policy": None,
        }
        for number in (2, 3)
    ],
    "response": [answer(1, "t2", 1, "a"), answer(2, "t3", 1, "b"), answer(3, "t3", 2, "c")],
    "refused_response": [
        {
            "id": 1,
            "trial_id": "t3",
            "event_id": "e9",
            "attempt": 1,
            "answer": "z",
            "received_at": NOW,
        }
    ],
}


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path):
    """A database of revision 0001 with ROWS in it."""
    if request.param == "sqlite":
        database = Database(tmp_path / "study.db")
    else:
        database = Database(request.getfixturevalue("postgres").new(template="template0"))
    engine = database._backend.migrators()
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        tables = MetaData()
        tables.reflect(connection)
        for name in ROWS:
            connection.execute(insert(tables.tables[name]), ROWS[name])
    engine.dispose()
    yield database
    database.close()


def test_nothing_is_lost(old):
    with old.read() as s:
        tables = MetaData()
        tables.reflect(s.connection())
        assert set(tables.tables) - {"alembic_version"} == set(ROWS)
        before = {name: s.execute(select(tables.tables[name])).mappings().all() for name in ROWS}
        before = {name: [dict(row) for row in rows] for name, rows in before.items()}
        indexes = {
            (name, index["name"])
            for name in ROWS
            for index in inspect(s.connection()).get_indexes(name)
        }
        keys = {
            (name, key["name"], tuple(key["constrained_columns"]), str(key["options"]))
            for name in ROWS
            for key in inspect(s.connection()).get_foreign_keys(name)
        }
    backup = old.upgrade()
    assert (backup is None) == (old.path is None)
    old.check()
    with old.read() as s:
        for name, rows in before.items():
            listed = ", ".join(f'"{column}"' for column in rows[0])
            held = s.execute(select(*map(tables.tables[name].c.__getitem__, rows[0])))
            assert [dict(row) for row in held.mappings()] == rows, listed
        assert s.execute(text("SELECT DISTINCT values_json FROM response")).all() == [("{}",)]
        rated = s.execute(text("SELECT trial_id, answer, values_json FROM rating")).all()
        assert sorted(rated) == [("t2", "a", "{}"), ("t3", "c", "{}")]
        assert s.scalar(text("SELECT session FROM provider_identity")) is None
        inspector = inspect(s.connection())
        assert indexes <= {
            (name, index["name"]) for name in ROWS for index in inspector.get_indexes(name)
        }
        assert keys <= {
            (name, key["name"], tuple(key["constrained_columns"]), str(key["options"]))
            for name in ROWS
            for key in inspector.get_foreign_keys(name)
        }


def test_it_works_as_one_made_today(old):
    old.upgrade()
    with old.read() as s:
        assert ratings(s, "demo")["response"].tolist() == ["a", "c"]
        assert ratings(s, "demo")["shown_label_index"].fillna(-1).tolist() == [-1, 1]
        assert ratings(s, "demo")["pictures_json"].tolist() == ['["s1"]'] * 2
        assert len(events(s, "demo")) == 4
        assert len(participants(s, "demo")) == 5
        (trial,) = repo.trials_from(s, participant_id="p2", start=0, count=5)
        assert trial.pictures == (repo.Picture("o1", "f", 28, 28),)
    old.write(
        lambda s: repo.conclude(
            s, participant_id="p1", status="screened_out", completion_code=None, now=NOW
        )
    )
    with pytest.raises(IntegrityError):
        old.write(lambda s: s.execute(text("UPDATE participant SET status = 'elsewhere'")))
    with pytest.raises(IntegrityError):
        old.write(
            lambda s: s.execute(text("UPDATE participant SET token_sha256 = 'x', seed = seed + 1"))
        )
    for number in range(1, 6):
        old.write(lambda s, n=number: repo.withdraw(s, participant_id=f"p{n}", now=NOW))
    with old.read() as s:
        for table in ("participant", "consent", "presentation", "trial", "response"):
            assert s.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table
