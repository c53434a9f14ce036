"""The server of these tests is made up. Here it has the same conversations as the real one: every
answer has the same status, the same keys at every depth, and the same values.

Only what differs by study or by person is compared by its type: see `FREE`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made_up_study
import pytest
from fake_study import FakeServer, Study
from lab import DEVICE, Lab, Person, open_lab
from layouts import FORMS, QUESTIONS
from made_up_study import CONSENT_SHA256
from starlette.applications import Starlette
from starlette.testclient import TestClient

from db.errors import DatabaseBusyError
from study_app import questions
from study_app.api import Context, create_api
from study_app.api.limits import RateLimit
from study_app.participation.load import texts_of
from study_app.participation.player_page import player_data
from study_app.participation.texts import consent_sha256
from study_app.questions import Showing
from study_app.study import study_of, wording

FREE = {
    "message", "token", "trial_id", "presentation_id", "url", "sha256", "width", "height",
    "prompt", "html", "correct", "text",
}  # fmt: skip
NULLABLE = {"code", "redirect"}  # as the study's provider has them
FINE = {"age": 33, "vision": "yes"}
HEADERS = ("cache-control", "retry-after", "www-authenticate")
NEEDED = {"survey": {"items": [{"name": "why", "kind": "text", "prompt": "Why?"}]}}
NAMES = questions.registry.names()
EVENT = "00000000-0000-4000-8000-00000000000"


def shape(value: Any, key: str = "") -> Any:
    """The value, or its type's name where it is free to differ."""
    if isinstance(value, dict):
        return {name: shape(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part, key) for part in value]
    if key in NULLABLE:
        return "text or nothing" if value is None or isinstance(value, str) else type(value)
    return type(value).__name__ if key in FREE else value


class Wire(TestClient):
    """A client that keeps the shape of everything it is answered."""

    heard: list[Any]

    def request(self, method: str, url: Any, **options: Any) -> Any:
        reply = super().request(method, url, **options)
        kind = reply.headers["content-type"]
        said = shape(reply.json()) if kind == "application/json" else kind
        self.heard.append(
            {
                "asked": f"{method} {str(url) if '/s/' not in str(url) else '/s/'}",
                "status": reply.status_code,
                "headers": [reply.headers.get(name) for name in HEADERS],
                "said": said,
            }
        )
        return reply


def wire(app: Any) -> Wire:
    made = Wire(app, raise_server_exceptions=False)
    made.heard = []
    return made


class Side:
    """One of the two servers, with a study like the demo on it."""

    def __init__(self, client: Wire, study: str, consent: str) -> None:
        self.client, self.study, self.consent_sha256 = client, study, consent

    def consent(self, **changes: Any) -> Any:
        body = {
            "study": self.study,
            "consent_sha256": self.consent_sha256,
            "language": "en",
            "provider": {"name": "direct", "id": None, "session": None},
            "nonce": secrets.token_hex(16),
        }
        return self.client.post("/api/consent", json=body | changes)

    def person(self) -> Person:
        return Person(self.client, self.consent().json()["token"])


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    made = open_lab(tmp_path)
    made.client = wire(made.client.app)
    yield made
    made.database.close()


@pytest.fixture
def fake(tmp_path: Path) -> Study:
    study = Study("demo", practice=2, main=24)
    server = FakeServer(tmp_path / "state")
    server.studies["demo"] = study
    study.client = wire(Starlette(routes=server.routes()))  # type: ignore[attr-defined]
    return study


Converse = Callable[[Side], None]


def real_side(lab: Lab) -> Side:
    return Side(lab.client, "demo", consent_sha256(wording(study_of(lab.version), "en")))  # type: ignore[arg-type]


def compare(lab: Lab, fake: Study, conversation: Converse) -> None:
    """Has a conversation with both servers, and compares what they said."""
    conversation(real_side(lab))
    conversation(Side(fake.client, "demo", CONSENT_SHA256["en"]))  # type: ignore[attr-defined]
    heard = zip(fake.client.heard, lab.client.heard, strict=True)  # type: ignore[attr-defined]
    for number, (made_up, real) in enumerate(heard):
        assert made_up == real, f"answer {number} to {real['asked']}"


def form_bodies(person: Person) -> None:
    """Forms that do not fit, before the one that does."""
    person.form("comprehension", {"task": "say"})
    for answers in ({}, FINE | {"age": "old"}, FINE | {"vision": "so so"}, FINE | {"more": "x"}):
        person.form("screening", answers)
    person.form("screening", FINE, device=None)
    person.form("screening", FINE, device=DEVICE | {"more": 1})
    person.form("screening", FINE, 2)
    person.form("survey", FINE)


