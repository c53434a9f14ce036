"""What the participant's page needs to know about a study."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from study_app import providers
from study_app.player import Refusal, Words
from study_app.study import Wording


def _open_link() -> providers.Provider:
    return providers.registry.create("direct")


def _nobody(identity: providers.Identity) -> Refusal | None:
    return None


@dataclass(frozen=True)
class ParticipantTexts:
    """The public side of one study: words only, nothing about its stimuli.

    Attributes:
        study: name of the study, as in its address ``?study=NAME``.
        wordings: the words in every language offered, by BCP 47 tag, the study's own first.
        consent_version: version of the consent text.
        open: whether new participants are taken. Those already taken can go on either way, as
            far as the server lets them.
        provider: where participants come from.
        shared_device: whether people take part at a device that is everybody's.
        refuses: why somebody of that identity would not be taken in, asked when their page is made.
    """

    study: str
    wordings: Mapping[str, Words]
    consent_version: str
    open: bool
    provider: providers.Provider = field(default_factory=_open_link)
    shared_device: bool = False
    refuses: Callable[[providers.Identity], Refusal | None] = _nobody


def consent_sha256(words: Wording) -> str:
    """The hash of the consent text in one language: what somebody agrees to."""
    return hashlib.sha256(words.texts["consent"].encode()).hexdigest()
