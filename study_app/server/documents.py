"""The HTML documents that the server sends: the one that carries Streamlit's pages, and the 404."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import streamlit
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engine.errors import PlausiblyError

STATIC = Path(streamlit.__file__).parent / "static"
"""Streamlit's own files for the browser."""

SETTING = "window.__streamlit = { BACKEND_BASE_URL: location.origin };"
"""The one inline script. Without it Streamlit's script first looks for its server below the page's
own address (`/take/_stcore/health`), and every start begins with two failed requests."""

_FOLDER = Path(__file__).parent
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined
)


@cache
def page_document(title: str, language: str, moment: str) -> bytes:
    """Return the document of one page; Streamlit's script fills it.

    Args:
        title: what the browser's tab says until then.
        language: the language of `moment`.
        moment: what is read until then.

    Raises:
        PlausiblyError: the installed Streamlit's own document is not as expected.
    """
    text = _TEMPLATES.get_template("page.html").render(
        title=title,
        language=language,
        moment=moment,
        setting=Markup(SETTING),  # noqa: S704 – ours
        assets=[Markup(tag) for tag in _assets()],  # noqa: S704 – Streamlit's
    )
    return text.encode()


@cache
def nothing_document() -> bytes:
    """Return what people read at an address where there is nothing."""
    return _TEMPLATES.get_template("nothing.html").render().encode()


@cache
def full_document() -> bytes:
    """Return what people read when there is no room for their page."""
    return _TEMPLATES.get_template("full.html").render().encode()


def icon() -> bytes:
    """Return the icon of the browser's tab, SVG."""
    return (_FOLDER / "favicon.svg").read_bytes()


def setting_hash() -> str:
    """Return the inline script's hash, as a content security policy names it."""
    digest = hashlib.sha256(SETTING.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


class _Assets(HTMLParser):
    """Collects the tags that load Streamlit's scripts, styles and font."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        source = named.get("src" if tag == "script" else "href") or ""
        wanted = tag == "script" or named.get("rel") in ("modulepreload", "preload", "stylesheet")
        if not (wanted and source.startswith("./static/")):
            return
        # From the root: the document stands at several addresses.
        written = (self.get_starttag_text() or "").replace('"./static/', '"/static/')
        self.tags.append(f"{written}</script>" if tag == "script" else written)


@cache
def _assets() -> tuple[str, ...]:
    page = STATIC / "index.html"
    found = _Assets()
    found.feed(page.read_text(encoding="utf-8"))
    if not any(tag.startswith("<script") for tag in found.tags):
        raise PlausiblyError(
            f"{page} loads no script, so no page can be shown; "
            f"Streamlit {streamlit.__version__} is not one that Plausibly knows: install another"
        )
    return tuple(found.tags)
