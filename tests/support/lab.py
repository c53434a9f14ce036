"""A published study over the synthetic experiment, and the routes over it, without Streamlit."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.testclient import TestClient
from synthetic import experiment

from db import repository
from db.models import Stimulus
from db.repository import StimulusRow, StudyVersionInfo
from db.session import Database
from engine import results
from engine.artifacts import ArtifactStore
from study_app import study
from study_app.api import Context, create_api
from study_app.api.limits import consent_limit
from study_app.design import publish
from study_app.design.study_design import Design, design
from study_app.installation import AppState
from study_app.participation.texts import consent_sha256
from study_app.researcher import login
from study_app.server.security import SecurityMiddleware
from study_app.study import wording

KEY = b"k" * 64
PASSWORD = "correct horse battery staple"
DEVICE = {
    "window_w": 1280,
    "window_h": 720,
    "screen_w": 1920,
    "screen_h": 1080,
    "device_pixel_ratio": 2,
    "touch": False,
    "css_px_per_mm": 3.78,
}
FIELDS = [field.name for field in fields(StimulusRow)]


@dataclass
class Lab:
    """A server without Streamlit: database, artifacts, a study (`demo`), and a client."""

    state: AppState
    version: StudyVersionInfo
    client: TestClient

    @property
    def database(self) -> Database:
        return self.state.database

    def change(self, **keys: Any) -> StudyVersionInfo:
        """Publish the study again with other keys in its stored document."""
        with self.database.read() as s:
            held = s.query(Stimulus).all()
            rows = [StimulusRow(**{f: getattr(row, f) for f in FIELDS}) for row in held]
        now = datetime.now(UTC)
        self.version = self.database.write(
            lambda s: repository.publish_study(
                s,
                name="demo",
                config={**self.version.config, **keys},
                design=self.version.design,
                stage="main",
                stimuli=rows,
                content_sha256=secrets.token_hex(32),
                now=now,
            )
        )
        return self.version

    def consent(self, nonce: str | None = None, language: str = "en", **changes: Any) -> Any:
        body = {
            "study": "demo",
            "consent_sha256": consent_sha256(wording(study.study_of(self.version), language)),
            "language": language,
            "provider": {"name": "direct", "id": None, "session": None},
            "nonce": nonce or secrets.token_hex(16),
            **changes,
        }
        return self.client.post("/api/consent", json=body)

    def participant(self, *, admitted: bool = True, **changes: Any) -> Person:
        person = Person(self.client, self.consent(**changes).json()["token"])
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

    def form(self, form: str, answers: Any, attempt: int = 1, /, **changes: Any) -> Any:
        body = {"form": form, "attempt": attempt, "answers": answers}
        if form == "screening":
            body["device"] = DEVICE
        return self.post("/api/form", body | changes)

    def finish(self) -> dict[str, Any]:
        for trial in self.plan():
            self.answer(trial).raise_for_status()
        return self.trials()


@cache
def _designed(study_name: str, store: ArtifactStore) -> tuple[study.Study, Design]:
    """A study and its design over the experiment of a store: the same for many tests."""
    loaded = study.load(study_name)
    return loaded, design(loaded, results.find(store, loaded.experiment))


def open_lab(
    folder: Path,
    database: Database | None = None,
    store: ArtifactStore | None = None,
    study_name: str = "demo",
) -> Lab:
    """database: empty and upgraded; store: holds the experiment. What is not given, is made."""
    if store is None:
        store = ArtifactStore(folder / "artifacts")
        experiment(store)
    if database is None:
        database = Database(folder / "study.db")
        database.upgrade()
        (folder / "secret.key").write_bytes(KEY)
    loaded, drawn = _designed(study_name, store)
    version = publish.publish(loaded, store, database, drawn)
    login.ensure_password(database, PASSWORD)
    state = AppState(database, store, KEY)
    # All of a test's people come from one address.
    unbounded = consent_limit(at_once=10**6)
    app = create_api(Context(state, consents=unbounded), [Middleware(SecurityMiddleware)])
    return Lab(state, version, TestClient(app, raise_server_exceptions=False))
