"""The player's HTML, CSS and scripts: what goes with the page, and the one file beside it."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from study_app.player.joining import join_modules

_FOLDER = Path(__file__).parent
_STYLES = ("player.css", "trial.css", "trial_sizes_1.css")
"""In this order: of two rules as special as each other, the later one holds."""
_PLACE = '"/player/script.js"'
"""Where the loader has the address of the script."""


@dataclass(frozen=True)
class PlayerScript:
    """The joined script.

    Attributes:
        address: path on this server; another for any other content.
        content: UTF-8.
        compressed: `content` with gzip.
    """

    address: str
    content: bytes
    compressed: bytes


@cache
def player_html() -> str:
    """The screens, in one ``<template>``."""
    return (_FOLDER / "player.html").read_text(encoding="utf-8")


@cache
def player_css() -> str:
    """The style sheet of the player's shadow root."""
    return "".join((_FOLDER / name).read_text(encoding="utf-8") for name in _STYLES)


@cache
def player_script() -> PlayerScript:
    """The ES module of all scripts, made once in a process.

    Raises:
        ScriptError: the scripts cannot be joined.
    """
    content = join_modules(_FOLDER / "script" / "main.js").encode()
    address = f"/player/{hashlib.sha256(content).hexdigest()}.js"
    # Without a time in it, which would be all that differs between two servers.
    return PlayerScript(address, content, gzip.compress(content, 9, mtime=0))


@cache
def player_loader() -> str:
    """The few lines of script that go with the page and import `player_script`."""
    loader = (_FOLDER / "loader.js").read_text(encoding="utf-8")
    if loader.count(_PLACE) != 1:
        raise ValueError(f"loader.js must have {_PLACE} once, where the script's address goes")
    return loader.replace(_PLACE, json.dumps(player_script().address))


@cache
def way_out_script() -> str:
    """The script of Streamlit's page that shows the way to the light page; see way_out.js."""
    return (_FOLDER / "way_out.js").read_text(encoding="utf-8")
