"""The light page by HTTP, and the first words of Streamlit's page of a study."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from databases import on_sqlite
from lab import Lab
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from db import repository
from db.errors import DatabaseError
from study_app.participation import load
from study_app.player import player_script, ui_strings
from study_app.server import light_page
from study_app.server.security import SecurityMiddleware, security_headers
from study_app.server.web_routes import web_routes

pytestmark = on_sqlite

GERMAN = {"title": "Was <i>sehen</i> Sie?", "texts": {}, "words": {}}
ARABIC = {"title": "ماذا ترى؟", "texts": {}, "words": {}}
PROLIFIC = {"name": "prolific", "complete": "C1", "no_consent": "C3"}


@pytest.fixture
def client(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(load, "app_state", lambda: lab.state)
    app = Starlette(routes=web_routes(), middleware=[Middleware(SecurityMiddleware)])
    return TestClient(app, follow_redirects=False)


def data(page: str) -> dict[str, Any]:
    """What the page hands to the player."""
    found = re.search(r'<script type="application/json" id="player-data">(.*?)</script>', page)
    assert found is not None
    handed: dict[str, Any] = json.loads(found[1])
    return handed


def test_one_document_holds_all_but_the_script(client: TestClient) -> None:
    answer = client.get("/p/demo")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-encoding"] == "gzip"
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', answer.text)
    assert loaded == [player_script().address, "/favicon.svg"]
    assert client.head("/p/demo").status_code == 200
    handed = data(answer.text)
    assert (handed["study"], handed["status"], handed["language"]) == ("demo", "open", "en")
    assert f"<title>{handed['title']}</title>" in answer.text
    assert f"<noscript>{ui_strings('en')['needs_script']}</noscript>" in answer.text


def test_its_policy_allows_what_stands_in_it_and_nothing_else(client: TestClient) -> None:
    answer = client.get("/p/demo")
    rules = dict(
        rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; ")
    )
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert rules["connect-src"] == rules["img-src"] == "'self'"
    for word in ("unsafe", "blob:", "data:", "ws:", "*"):
        assert word not in answer.headers["content-security-policy"]

    def hashes(pattern: str) -> set[str]:
        parts = re.findall(pattern, answer.text, flags=re.DOTALL)
        digests = (hashlib.sha256(part.encode()).digest() for part in parts)
        return {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}

    (inline,) = hashes('<script type="module">(.*?)</script>')
    assert rules["script-src"] == f"'self' {inline}"
    assert set(rules["style-src"].split()) == hashes("<style>(.*?)</style>")
    for name, value in security_headers().items():
        if name != "Content-Security-Policy":
            assert answer.headers[name] == value


@pytest.mark.parametrize(
    ("query", "header", "language", "way"),
    [
        ("", "fr, ja;q=0.2, de;q=0.9", "de", "ltr"),
        ("?lang=ja", "de", "ja", "ltr"),
        ("?lang=xx", "de-CH, ja", "de", "ltr"),
        ("", "ar", "ar", "rtl"),
        ("", "fr", "en", "ltr"),
        ("", "", "en", "ltr"),
    ],
)
@pytest.mark.parametrize("door", ["/p/demo", "/take"])
def test_both_doors_begin_in_the_same_language(
    door: str, query: str, header: str, language: str, way: str, client: TestClient, lab: Lab
) -> None:
    own = lab.version.config["translations"]
    lab.change(translations={**own, "de": GERMAN, "ar": ARABIC})
    query = query if door != "/take" else f"?study=demo{query.replace('?', '&')}"
    page = client.get(door + query, headers={"Accept-Language": header}).text
    assert f'<html lang="{language}" dir="{way}">' in page
    words = ui_strings(language if language != "ar" else "en")
    assert words["loading"] in page
    if language == "de":
        assert "<title>Was &lt;i&gt;sehen&lt;/i&gt; Sie?</title>" in page
        assert "<i>sehen" not in page


def test_what_the_provider_adds_reaches_the_player(client: TestClient, lab: Lab) -> None:
    lab.change(provider=PROLIFIC)
    pid, session = "5f" * 12, "7b" * 12
    page = client.get(f"/p/demo?PROLIFIC_PID={pid}&STUDY_ID={pid}&SESSION_ID={session}").text
    assert data(page)["provider"] == {"name": "prolific", "id": pid, "session": session}
    assert data(client.get("/p/demo").text)["provider"]["id"] is None
    hostile = "</script><script>alert(1)</script>"
    page = client.get("/p/demo", params={"PROLIFIC_PID": hostile, "SESSION_ID": session}).text
    assert hostile not in page
    assert data(page)["provider"]["id"] == hostile


def test_a_closed_study_has_its_page_still(client: TestClient, lab: Lab) -> None:
    assert data(client.get("/p/demo").text)["status"] == "open"
    lab.database.write(lambda s: repository.set_study_status(s, name="demo", status="closed"))
    assert data(client.get("/p/demo").text)["status"] == "closed"


@pytest.mark.parametrize("name", ["nope", "DEMO", "demo%0A", "demo%00", "..%2Fdemo", 3000 * "x"])
def test_an_unknown_study_is_a_404_that_people_can_read(name: str, client: TestClient) -> None:
    answer = client.get(f"/p/{name}", headers={"Accept-Language": "de"})
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    if "%2F" not in name:  # that is another address
        words = ui_strings("de")
        assert f"<h1>{words['unknown_title']}</h1>" in answer.text
        assert words["unknown_text"] in answer.text
        assert '<html lang="de"' in answer.text
    assert "<script" not in answer.text


def test_a_database_that_cannot_be_read_is_told_in_the_readers_language(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise DatabaseError("study.db is locked")

    monkeypatch.setattr(light_page, "load_texts", broken)
    answer = client.get("/p/demo", headers={"Accept-Language": "ja"})
    assert (answer.status_code, answer.headers["refresh"]) == (503, "10")
    assert ui_strings("ja")["waiting_server"] in answer.text
    assert "study.db" not in answer.text
    page = client.get("/take?study=demo", headers={"Accept-Language": "ja"})
    assert (page.status_code, '<html lang="ja"' in page.text) == (200, True)


def test_streamlits_page_has_the_way_to_the_light_page_of_a_study_that_there_is(
    client: TestClient,
) -> None:
    sentence = ui_strings("de")["way_out_text"]
    assert sentence in client.get("/take?study=demo&lang=de").text
    for path in ("/take", "/take?study=nope&lang=de", "/gallery"):
        assert 'id="way-out"' not in client.get(path).text


def test_a_page_is_made_anew_for_a_new_version(client: TestClient, lab: Lab) -> None:
    assert data(client.get("/p/demo").text)["title"] == lab.version.config["title"]
    lab.change(title="Anew")
    assert data(client.get("/p/demo").text)["title"] == "Anew"
