"""Mounts the player in a Streamlit page. A room's public module, because it brings Streamlit."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

from study_app.player.assets import player_css, player_html, player_loader
from study_app.player.given import PlayerData

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_NAME = "plausibly_player"


@cache
def _player() -> ComponentRenderer:
    """The component, registered once in a process."""
    return st.components.v2.component(
        _NAME, html=player_html(), css=player_css(), js=player_loader()
    )


def mount_player(data: PlayerData) -> None:
    """Shows the player. It covers the whole window and never causes a rerun."""
    # A fixed key: the component stays the same element on every rerun.
    _player()(key=_NAME, data=data, height="content")
