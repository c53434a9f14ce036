"""The HTML document that carries Streamlit's pages: made from the installed one, not patched."""

from __future__ import annotations

from functools import cache, lru_cache
from html.parser import HTMLParser
from pathlib import Path

import streamlit
from markupsafe import Markup

from engine.errors import PlausiblyError
from study_app.player import way_out_script
from study_app.server.documents import content_hash
from study_app.templates import render

STATIC = Path(streamlit.__file__).parent / "static"
"""Streamlit's own files for the browser."""

SETTING = (
    "window.__streamlit = { BACKEND_BASE_URL: location.origin, HOST_CONFIG: "
    "{ allowedOrigins: [location.origin], useExternalAuthToken: false } };"
)
"""What Streamlit's script reads first. Without the address it looks for its server below the page's
own (`/take/_stcore/health`), and every start begins with two failed requests. With the rest it
connects at once instead of asking for it, and hears the page's own messages: the player ends the
connection when it needs it no more."""


@lru_cache(maxsize=256)
def page_document(
    title: str,
    language: str,
    moment: str,
    needs_script: str,
    direction: str = "ltr",
    player: bool = False,
    way_out: tuple[str, str] | None = None,
) -> bytes:
    """Return the document of one page; Streamlit's script fills it.

    Args:
        title: what the browser's tab says until then.
        language: the language of the words.
        moment: what is read until then.
        needs_script: what is read where scripts are off.
        direction: in which the language is written, `ltr` or `rtl`.
        player: whether the player will cover the page; then it loads no style sheet of
            Streamlit's, nor the fonts in it.
        way_out: what is said where the page's connection does not open, and the words of the link
            to the light page.

    Raises:
        PlausiblyError: the installed Streamlit's own document is not as expected.
    """
    return render(
        "server/page.html",
        title=title,
        language=language,
        direction=direction,
        moment=moment,
        player=player,
        needs_script=needs_script,
        setting=Markup(SETTING),  # noqa: S704 – ours
        assets=[
            Markup(tag)  # noqa: S704 – Streamlit's
            for tag in _assets()
            if not (player and 'rel="stylesheet"' in tag)
        ],
        way_out=way_out,
        way_out_script=Markup(way_out_script()),  # noqa: S704 – ours
    ).encode()


def inline_hashes() -> tuple[str, ...]:
    """Return the hashes of the inline scripts, as a content security policy names them."""
    return content_hash(SETTING), content_hash(way_out_script())


class _Assets(HTMLParser):
    """Collects the tags that load Streamlit's scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        source = named.get("src" if tag == "script" else "href") or ""
        # Not the font, which is preloaded: our pages are set in the system's.
        wanted = tag == "script" or named.get("rel") in ("modulepreload", "stylesheet")
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
