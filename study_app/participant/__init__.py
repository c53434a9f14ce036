"""The participant's page."""

from study_app.participant.page import participant_page
from study_app.participant.texts import ParticipantTexts, markdown_html

__all__ = ["ParticipantTexts", "markdown_html", "participant_page"]
