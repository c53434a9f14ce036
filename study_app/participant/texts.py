"""What the participant's page needs to know about a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from markdown_it import MarkdownIt

from study_app.player.component import Provider


def _direct() -> Provider:
    return {"name": "direct", "id": None}


@dataclass(frozen=True)
class ParticipantTexts:
    """The public side of one study: words only, nothing about its stimuli.

    Attributes:
        study: name of the study, as in its address ``?study=NAME``.
        title: heading of the consent page and title of the browser window.
        language: BCP 47 tag, such as ``en``.
        consent_html: the consent text, made by :func:`markdown_html`.
        consent_sha256: hash of the consent text as the server knows it; sent back on agreement.
        consent_version: version of the consent text.
        instructions_html: the instructions, made by :func:`markdown_html`.
        ui: the player's own sentences, from :func:`study_app.player.ui_strings`.
        open: whether new participants are taken. Those already taken can go on either way, as
            far as the server lets them.
        provider: where the participant comes from.
    """

    study: str
    title: str
    language: str
    consent_html: str
    consent_sha256: str
    consent_version: str
    instructions_html: str
    ui: Mapping[str, str]
    open: bool
    provider: Provider = field(default_factory=_direct)


def markdown_html(markdown: str) -> str:
    """CommonMark as HTML. Raw HTML in the source is shown as text, never passed on."""
    return str(MarkdownIt("commonmark", {"html": False}).render(markdown))