def the_whole_way(side: Side) -> None:
    nonce = secrets.token_hex(16)
    side.consent(nonce=nonce)
    person = Person(side.client, side.consent(nonce=nonce).json()["token"])
    person.trials(0, 1)
    person.post("/api/admit", {})
    form_bodies(person)
    for _ in range(2):
        person.form("screening", FINE)
    person.trials(0, 1)
    person.post("/api/admit", {})
    for attempt, answer in ((1, "fast"), (1, "say"), (2, "say"), (3, "say")):
        person.form("comprehension", {"task": answer}, attempt)
        person.trials(0, 1)
    for _ in range(2):
        person.post("/api/admit", {})
    for start, count in ((0, 5), (3, 2), (50, 20), (52, 1), (0, 99)):
        person.trials(start, count)
    plan = person.plan()
    side.client.get(plan[0]["images"][0]["url"])
    answers(person, plan)
    for trial in plan:
        person.answer(trial)
    for _ in range(2):
        person.trials(51, 5)
        person.form("demographics", {"used": ["other"], "ease": "7", "remarks": None})
        person.form("demographics", {"used": ["phone", "computer"], "ease": "2"})
    person.answer(plan[-1])
    person.form("screening", FINE)
    person.post("/api/admit", {})
    person.trials()
    person.post("/api/withdraw", {})
    for _ in range(2):
        side.client.get("/api/trials?from=0&n=1", headers=person.headers)


def answers(person: Person, plan: list[dict[str, Any]]) -> None:
    """An answer stored, sent again, changed, and what is no answer."""
    first, second, later = plan[0], plan[1], plan[9]
    person.answer(first, "3", event_id=f"{EVENT}1")
    person.answer(first, "3", event_id=f"{EVENT}1")
    person.answer(first, "3", event_id=f"{EVENT}2")
    person.answer(first, "4", event_id=f"{EVENT}3")
    person.answer(first, "3", attempt=2)
    person.answer(second, "perhaps")
    person.answer(second, "timed_out")
    person.answer(second, "yes", trial_id="0" * 32)
    person.answer(second, "yes", trial_id="short")
    person.answer(second, "yes", rt_ms=-1)
    person.answer(second, "yes", timing={"tempo": 1}, display={"window_w": "wide"})
    person.answer(second, "yes", rt_ms=-1, attempt=0)
    person.answer(second, "yes", more=1)
    person.answer(later, "yes")
    person.trials(0, 1)


def without_forms(side: Side) -> None:
    side.client.get("/api/health")
    person = side.person()
    person.trials(0, 1)
    person.form("screening", FINE)
    person.post("/api/admit", {})
    for trial in person.plan():
        person.answer(trial)
    person.trials(51, 5)


def screened_out(side: Side) -> None:
    for answers in (FINE | {"age": 17}, FINE | {"vision": "no"}):
        person = side.person()
        person.form("screening", answers)
        person.form("screening", FINE)
        person.form("comprehension", {"task": "say"})
        person.post("/api/admit", {})
        person.trials()
    person = side.person()
    person.form("screening", FINE, device=DEVICE | {"window_h": 10})
    person.trials()


def failed_check(side: Side) -> None:
    person = side.person()
    person.form("screening", FINE)
    for attempt in (1, 2, 2, 3):
        person.form("comprehension", {"task": "fast"}, attempt)
        person.trials()
    person.post("/api/admit", {})


def nobody(side: Side) -> None:
    """What somebody without a token gets."""
    for headers in ({}, {"Authorization": f"Bearer {'0' * 32}"}):
        side.client.get("/api/trials?from=0&n=1", headers=headers)
        for path in ("form", "admit", "response", "withdraw"):
            side.client.post(f"/api/{path}", json={}, headers=headers)
    side.client.get("/s/nothing.png")


def consents(side: Side) -> None:
    side.consent(study="nope")
    side.consent(language="fr")
    side.consent(consent_sha256="0" * 64)
    side.consent(nonce="short")
    side.consent(more=1)
    side.consent(provider={"name": "sona", "id": "1", "session": None})
    nonce = secrets.token_hex(16)
    side.consent(nonce=nonce)
    side.consent(nonce=nonce, consent_sha256="0" * 64)


