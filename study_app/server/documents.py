"""The HTML documents that need no Streamlit: the light page, and those of empty addresses."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from study_app.participation.languages import direction
from study_app.player import PlayerData, player_css, player_html, player_loader, player_script
from study_app.templates import render

_FOLDER = Path(__file__).parent


def light_document(data: PlayerData) -> bytes:
    """Return a study's light page: the whole player but its script, which the browser keeps."""
    words = data["ui"]
    return render(
        "server/light.html",
        language=data["language"],
        direction=direction(data["language"]),
        title=data["title"],
        moment=words["loading"],
        needs_script=words["needs_script"],
        style=Markup(_first_style()),  # noqa: S704 – ours, as all below
        script=player_script().address,
        player_style=Markup(player_css()),  # noqa: S704
        player_html=Markup(player_html()),  # noqa: S704
        loader=Markup(player_loader()),  # noqa: S704
        # Letters as they are: UTF-8 is shorter than escapes.
        data=htmlsafe_json_dumps(data, ensure_ascii=False),
    ).encode()


@cache
def light_policy() -> str:
    """Return the content security policy of the light page.

    It needs nothing but this server: no blob, no socket, no script or style but those named here.
    """
    styles = f"{content_hash(_first_style())} {content_hash(player_css())}"
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' {content_hash(player_loader())}",
        "style-src": styles,
        "img-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in policy.items())


@cache
def nothing_document() -> bytes:
    """Return what people read at an address where there is nothing."""
    return render(
        "server/nothing.html",
        language="en",
        direction="ltr",
        title="There is nothing at this address.",
        text="Taking part in a study? Please use the link you were given.",
        front=True,
    ).encode()


@cache
def calm_document(language: str, title: str, text: str) -> bytes:
    """Return a page for participants that says one thing and loads nothing."""
    return render(
        "server/nothing.html",
        language=language,
        direction=direction(language),
        title=title,
        text=text,
        front=False,
    ).encode()


@cache
def full_document() -> bytes:
    """Return what people read when there is no room for their page."""
    return render(
        "server/full.html", language="en", direction="ltr", title="Busy – Plausibly"
    ).encode()


def icon() -> bytes:
    """Return the icon of the browser's tab, SVG."""
    return (_FOLDER / "favicon.svg").read_bytes()


def content_hash(text: str) -> str:
    """Return the hash of an inline script or style, as a content security policy names it."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _first_style() -> str:
    return (_FOLDER / "first.css").read_text(encoding="utf-8").strip()
