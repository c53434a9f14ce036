"""The in-browser trial player: one Streamlit component and the words it speaks."""

from study_app.player.assets import PlayerScript, player_script
from study_app.player.component import PlayerData, Refusal, Words, mount_player
from study_app.player.strings import UnknownLanguageError, ui_strings

__all__ = [
    "PlayerData",
    "PlayerScript",
    "Refusal",
    "UnknownLanguageError",
    "Words",
    "mount_player",
    "player_script",
    "ui_strings",
]
