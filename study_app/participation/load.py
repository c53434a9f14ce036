"""The texts of a study, from the database to the participant's page."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from db import repository
from db.repository import StudyVersionInfo
from study_app.installation import app_state
from study_app.participation import refusals
from study_app.participation.texts import ParticipantTexts, consent_sha256
from study_app.player import Refusal, Words, ui_strings
from study_app.player.strings import languages as spoken
from study_app.providers import Identity
from study_app.study import (
    UnreadableStudyError,
    Wording,
    languages,
    markdown_html,
    study_of,
    wording,
)

_FALLBACK_LANGUAGE = "en"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
"""What a study can be called; the database is not asked for anything else."""
_KEPT_AT_MOST = 100
_kept: dict[tuple[int, str], ParticipantTexts] = {}
"""Texts by version: a version never changes, and to render it takes longer than to read it."""
_log = logging.getLogger(__name__)


def load_texts(name: str) -> ParticipantTexts | None:
    """Return the public texts of the newest version of study `name`, or None if there is none.

    One for simulated people is none, and so is one that this program cannot read: who runs the
    server finds in its log why.
    """
    if not _NAME.fullmatch(name):
        return None
    with app_state().database.read() as s:
        version = repository.newest_version(s, name, simulated=False)
    if version is None:
        return None
    known = (version.id, version.content_sha256)
    texts = _kept.get(known)
    if texts is None:
        try:
            texts = texts_of(version)
        except UnreadableStudyError as error:
            _log.error("%s", error)
            return None
        if len(_kept) >= _KEPT_AT_MOST:
            _kept.clear()
        _kept[known] = texts
    return replace(texts, open=version.status == "live", refuses=partial(_refusal, version))


def _refusal(version: StudyVersionInfo, identity: Identity) -> Refusal | None:
    state = app_state()
    return refusals.refusal(state.database, state.key, version, identity, now=datetime.now(UTC))


def texts_of(version: StudyVersionInfo) -> ParticipantTexts:
    """Return the public texts of a version, in all its languages."""
    study = study_of(version)
    offered = (wording(study, language) for language in languages(study))
    return ParticipantTexts(
        study=version.name,
        wordings={words.language: _words(words) for words in offered},
        consent_version=str(version.version),
        open=version.status == "live",
        provider=study.provider,
        shared_device=study.shared_device,
    )


def _words(own: Wording) -> Words:
    return {
        "title": own.title,
        "consent_html": markdown_html(own.texts["consent"]),
        "consent_sha256": consent_sha256(own),
        "instructions_html": markdown_html(own.texts["instructions"]),
        "ui": ui_in(own.language),
    }


def ui_in(language: str) -> dict[str, str]:
    """The player's sentences in a language, else in its main one (pt for pt-BR), else English."""
    known = spoken()
    fitting = (tag for tag in (language, language.partition("-")[0]) if tag in known)
    return ui_strings(next(fitting, _FALLBACK_LANGUAGE))