@pytest.mark.parametrize("conversation", [the_whole_way, screened_out, failed_check])
def test_a_study_with_all_forms(lab: Lab, fake: Study, conversation: Converse) -> None:
    lab.change(**FORMS)
    fake.forms = FORMS
    compare(lab, fake, conversation)


@pytest.mark.parametrize("conversation", [without_forms, nobody, consents])
def test_a_study_without_forms(lab: Lab, fake: Study, conversation: Converse) -> None:
    compare(lab, fake, conversation)


def test_the_page_hands_over_the_same(lab: Lab) -> None:
    real, made_up = player_data(texts_of(lab.version)), made_up_study.player_data("demo")
    assert made_up.keys() == real.keys()
    assert made_up["wordings"]["en"].keys() == real["wordings"]["en"].keys()


def full_at_consent(side: Side) -> None:
    side.consent()


def full_at_admission(side: Side) -> None:
    people = [side.person(), side.person()]
    people[-1].post("/api/admit", {})  # the only place is kept for who consented first


def sona(side: Side) -> None:
    side.consent(provider={"name": "sona", "id": None, "session": None})


def changed(side: Side) -> None:
    side.consent(consent_sha256="0" * 64)


SONA = {"name": "sona", "credit": "https://pool.example.org/credit?survey_code={id}"}


def one(part: str) -> dict[str, Any]:
    """A study that wants one person in all, or in its arm."""
    return {"quota": {"participants": None, "per_arm": None, part: 1}}


@pytest.mark.parametrize(
    ("conversation", "route", "refusal", "keys"),
    [
        (changed, "consent", {"error": "consent_changed"}, {}),
        (sona, "consent", {"error": "not_invited", "reason": "no_sona_code"}, {"provider": SONA}),
        (full_at_consent, "consent", {"error": "full"}, one("participants")),
        (full_at_consent, "consent", {"error": "full"}, one("per_arm")),
        (full_at_admission, "admit", {"error": "full"}, one("participants")),
    ],
)
def test_refusals_on_request_are_those_of_the_real_server(
    lab: Lab,
    fake: Study,
    conversation: Converse,
    route: str,
    refusal: dict[str, str],
    keys: dict[str, Any],
) -> None:
    lab.change(**keys)
    if (route, refusal["error"]) == ("consent", "full"):
        real_side(lab).person().post("/api/admit", {})
        lab.client.heard.clear()  # type: ignore[attr-defined]
    fake.refusals = {route: refusal}
    compare(lab, fake, conversation)


@pytest.mark.parametrize("status", [429, 503])
def test_trouble_on_request_is_that_of_the_real_server(
    status: int, lab: Lab, fake: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise DatabaseBusyError

    if status == 429:
        limit = RateLimit(lambda: 0.0, burst=0, rate=0.5)
        lab.client = wire(create_api(Context(lab.state, requests=limit)))
        fake.retry_after = "2"
    else:
        monkeypatch.setattr(lab.database, "read", broken)
        monkeypatch.setattr(lab.database, "submit", broken)
    fake.fail_next = {"trials": [status], "admit": [status]}
    fake.participants["0" * 32] = {"nonce": "", "state": "consented", "answers": {}}
    compare(lab, fake, in_trouble)


def in_trouble(side: Side) -> None:
    headers = {"Authorization": f"Bearer {'0' * 32}"}
    side.client.get("/api/trials?from=0&n=1", headers=headers)
    side.client.post("/api/admit", json={}, headers=headers)


def keys_of(view: Any) -> set[str]:
    """The keys of a view, and those of its options and items."""
    parts = {name: view.get(name, []) for name in ("options", "items")}
    inner = {f"{name}.{key}" for name, part in parts.items() for each in part for key in each}
    return set(view) | inner


def test_the_questions_of_these_tests_have_the_keys_of_real_ones() -> None:
    pictures = [{"true_label": 1, "prediction": None, "pixels": {"shape": [1, 8, 8]}}] * 3
    showing = Showing("0123456789", pictures, 1)
    asked = [questions.registry.create(name, **NEEDED.get(name, {})) for name in NAMES]
    asked.append(questions.registry.create("point_or_brush", mode="brush"))
    real: dict[str, list[set[str]]] = {}
    for question in asked:
        view = question.view(showing)
        real.setdefault(view["layout"], []).append(keys_of(view))
    for name, made_up in QUESTIONS.items():
        keys = keys_of({"options": [], **made_up}) - {"pictures", "captions", "note"}
        known = [each - {"captions", "note"} for each in real[made_up["layout"]]]
        assert keys in known, name
    assert all("captions" in keys for keys in real["rank"])
