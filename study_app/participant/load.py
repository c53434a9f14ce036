"""The texts of a study, from the database to the participant's page."""

from __future__ import annotations

from db import repository
from study_app.participant.texts import ParticipantTexts, markdown_html
from study_app.player import ui_strings
from study_app.publish import consent_sha256
from study_app.state import app_state


def load_texts(name: str) -> ParticipantTexts | None:
    """Return the public texts of the newest version of study `name`, or None if there is none."""
    with app_state().database.read() as s:
        version = repository.study(s, name)
    if version is None:
        return None
    texts = version.config["texts"]
    language = version.config["language"]
    return ParticipantTexts(
        study=version.name,
        title=version.config["title"],
        language=language,
        consent_html=markdown_html(texts["consent"]),
        consent_sha256=consent_sha256(version),
        consent_version=str(version.version),
        instructions_html=markdown_html(texts["instructions"]),
        ui=ui_strings(language),
        open=version.status == "live",
    )
