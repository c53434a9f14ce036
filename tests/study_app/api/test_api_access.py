"""Every route x (nobody, participant, researcher), against a table of what is allowed."""

import io
import json
import shutil
import zipfile

import pytest
from databases import on_sqlite
from lab import PASSWORD
from typer.testing import CliRunner

from db.errors import DatabaseError
from db.models import AuditEntry
from study_app.api import PREFIXES, nowhere
from study_app.api.limits import MAX_ATTEMPTS
from study_app.cli import plausibly
from study_app.researcher import login
from study_app.server.security import security_headers

OPEN, TOKEN, LOGIN = "open", "token", "login"
ROUTES = [
    ("GET", "/api/health", OPEN),
    ("POST", "/api/consent", OPEN),
    ("GET", "/api/trials", TOKEN),
    ("POST", "/api/form", TOKEN),
    ("POST", "/api/admit", TOKEN),
    ("POST", "/api/response", TOKEN),
    ("POST", "/api/withdraw", TOKEN),
    ("POST", "/api/login", OPEN),
    ("POST", "/api/logout", OPEN),
    ("GET", "/api/export/demo.zip", LOGIN),
    ("GET", "/api/analysis/demo.html", LOGIN),
    ("GET", "/s/{opaque}.png", OPEN),
    ("GET", "/player/{sha256}.js", OPEN),
]


def call(lab, who, method, path):
    lab.client.cookies.clear()
    headers = {}
    if who == "participant":
        headers = lab.participant().headers
    if who == "researcher":
        lab.log_in()
    return lab.client.request(method, path, headers=headers, json={} if method == "POST" else None)


@on_sqlite  # who is allowed does not depend on the database
@pytest.mark.parametrize("who", ["nobody", "participant", "researcher"])
@pytest.mark.parametrize(("method", "path", "needs"), ROUTES, ids=lambda v: str(v))
def test_who_may_call_what(lab, who, method, path, needs):
    allowed = needs == OPEN or (needs, who) in ((TOKEN, "participant"), (LOGIN, "researcher"))
    answer = call(lab, who, method, path)
    assert (answer.status_code != 401 or path == "/api/login") == allowed
    assert answer.status_code < 500


def test_the_table_above_is_complete(lab):
    served = {route.path for route in lab.client.app.routes if route.endpoint is not nowhere}
    known = {path.replace("demo", "{study}") for _, path, _ in ROUTES}
    known |= {"/s/{opaque_id}.png"}
    assert {p for p in served if not p.startswith("/g/")} <= known


@pytest.mark.parametrize(
    "path", [*PREFIXES, "/api/nope", "/api/", "/s/x", "/g/x", "/api/x/y", "/player/", "/player/x"]
)
def test_unknown_addresses_are_404_as_json(lab, path):
    for method in ("GET", "POST", "DELETE"):
        answer = lab.client.request(method, path)
        assert answer.status_code == 404
        assert answer.json()["message"] == "There is nothing at this address."


def test_every_answer_carries_the_security_headers(lab):
    for path in ("/api/health", "/api/trials", "/s/x.png", "/nowhere", "/_stcore/metrics"):
        headers = lab.client.get(path).headers
        for name, value in security_headers().items():
            assert headers[name] == value
    policy = security_headers()["Content-Security-Policy"]
    assert "'unsafe-eval'" not in policy
    assert "script-src 'self' blob: 'sha256-" in policy
    assert "frame-ancestors 'none'" in policy


def test_the_export_holds_the_tables_and_neither_tokens_nor_secrets(lab):
    person = lab.participant()
    person.finish()
    lab.log_in()
    answer = lab.client.get("/api/export/demo.zip")
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    names = {name.removeprefix("demo/") for name in archive.namelist()}
    assert {"ratings.csv", "participants.csv", "codebook.csv", "checksums.sha256"} <= names
    for name in archive.namelist():
        assert person.token.encode() not in archive.read(name)
    assert archive.read("demo/ratings.csv").count(b"\n") == 53


@pytest.mark.parametrize("name", ["nope", "x" * 300, "%00", "..", "a%5Cb"])
def test_an_unknown_study_has_no_export_whatever_its_name(lab, name):
    lab.log_in()
    answer = lab.client.get(f"/api/export/{name}.zip")
    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "message"}


