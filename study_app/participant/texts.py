"""What the participant's page needs to know about a study."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from markdown_it import MarkdownIt

from study_app import providers
from study_app.player import Words
from study_app.wording import Wording


def _open_link() -> providers.Provider:
    return providers.registry.create("direct")


@dataclass(frozen=True)
class ParticipantTexts:
    """The public side of one study: words only, nothing about its stimuli.

    Attributes:
        study: name of the study, as in its address ``?study=NAME``.
        title: heading of the consent page and title of the browser window.
        language: the study's own, as a BCP 47 tag such as ``en``.
        consent_html: the consent text, made by :func:`markdown_html`.
        consent_sha256: hash of the consent text as the server knows it; sent back on agreement.
        consent_version: version of the consent text.
        instructions_html: the instructions, made by :func:`markdown_html`.
        ui: the player's own sentences, from :func:`study_app.player.ui_strings`.
        open: whether new participants are taken. Those already taken can go on either way, as
            far as the server lets them.
        translations: the words in further languages, by tag, in the order offered.
        provider: where participants come from.
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
    translations: Mapping[str, Words] = field(default_factory=dict)
    provider: providers.Provider = field(default_factory=_open_link)

    @property
    def wordings(self) -> dict[str, Words]:
        """The words in every language offered, the study's own first."""
        own: Words = {
            "title": self.title,
            "consent_html": self.consent_html,
            "consent_sha256": self.consent_sha256,
            "instructions_html": self.instructions_html,
            "ui": dict(self.ui),
        }
        return {self.language: own, **self.translations}


def markdown_html(markdown: str) -> str:
    """CommonMark as HTML. Raw HTML in the source is shown as text, never passed on."""
    return str(MarkdownIt("commonmark", {"html": False}).render(markdown))


def consent_sha256(words: Wording) -> str:
    """The hash of the consent text in one language: what somebody agrees to."""
    return hashlib.sha256(words.texts["consent"].encode()).hexdigest()
