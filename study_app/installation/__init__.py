"""Where an installation keeps its state, and what a server process has open."""

from study_app.installation.settings import Settings
from study_app.installation.state import AppState, app_state

__all__ = ["AppState", "Settings", "app_state"]
