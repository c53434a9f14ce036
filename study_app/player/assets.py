"""The player's HTML, CSS and JavaScript as the strings that a Streamlit component takes.

There is no build step: the scripts are plain files that share one scope, put one after the other
into a single ES module whose last file has the only ``export``.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "hash",
    "store",
    "api",
    "outbox",
    "pictures",
    "painter",
    "timing",
    "presses",
    "gate",
    "tabs",
    "host",
    "texts",
    "stage",
    "screens",
    "form",
    "device",
    "form_page",
    "layouts/layout",
    "layouts/buttons",
    "layouts/scale",
    "layouts/pick",
    "layouts/rank",
    "layouts/marks",
    "layouts/point",
    "layouts/brush",
    "layouts/text",
    "layouts/survey",
    "question",
    "plan",
    "flow",
    "main",
)


def player_html() -> str:
    """The screens, in one ``<template>``."""
    return (_FOLDER / "player.html").read_text(encoding="utf-8")


def player_css() -> str:
    """The style sheet of the player's shadow root."""
    return (_FOLDER / "player.css").read_text(encoding="utf-8")


def player_script() -> str:
    """The ES module: every script in order, callees before callers."""
    scripts = (_FOLDER / "script" / f"{name}.js" for name in _SCRIPTS)
    return "\n".join(script.read_text(encoding="utf-8") for script in scripts)
