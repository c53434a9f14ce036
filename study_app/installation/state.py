"""What the server's routes and pages share: the database, the artifact store, the key."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from db.session import Database
from engine.artifacts import ArtifactStore
from study_app.installation.key import require_key
from study_app.installation.settings import Settings


@dataclass(frozen=True)
class AppState:
    """The open resources of one server process.

    Attributes:
        database: the study database.
        store: the artifact store, for the gallery.
        key: the installation's key; see `study_app.installation.key`.
    """

    database: Database
    store: ArtifactStore
    key: bytes


@cache
def app_state() -> AppState:
    """Return this process's resources, opened at the first call.

    The routes and the Streamlit pages run in one process and share one writer thread.
    """
    settings = Settings()
    database = settings.database()
    return AppState(database, settings.store, require_key(settings, database))
