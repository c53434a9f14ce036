"""The participant's page."""

from study_app.participant.page import participant_page
from study_app.participant.texts import ParticipantTexts

__all__ = ["ParticipantTexts", "participant_page"]
