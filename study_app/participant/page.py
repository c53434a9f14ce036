"""The page a participant opens: ``?study=NAME``."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from study_app.participant.texts import ParticipantTexts
from study_app.player import PlayerData, mount_player, ui_strings

_FALLBACK_LANGUAGE = "en"


def participant_page(load: Callable[[str], ParticipantTexts | None]) -> None:
    """Mounts the player for the study named in the address.

    Opening the page creates nobody: the player itself asks the server once the participant has
    agreed. An unknown or closed study gets one calm sentence.

    Args:
        load: the texts of a study by name, or None if there is no such study.
    """
    name = st.query_params.get("study", "")
    mount_player(player_data(load(name) if name else None))


def player_data(texts: ParticipantTexts | None) -> PlayerData:
    """What the player is given about a study, or about an unknown one (None)."""
    if texts is None:
        texts = _no_study()
    return {
        "status": "unknown" if not texts.study else "open" if texts.open else "closed",
        "study": texts.study,
        "title": texts.title,
        "language": texts.language,
        "consent_html": texts.consent_html,
        "consent_sha256": texts.consent_sha256,
        "consent_version": texts.consent_version,
        "instructions_html": texts.instructions_html,
        "provider": texts.provider,
        "ui": dict(texts.ui),
    }


def _no_study() -> ParticipantTexts:
    return ParticipantTexts(
        study="",
        title="",
        language=_FALLBACK_LANGUAGE,
        consent_html="",
        consent_sha256="",
        consent_version="",
        instructions_html="",
        ui=ui_strings(_FALLBACK_LANGUAGE),
        open=False,
    )
