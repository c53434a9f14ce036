"""The pages' documents, and the 404 of every address that is none of them."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from engine.errors import PlausiblyError
from study_app.server import documents
from study_app.server.pages import PAGES
from study_app.server.security import SecurityMiddleware, security_headers
from study_app.server.streamlit_files import answered_by_streamlit
from study_app.server.web_routes import web_routes

NOTHING = "There is nothing at this address."


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = Starlette(routes=web_routes(), middleware=[Middleware(SecurityMiddleware)])
    return TestClient(app, follow_redirects=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_has_its_title_and_words_before_any_script_has_run(client, page):
    answer = client.get(page.path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert f"<title>{page.title}</title>" in answer.text
    assert "One moment…" in answer.text
    assert client.head(page.path).status_code == 200


def test_a_page_loads_streamlits_script_and_styles_and_nothing_that_is_not_there(client):
    page = client.get("/take").text
    loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    own = re.findall(
        r'(?:src|href)="\./(static/[^"]+)"', (documents.STATIC / "index.html").read_text()
    )
    assert loaded == [f"/{file}" for file in own]
    assert all(answered_by_streamlit(file) for file in loaded)
    assert 'src="./' not in page
    assert 'href="./' not in page


def test_the_one_inline_script_is_allowed_by_its_hash(client):
    answer = client.get("/")
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'self' blob: 'sha256-{digest}';" in policy
    assert "unsafe-eval" not in policy


def test_another_streamlit_without_a_script_is_refused_with_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("<html></html>")
    monkeypatch.setattr(documents, "STATIC", tmp_path)
    with pytest.raises(PlausiblyError, match="loads no script"):
        documents._assets.__wrapped__()


@pytest.mark.parametrize(
    "path",
    [
        "/galery",
        "/gallery/extra",
        "/take/extra",
        "/Take",
        "/take%0A",
        "/home",
        "/index.html",
        "/_STCORE/health",
        "/take/_stcore/health",
        "/static/",
        "/static/js/no.js",
        "/static/../index.html",
        "/manifest.json",
        "/%2e%2e/etc/passwd",
        "/" + 3000 * "x",
    ],
)
def test_an_unknown_address_is_a_404_that_people_can_read(client, path):
    assert not answered_by_streamlit(path)
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert NOTHING in answer.text
    assert '<a href="/">' in answer.text
    for name, value in security_headers().items():
        assert answer.headers[name] == value
    assert client.head(path).status_code == 404
    posted = client.post(path)
    assert (posted.status_code, posted.json()["message"]) == (404, NOTHING)


def test_a_slash_too_many_is_forgiven(client):
    answer = client.get("/map/?experiment=a%20b")
    assert answer.status_code == 308
    assert answer.headers["location"] == "/map?experiment=a%20b"


def test_the_tab_has_an_icon_of_its_own(client):
    for path in ("/favicon.svg", "/favicon.ico"):
        answer = client.get(path)
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert answer.text.startswith("<svg")


def test_streamlit_answers_what_its_pages_need_and_no_more():
    for path in ("/_stcore/health", "/_stcore/host-config", "/media/1.png"):
        assert answered_by_streamlit(path)
    for path in ("/", "/gallery", "/_stcore/", "/_stcore/metrics", "/_stcore/health/", "/media"):
        assert not answered_by_streamlit(path)
