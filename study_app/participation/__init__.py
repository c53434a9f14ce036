"""What a participant meets besides trials: the page, its texts, forms that are due, endings."""

from study_app.participation.due_forms import Form
from study_app.participation.load import load_texts, texts_of
from study_app.participation.player_page import participant_page, player_data
from study_app.participation.texts import ParticipantTexts, consent_sha256

__all__ = [
    "Form",
    "ParticipantTexts",
    "consent_sha256",
    "load_texts",
    "participant_page",
    "player_data",
    "texts_of",
]
