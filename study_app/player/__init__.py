"""The in-browser trial player and the words it speaks.

Streamlit's page mounts it with `component`, which brings Streamlit; the light page needs only what
is exported here.
"""

from study_app.player.assets import (
    PlayerScript,
    player_css,
    player_html,
    player_loader,
    player_script,
    way_out_script,
)
from study_app.player.given import PlayerData, Refusal, Words
from study_app.player.strings import UnknownLanguageError, ui_strings

__all__ = [
    "PlayerData",
    "PlayerScript",
    "Refusal",
    "UnknownLanguageError",
    "Words",
    "player_css",
    "player_html",
    "player_loader",
    "player_script",
    "ui_strings",
    "way_out_script",
]