def test_login_and_logout(lab):
    wrong = lab.client.post("/api/login", json={"password": "guess"})
    assert wrong.status_code == 401
    assert login.COOKIE not in lab.client.cookies
    answer = lab.client.post("/api/login", json={"password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert lab.client.get("/api/export/demo.zip").status_code == 200
    token = lab.client.cookies[login.COOKIE]
    lab.client.post("/api/logout", json={})
    lab.client.cookies.set(login.COOKIE, token)
    assert lab.client.get("/api/export/demo.zip").status_code == 401


@on_sqlite
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"json": {}, "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
        ({"json": {}, "headers": {"Sec-Fetch-Site": "same-site"}}, 403),
        ({"data": {"a": "form"}}, 422),
        ({"content": "{}", "headers": {"Content-Type": "text/plain"}}, 422),
        ({}, 422),
        ({"json": {}, "headers": {"Sec-Fetch-Site": "same-origin"}}, 200),
        ({"json": {}}, 200),
    ],
)
def test_only_our_own_page_logs_out_and_then_at_the_server(lab, how, status):
    lab.log_in()
    token = lab.client.cookies[login.COOKIE]
    answer = lab.client.post("/api/logout", **how)
    assert answer.status_code == status
    assert ("set-cookie" in answer.headers) == (status == 200)
    lab.client.cookies.set(login.COOKIE, token)
    exported = lab.client.get("/api/export/demo.zip")
    assert exported.status_code == (401 if status == 200 else 200)


@on_sqlite
def test_another_page_cannot_log_a_browser_in(lab):
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = lab.client.post("/api/login", json={"password": PASSWORD}, headers=foreign)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_health_says_whether_the_database_can_be_read(lab, monkeypatch):
    assert lab.client.get("/api/health").json() == {"status": "ok"}

    def gone(_):
        raise DatabaseError("The disk failed while using /secret/place.")

    monkeypatch.setattr(lab.database._backend, "require_in_place", gone)
    answer = lab.client.get("/api/health")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert "secret" not in answer.text


@on_sqlite
def test_answers_into_a_replaced_file_are_refused_and_sent_again(lab):
    person = lab.participant()
    trial, *_ = person.plan()
    aside = lab.database.path.with_name("aside")
    lab.database.path.rename(aside)
    shutil.copy(aside, lab.database.path)
    refused = person.answer(trial)
    assert (refused.status_code, refused.json()["error"]) == (503, "unavailable")
    assert lab.client.get("/api/health").status_code == 503
    aside.replace(lab.database.path)
    assert person.answer(trial).json()["status"] == "stored"


def test_guessing_the_password_is_slowed_down(lab):
    for _ in range(MAX_ATTEMPTS):
        assert lab.client.post("/api/login", json={"password": "x"}).status_code == 401
    refused = lab.client.post("/api/login", json={"password": PASSWORD})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


def test_a_generated_password_is_told_once(tmp_path):
    from db.session import Database

    database = Database(tmp_path / "study.db")
    database.upgrade()
    generated = login.ensure_password(database, None)
    assert generated is not None
    assert len(generated) >= 16
    assert login.ensure_password(database, None) is None
    assert login.ensure_password(database, "mine") is None
    from db import repository

    with database.read() as s:
        assert repository.check_password(s, name=login.NAME, password="mine")
        assert not repository.check_password(s, name=login.NAME, password=generated)
    database.close()


@on_sqlite
def test_what_the_command_line_does_is_logged(lab, tmp_path, monkeypatch):
    home = tmp_path / "cli"
    home.mkdir()
    (home / "artifacts").symlink_to(lab.state.store.root)
    monkeypatch.setenv("PLAUSIBLY_HOME", str(home))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{lab.database.path}")
    for words in ("study launch demo", "study close demo", f"export demo --out {tmp_path / 'out'}"):
        done = CliRunner().invoke(plausibly.app, words.split(), catch_exceptions=False)
        assert done.exit_code == 0, done.output
    with lab.database.read() as s:
        entries = s.query(AuditEntry).order_by(AuditEntry.id).all()
    done = [(e.actor, e.action, json.loads(e.detail_json)["study"]) for e in entries[1:]]
    assert done == [("command line", action, "demo") for action in ("publish", "close", "export")]
