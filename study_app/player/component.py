"""Mounts the player in a Streamlit page."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, TypedDict

import streamlit as st

from study_app.player.assets import player_css, player_html, player_script

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_NAME = "plausibly_player"


class Provider(TypedDict):
    """Where the participant comes from; ``id`` is the provider's own, None for a direct link."""

    name: str
    id: str | None


class PlayerData(TypedDict):
    """Everything the player is given. It reaches the browser before consent: nothing about
    stimuli, answers or conditions belongs here."""

    status: Literal["open", "closed", "unknown"]
    study: str
    title: str
    language: str
    consent_html: str
    consent_sha256: str
    consent_version: str
    instructions_html: str
    provider: Provider
    ui: dict[str, str]


@cache
def _player() -> ComponentRenderer:
    """The component, registered once in a process."""
    return st.components.v2.component(
        _NAME, html=player_html(), css=player_css(), js=player_script()
    )


def mount_player(data: PlayerData) -> None:
    """Shows the player. It covers the whole window and never causes a rerun."""
    # A fixed key: the component stays the same element on every rerun.
    _player()(key=_NAME, data=data, height="content")
