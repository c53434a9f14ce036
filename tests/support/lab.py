"""A published study over the synthetic experiment, and the routes over it, without Streamlit."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from synthetic import experiment

from db.repository import StudyVersionInfo
from db.session import Database
from engine.artifacts import ArtifactStore
from study_app import login, publish, study
from study_app.api import routes
from study_app.security import SecurityMiddleware
from study_app.state import AppState

PASSWORD = "correct horse battery staple"


@dataclass
class Lab:
    """A server without Streamlit: database, artifacts, the study `demo`, and a client."""

    state: AppState
    version: StudyVersionInfo
    client: TestClient

    @property
    def database(self) -> Database:
        return self.state.database

    def consent(self, nonce: str | None = None, **changes: Any) -> Any:
        body = {
            "study": "demo",
            "consent_sha256": publish.consent_sha256(self.version),
            "language": "en",
            "provider": {"name": "direct", "id": None},
            "nonce": nonce or secrets.token_hex(16),
            **changes,
        }
        return self.client.post("/api/consent", json=body)

    def participant(self, *, admitted: bool = True) -> Person:
        person = Person(self.client, self.consent().json()["token"])
        if admitted:
            person.post("/api/admit", {}).raise_for_status()
        return person

    def log_in(self) -> None:
        self.client.post("/api/login", json={"password": PASSWORD}).raise_for_status()


@dataclass
class Person:
    """A participant's side of the HTTP contract."""

    client: TestClient
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(path, json=body, headers=self.headers)

    def trials(self, start: int = 0, count: int = 20) -> dict[str, Any]:
        answer = self.client.get(f"/api/trials?from={start}&n={count}", headers=self.headers)
        answer.raise_for_status()
        return answer.json()

    def plan(self) -> list[dict[str, Any]]:
        total = self.trials()["total"]
        return [t for start in range(0, total, 20) for t in self.trials(start)["trials"]]

    def answer(self, trial: dict[str, Any], value: str | None = None, **changes: Any) -> Any:
        body = {
            "event_id": secrets.token_hex(4) + "-0000-4000-8000-" + secrets.token_hex(6),
            "trial_id": trial["trial_id"],
            "attempt": 1,
            "answer": trial["options"][0]["value"] if value is None else value,
            "rt_ms": 812.5,
            "timing": {"rt_source": "event", "input": "key"},
            "display": {"device_pixel_ratio": 1, "rendering": "exact"},
            **changes,
        }
        return self.post("/api/response", body)

    def finish(self) -> dict[str, Any]:
        for trial in self.plan():
            self.answer(trial).raise_for_status()
        return self.trials()


def open_lab(
    folder: Path, database: Database | None = None, store: ArtifactStore | None = None
) -> Lab:
    """database: empty and upgraded; store: holds the experiment. What is not given, is made."""
    if store is None:
        store = ArtifactStore(folder / "artifacts")
        experiment(store)
    if database is None:
        database = Database(folder / "study.db")
        database.upgrade()
    version = publish.publish(study.load("demo"), store, database)
    login.ensure_password(database, PASSWORD)
    state = AppState(database, store, b"k" * 64)
    app = Starlette(routes=routes(state), middleware=[Middleware(SecurityMiddleware)])
    return Lab(state, version, TestClient(app, raise_server_exceptions=False))
