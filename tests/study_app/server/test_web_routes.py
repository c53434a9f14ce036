"""The pages' documents, and the 404 of every address that is none of them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import subprocess
import sys

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from engine.errors import PlausiblyError
from study_app.server import streamlit_document
from study_app.server.pages import PAGES, TAKE
from study_app.server.security import SecurityMiddleware, security_headers
from study_app.server.streamlit_document import STATIC
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_loads_streamlits_scripts_and_no_font(client, page):
    text = client.get(page.path).text
    loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
    own = re.findall(r'(?:src|href)="\./(static/[^"]+)"', (STATIC / "index.html").read_text())
    styles = ".js" if page is TAKE else (".js", ".css")  # in the style sheet are only fonts
    assert loaded == [f"/{file}" for file in own if file.endswith(styles)]
    assert any(file.endswith(".css") for file in own)
    for file in loaded:
        assert client.head(file).status_code == 200, file
    assert 'src="./' not in text
    assert 'href="./' not in text


def test_inline_scripts_are_allowed_by_their_hashes(client):
    answer = client.get("/")
    scripts = re.findall(r"<script>(.*?)</script>", answer.text, flags=re.DOTALL)
    policy = answer.headers["content-security-policy"]
    allowed = re.search("script-src 'self' blob: ([^;]*);", policy)
    assert allowed is not None
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert len(digests) == 1
    assert f"'sha256-{digests[0]}'" in allowed[1].split()
    assert "unsafe" not in allowed[1]


def test_another_streamlit_without_a_script_is_refused_with_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("<html></html>")
    monkeypatch.setattr(streamlit_document, "STATIC", tmp_path)
    with pytest.raises(PlausiblyError, match="loads no script"):
        streamlit_document._assets.__wrapped__()


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
        "/p",
        "/p/",
        "/p/demo/extra",
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
    for path, meant in (
        ("/map/?experiment=a%20b", "/map?experiment=a%20b"),
        ("/p/demo/?lang=de", "/p/demo?lang=de"),
        ("/p//evil.example/", None),
    ):
        answer = client.get(path)
        assert answer.status_code == (308 if meant else 404)
        assert answer.headers.get("location") == meant


def test_the_tab_has_an_icon_of_its_own(client):
    for path in ("/favicon.svg", "/favicon.ico"):
        answer = client.get(path)
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert answer.text.startswith("<svg")


def test_streamlit_answers_what_its_pages_need_and_no_more():
    for path in ("/_stcore/health", "/_stcore/host-config", "/media/1.png"):
        assert answered_by_streamlit(path)
    ours = ("/", "/gallery", "/static/js/index.js", "/p/demo")
    for path in (*ours, "/_stcore/", "/_stcore/metrics", "/_stcore/health/", "/media"):
        assert not answered_by_streamlit(path)


@pytest.mark.parametrize("accepted", ["gzip, br", "identity"])
def test_streamlits_files_are_small_and_kept_for_good(client, accepted):
    file = next((STATIC / "static" / "js").glob("index.*.js"))
    with client.stream(
        "GET", f"/static/js/{file.name}", headers={"Accept-Encoding": accepted}
    ) as it:
        raw = b"".join(it.iter_raw())
    small = "gzip" in accepted
    assert it.headers.get("content-encoding") == ("gzip" if small else None)
    assert (gzip.decompress(raw) if small else raw) == file.read_bytes()
    assert it.headers["content-type"].startswith("text/javascript")
    assert it.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert it.headers["vary"] == "Accept-Encoding"
    if small:
        assert len(raw) < len(file.read_bytes()) / 2


def test_a_picture_is_sent_as_it_is(client):
    file = next((STATIC / "static" / "media").glob("*.png"))
    answer = client.get(f"/static/media/{file.name}")
    assert answer.content == file.read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert "content-encoding" not in answer.headers


def test_the_light_page_is_made_without_streamlit():
    code = "import sys, study_app.server.light_page; assert 'streamlit' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
